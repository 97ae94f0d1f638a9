package timeline_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/timeline"
)

func TestParse(t *testing.T) {
	two := timeline.History{{1, 0, 0x3012710}, {2, 0x3012710, 0}}
	three := timeline.History{{1, 0, 0x3012710}, {2, 0x3012710, 0x1_0405AB98}, {3, 0x1_0405AB98, 0}}
	for _, c := range []struct {
		name string
		tli  pgdata.TimelineID
		text string
		want timeline.History
	}{
		{"the first timeline has no file", 1, "", timeline.First()},
		{"one promotion", 2, "1\t0/3012710\tno recovery target specified\n", two},
		{"padded LSN of 19", 2, "1\t0/03012710\tno recovery target specified\n", two},
		{"fully padded LSN", 2, "1\t00000000/03012710\tx\n", two},
		{"lower-case LSN", 3, "1\t0/3012710\tx\n\n2\t1/405ab98\tx\n", three},
		{"blank line between entries", 3, "1\t0/3012710\tno recovery target specified\n\n2\t1/405AB98\tno recovery target specified\n", three},
		{"no final newline", 2, "1\t0/3012710\tx", two},
		{"no remark", 2, "1\t0/3012710", two},
		{"spaces for tabs", 2, "  1   0/3012710   x\n", two},
		{"comments and white space", 2, "# a comment\n \t\n  # another\n1\t0/3012710\tx\n", two},
		{"carriage returns", 3, "1\t0/3012710\tx\r\n\r\n2\t1/405AB98\r\n", three},
		{"any bytes in the remark", 2, "1\t0/3012710\tat restore point \"a # b\x00\xff\"\n", two},
		{"numbers may be skipped", 9, "4\t0/3012710\tx\n", timeline.History{{4, 0, 0x3012710}, {9, 0x3012710, 0}}},
		{"highest numbers", 0xFFFFFFFF, "4294967294\tFFFFFFFF/FFFFFFFF\tx", timeline.History{
			{4294967294, 0, 0xFFFFFFFFFFFFFFFF}, {4294967295, 0xFFFFFFFFFFFFFFFF, 0},
		}},
		{"two switches at the same LSN", 3, "1\t0/500\n2\t0/500\n", timeline.History{{1, 0, 0x500}, {2, 0x500, 0x500}, {3, 0x500, 0}}},
		{
			"recovery ended before its timeline began, as 18 wrote it", 3,
			"1\t0/60000A0\tno recovery target specified\n\n2\t0/4000000\tafter LSN 0/3001EC0\n",
			timeline.History{{1, 0, 0x60000A0}, {2, 0x60000A0, 0x4000000}, {3, 0x4000000, 0}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := timeline.Parse(c.tli, []byte(c.text))
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.tli, got.Newest())
		})
	}
}

func TestParseRefuses(t *testing.T) {
	const (
		noTLI   = "Expected a numeric timeline ID."
		noLSN   = "Expected a write-ahead log switchpoint location."
		order   = "Timeline IDs must be in increasing sequence."
		ownTLI  = "Timeline IDs must be less than child timeline's ID."
		syntax  = "syntax error in history file"
		invalid = "invalid data in history file"
	)
	for _, c := range []struct {
		name   string
		tli    pgdata.TimelineID
		text   string
		number int
		msg    string
		hint   string
	}{
		{"a word for the timeline", 2, "one\t0/500\n", 1, syntax, noTLI},
		{"a negative timeline", 2, "-1\t0/500\n", 1, syntax, noTLI},
		{"a timeline beyond 32 bits", 2, "4294967296\t0/500\n", 1, syntax, noTLI},
		{"binary", 2, "\x00\x01\x02", 1, syntax, noTLI},
		{"no LSN", 2, "1\n", 1, syntax, noLSN},
		{"a word for the LSN", 2, "1\tnowhere\n", 1, syntax, noLSN},
		{"half an LSN", 2, "1\t0\tx\n", 1, syntax, noLSN},
		{"an LSN cut after its slash", 2, "1\t0/\n", 1, syntax, noLSN},
		{"an LSN without its high half", 2, "1\t/500\n", 1, syntax, noLSN},
		{"an LSN of too many digits", 2, "1\t0/123456789\n", 1, syntax, noLSN},
		{"an LSN with trailing letters", 2, "1\t0/500x\n", 1, syntax, noLSN},
		{"an LSN of zero", 2, "1\t0/0\n", 1, syntax, noLSN},
		{"the same timeline twice", 3, "1\t0/500\n\n1\t0/600\n", 3, invalid, order},
		{"timelines in decreasing order", 5, "3\t0/500\n2\t0/600\n", 2, invalid, order},
		{"timeline zero", 2, "0\t0/500\n", 1, invalid, order},
		{"its own parent", 2, "2\t0/500\n", 0, invalid, ownTLI},
		{"a parent that is newer", 2, "1\t0/500\n7\t0/600\n", 0, invalid, ownTLI},
		{"a parent of the first timeline", 1, "1\t0/500\n", 0, invalid, ownTLI},
		{"no such timeline", 0, "", 0, invalid, ownTLI},
		{"an empty file", 2, "", 0, "no entries in history file", "It was cut short: restore it from another server or the WAL archive."},
		{"comments only", 2, "# 1\t0/500\n", 0, "no entries in history file", "It was cut short: restore it from another server or the WAL archive."},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := timeline.Parse(c.tli, []byte(c.text))
			assert.Nil(t, h)
			var e *timeline.ParseError
			require.ErrorAs(t, err, &e)
			line := ""
			if c.number > 0 {
				line = strings.Split(c.text, "\n")[c.number-1]
			}
			assert.Equal(t, &timeline.ParseError{TLI: c.tli, Number: c.number, Line: line, Msg: c.msg, Hint: c.hint}, e)
		})
	}
}

func TestParseRefusesAFileThatIsTooLong(t *testing.T) {
	b := make([]byte, timeline.MaxSize+1)
	_, err := timeline.Parse(2, b)
	assert.ErrorContains(t, err, "00000002.history: history file has 16777217 bytes")
}

func TestParseErrorsAreOneShortPrintableLine(t *testing.T) {
	for line, want := range map[string]string{
		"one\t0/500":                     "0000000A.history, line 1: syntax error in history file: one 0/500: Expected a numeric timeline ID.",
		"\x1b[2Jone\r":                   `0000000A.history, line 1: syntax error in history file: "\x1b[2Jone": Expected a numeric timeline ID.`,
		"x" + strings.Repeat("y", 1<<16): "0000000A.history, line 1: syntax error in history file: x" + strings.Repeat("y", 99) + "...: Expected a numeric timeline ID.",
	} {
		_, err := timeline.Parse(10, []byte(line+"\n"))
		assert.EqualError(t, err, want)
	}
}

func TestHistoriesAreDescribedAsPgRewindDoes(t *testing.T) {
	h := timeline.History{{1, 0, 0x3012710}, {2, 0x3012710, 0}}
	assert.Equal(t, "1: 0/0 - 0/3012710\n2: 0/3012710 - 0/0", h.String())
	assert.Equal(t, []string{"1: 0/00000000 - 0/03012710", "2: 0/03012710 - 0/00000000"},
		h.Lines(pgdata.VersionByName("19").FormatLSN))
}

// ladder builds a history from text such as "1 500 2 600 3": timelines, and between
// them the switches' LSNs in hexadecimal.
func ladder(t *testing.T, text string) timeline.History {
	t.Helper()
	f := strings.Fields(text)
	h := timeline.History{}
	var begin pgdata.LSN
	for i := 0; i < len(f); i += 2 {
		e := timeline.Entry{Begin: begin}
		_, err := fmt.Sscanf(f[i], "%d", &e.TLI)
		require.NoError(t, err)
		if i+1 < len(f) {
			_, err := fmt.Sscanf(f[i+1], "%x", &e.End)
			require.NoError(t, err)
		}
		h, begin = append(h, e), e.End
	}
	return h
}

func TestCommonAncestor(t *testing.T) {
	for _, c := range []struct {
		name, source, target string
		fork                 pgdata.LSN
		tli                  pgdata.TimelineID
	}{
		{"failover, old primary on timeline 1", "1 500 2", "1", 0x500, 1},
		{"target ahead of the source", "1", "1 500 2", 0x500, 1},
		{"two promotions since", "1 500 2 600 3", "1", 0x500, 1},
		{"failover of a second generation", "1 500 2 600 3", "1 500 2", 0x600, 2},
		{"both promoted, source first", "1 500 2 600 3", "1 500 2 700 4", 0x600, 2},
		{"both promoted, target first", "1 500 2 800 4", "1 500 2 700 3", 0x700, 2},
		{"both promoted at the same LSN", "1 500 2", "1 500 3", 0x500, 1},
		{"the same number for two timelines", "1 500 2", "1 600 2", 0x500, 1},
		{"the same number in the middle of both", "1 500 2 700 3", "1 400 2 700 3", 0x400, 1},
		{"several promotions on both sides", "1 500 2 600 3 700 4 800 5", "1 500 2 600 6 700 7 900 8", 0x600, 2},
		{"the same", "1 500 2", "1 500 2", 0, 2},
		{"the first timeline on both sides", "1", "1", 0, 1},
		{"a second switch at the LSN of the common one", "1 500 2 500 3", "1 500 2", 0x500, 2},

		{"source recovered to before the common timeline began", "1 500 2 400 3", "1 500 2", 0x400, 1},
		{"source recovered to before the target's switch", "1 500 2 400 3", "1 500 4", 0x400, 1},
		{"target recovered to before the source's switch", "1 500 4", "1 500 2 400 3", 0x400, 1},
		{"recovered to before two common timelines", "1 300 2 500 3 200 4", "1 300 2 500 3", 0x200, 1},
		{"recovered to the common timeline", "1 300 2 500 3 400 4", "1 300 2 500 3", 0x400, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := ladder(t, c.source), ladder(t, c.target)
			for range 2 {
				fork, index, err := timeline.CommonAncestor(a, b)
				require.NoError(t, err)
				assert.Equal(t, c.fork, fork)
				assert.Equal(t, c.tli, a[index].TLI)
				assert.Equal(t, c.tli, b[index].TLI)
				a, b = b, a
			}
		})
	}
}

func TestUnrelatedHistoriesHaveNoCommonAncestor(t *testing.T) {
	for _, c := range [][2]string{{"1 500 2", "3 500 4"}, {"5", "6"}, {"1", ""}, {"", ""}} {
		_, _, err := timeline.CommonAncestor(ladder(t, c[0]), ladder(t, c[1]))
		assert.ErrorIs(t, err, timeline.ErrNoCommonAncestor)
	}
}

func TestASegmentWithASwitchIsReadFromTheNewerTimeline(t *testing.T) {
	g := pgdata.Geometry{WALSegSize: 1 << 20}
	h := ladder(t, "1 1FFFFF 2 300000 3 300001 4 580000 5 588000 6")
	for s, want := range []pgdata.TimelineID{1, 2, 2, 4, 4, 6, 6} {
		assert.Equal(t, want, h.TimelineOf(g, pgdata.SegNo(s)), "segment %d", s)
	}
	last := g.SegNo(0xFFFFFFFFFFFFFFFF)
	assert.Equal(t, pgdata.TimelineID(6), h.TimelineOf(g, last), "the very last segment")
	assert.Equal(t, pgdata.TimelineID(0), timeline.History(nil).TimelineOf(g, 3))
	assert.Equal(t, pgdata.TimelineID(1), timeline.First().TimelineOf(g, 3))
}

func TestASegmentIsNeverReadFromAnAbandonedTimeline(t *testing.T) {
	g := pgdata.Geometry{WALSegSize: 1 << 20}
	h := ladder(t, "1 500000 2 280000 3")
	for s, want := range []pgdata.TimelineID{1, 1, 3, 3, 3, 3, 3} {
		assert.Equal(t, want, h.TimelineOf(g, pgdata.SegNo(s)), "segment %d", s)
	}
}

// walk finds the timeline of a segment as pg_rewind does: it starts at the entry
// that it used last.
func walk(h timeline.History, i int, g pgdata.Geometry, s pgdata.SegNo) pgdata.TimelineID {
	end := g.SegStart(s + 1)
	for i < len(h)-1 && h[i].End < end {
		i++
	}
	for i > 0 && h[i].Begin >= end {
		i--
	}
	return h[i].TLI
}

func TestTimelineOfEqualsPgRewindsWalkFromAnyEntry(t *testing.T) {
	g := pgdata.Geometry{WALSegSize: 1 << 20}
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		h := timeline.First()
		for at := pgdata.LSN(0x28); len(h) < 1+random.IntN(7); {
			// Steps of zero, within a page, to a segment's edges, and across segments.
			at += []pgdata.LSN{0, 8, pgdata.LSN(random.IntN(1 << 22)), g.SegStart(g.SegNo(at)+1) - at, g.SegStart(g.SegNo(at)+1) - at - 1}[random.IntN(5)]
			h[len(h)-1].End = at
			h = append(h, timeline.Entry{TLI: h.Newest() + 1 + pgdata.TimelineID(random.IntN(3)), Begin: at})
		}
		for s := pgdata.SegNo(0); s < g.SegNo(h[len(h)-1].Begin)+3; s++ {
			got := h.TimelineOf(g, s)
			for start := range h {
				require.Equal(t, walk(h, start, g, s), got, "segment %d, from entry %d of\n%v", s, start, h)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(uint32(2), []byte("1\t0/3012710\tno recovery target specified\n"))
	f.Add(uint32(3), []byte("1\t0/03012710\tbefore 2024-01-01 00:00:00+00\n\n2\t1/0405AB98\tx\n"))
	f.Add(uint32(1), []byte("# nothing\r\n"))
	f.Add(uint32(0), []byte("4294967295 FFFFFFFF/FFFFFFFF"))
	f.Fuzz(func(t *testing.T, tli uint32, b []byte) {
		h, err := timeline.Parse(pgdata.TimelineID(tli), b)
		if err != nil {
			assert.Nil(t, h)
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 1000)
			return
		}
		require.NotEmpty(t, h)
		assert.Equal(t, pgdata.TimelineID(tli), h.Newest())
		assert.Zero(t, h[0].Begin)
		assert.Zero(t, h[len(h)-1].End)
		var text strings.Builder
		for i, e := range h[:len(h)-1] {
			assert.Less(t, e.TLI, h[i+1].TLI)
			assert.Equal(t, e.End, h[i+1].Begin)
			fmt.Fprintf(&text, "%d\t%s\n\n", e.TLI, e.End)
		}
		again, err := timeline.Parse(pgdata.TimelineID(tli), []byte(text.String()))
		require.NoError(t, err)
		assert.Equal(t, h, again)

		fork, index, err := timeline.CommonAncestor(h, again)
		require.NoError(t, err)
		assert.Zero(t, fork, "equal histories never diverge")
		assert.Equal(t, len(h)-1, index)
	})
}

func TestStretchesOfAHistory(t *testing.T) {
	type stretch [3]pgdata.LSN // timeline, from, to
	for _, c := range []struct {
		name, history string
		from, to      pgdata.LSN
		want          []stretch
	}{
		{"all on one timeline", "1", 0x100, 0x200, []stretch{{1, 0x100, 0x200}}},
		{"across two switches", "1 500 2 600 3", 0x100, 0x900, []stretch{{1, 0x100, 0x500}, {2, 0x500, 0x600}, {3, 0x600, 0x900}}},
		{"from switch to switch", "1 500 2 600 3", 0x500, 0x600, []stretch{{2, 0x500, 0x600}}},
		{"within an ancestor", "1 500 2 600 3", 0x510, 0x520, []stretch{{2, 0x510, 0x520}}},
		{"before all switches", "1 500 2 600 3", 0x10, 0x20, []stretch{{1, 0x10, 0x20}}},
		{"nothing", "1 500 2 600 3", 0x510, 0x510, nil},
		{"backwards", "1 500 2 600 3", 0x520, 0x510, nil},
		{"a timeline that nothing was written on", "1 500 2 500 3", 0x100, 0x900, []stretch{{1, 0x100, 0x500}, {3, 0x500, 0x900}}},
		{"a switch before an earlier one", "1 500 2 300 3", 0x100, 0x900, []stretch{{1, 0x100, 0x300}, {3, 0x300, 0x900}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []stretch
			for _, s := range ladder(t, c.history).Stretches(c.from, c.to) {
				got = append(got, stretch{pgdata.LSN(s.TLI), s.From, s.To})
			}
			assert.Equal(t, c.want, got)
		})
	}
	assert.Empty(t, timeline.History(nil).Stretches(1, 2))
}
