package walreader_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

func TestNamesOfSummaries(t *testing.T) {
	const name = "00000002000000010000A0280000000B0C000000.summary"
	want := walreader.SummaryName{TLI: 2, Start: 0x10000A028, End: 0xB0C000000}
	got, ok := walreader.ParseSummaryName(name)
	require.True(t, ok)
	assert.Equal(t, want, got)
	assert.Equal(t, name, want.String())
	last := walreader.SummaryName{TLI: 1<<32 - 1, Start: 1, End: 1<<64 - 1}
	got, ok = walreader.ParseSummaryName(last.String())
	assert.True(t, ok)
	assert.Equal(t, last, got)

	for what, name := range map[string]string{
		"the one that is being written": "temp.summary",
		"nothing":                       "",
		"only the suffix":               ".summary",
		"no suffix":                     "00000002000000010000A0280000000B0C000000",
		"something behind it":           "00000002000000010000A0280000000B0C000000.summary.bak",
		"a digit too few":               "0000002000000010000A0280000000B0C000000.summary",
		"a digit too many":              "000000002000000010000A0280000000B0C000000.summary",
		"small letters":                 "00000002000000010000a0280000000B0C000000.summary",
		"a sign":                        "+0000002000000010000A0280000000B0C000000.summary",
		"a path":                        "../00002000000010000A0280000000B0C000000.summary",
		"no timeline":                   "00000000000000010000A0280000000B0C000000.summary",
		"an end before the start":       "00000002000000010000A028000000010000A027.summary",
		"an empty range":                "00000002000000010000A028000000010000A028.summary",
	} {
		_, ok := walreader.ParseSummaryName(name)
		assert.False(t, ok, "%s: %q", what, name)
	}
}

func TestCoverSummaries(t *testing.T) {
	type (
		name    = walreader.SummaryName
		stretch [3]pgdata.LSN // timeline, from, to
	)
	gap := func(tli pgdata.TimelineID, lsn, end pgdata.LSN) *walreader.SummaryGapError {
		return &walreader.SummaryGapError{TLI: tli, LSN: lsn, End: end}
	}
	for _, c := range []struct {
		name string
		have []name
		want []stretch
		take []name
		gap  *walreader.SummaryGapError
	}{
		{name: "nothing is wanted", have: []name{{1, 10, 20}}},
		{name: "an empty stretch", want: []stretch{{1, 10, 10}}},
		{name: "there is none", want: []stretch{{1, 10, 20}}, gap: gap(1, 10, 20)},
		{name: "exactly", have: []name{{1, 10, 20}}, want: []stretch{{1, 10, 20}}, take: []name{{1, 10, 20}}},
		{name: "one that reaches beyond", have: []name{{1, 5, 30}}, want: []stretch{{1, 10, 20}}, take: []name{{1, 5, 30}}},
		{name: "several, in any order", have: []name{{1, 20, 30}, {1, 10, 20}, {1, 0, 10}, {1, 30, 40}}, want: []stretch{{1, 12, 25}}, take: []name{{1, 10, 20}, {1, 20, 30}}},
		{name: "a gap", have: []name{{1, 10, 20}, {1, 21, 30}}, want: []stretch{{1, 12, 25}}, take: []name{{1, 10, 20}}, gap: gap(1, 20, 25)},
		{name: "a gap at the start", have: []name{{1, 10, 20}}, want: []stretch{{1, 9, 20}}, gap: gap(1, 9, 20)},
		{name: "a gap at the end", have: []name{{1, 10, 20}}, want: []stretch{{1, 10, 21}}, take: []name{{1, 10, 20}}, gap: gap(1, 20, 21)},
		{name: "a gap before the stretch", have: []name{{1, 1, 5}, {1, 10, 20}}, want: []stretch{{1, 10, 20}}, take: []name{{1, 10, 20}}},
		{name: "they overlap", have: []name{{1, 10, 20}, {1, 12, 28}, {1, 15, 30}, {1, 20, 25}}, want: []stretch{{1, 10, 30}}, take: []name{{1, 10, 20}, {1, 15, 30}}},
		{name: "one holds another", have: []name{{1, 10, 40}, {1, 15, 20}, {1, 35, 45}}, want: []stretch{{1, 10, 45}}, take: []name{{1, 10, 40}, {1, 35, 45}}},
		{name: "of two that begin alike the longer", have: []name{{1, 10, 20}, {1, 10, 30}}, want: []stretch{{1, 10, 30}}, take: []name{{1, 10, 30}}},
		{name: "another timeline's do not count", have: []name{{2, 10, 20}}, want: []stretch{{1, 10, 20}}, gap: gap(1, 10, 20)},
		{
			name: "along a history", have: []name{{1, 10, 20}, {1, 20, 35}, {2, 30, 50}, {3, 50, 60}, {2, 50, 90}},
			want: []stretch{{1, 12, 30}, {2, 30, 50}, {3, 50, 55}}, take: []name{{1, 10, 20}, {1, 20, 35}, {2, 30, 50}, {3, 50, 60}},
		},
		{
			name: "a gap in a history", have: []name{{1, 10, 40}, {2, 31, 50}},
			want: []stretch{{1, 12, 30}, {2, 30, 50}}, take: []name{{1, 10, 40}}, gap: gap(2, 30, 50),
		},
		{name: "the highest positions", have: []name{{1, 0, 1<<64 - 1}}, want: []stretch{{1, 0, 1<<64 - 1}}, take: []name{{1, 0, 1<<64 - 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want []pgdata.TimelineStretch
			for _, s := range c.want {
				want = append(want, pgdata.TimelineStretch{TLI: pgdata.TimelineID(s[0]), From: s[1], To: s[2]})
			}
			take, err := walreader.CoverSummaries(c.have, want)
			assert.Equal(t, c.take, take)
			if c.gap == nil {
				require.NoError(t, err)
				return
			}
			assert.Equal(t, c.gap, err)
			assert.NotEmpty(t, err.Error())
		})
	}
}

// TestCoverSummariesAsByCounting compares with counting every position.
func TestCoverSummariesAsByCounting(t *testing.T) {
	rnd := seeded(t)
	const positions = 40
	gaps := 0
	for range 20000 {
		var have []walreader.SummaryName
		covered := map[pgdata.TimelineID]*[positions]bool{1: {}, 2: {}}
		for range rnd.IntN(12) {
			start := rnd.IntN(positions - 1)
			s := walreader.SummaryName{TLI: pgdata.TimelineID(1 + rnd.IntN(2)), Start: pgdata.LSN(start), End: pgdata.LSN(start + 1 + rnd.IntN(positions-start-1))}
			have = append(have, s)
			for at := s.Start; at < s.End; at++ {
				covered[s.TLI][at] = true
			}
		}
		a, b, c := pgdata.LSN(rnd.IntN(10)), pgdata.LSN(10+rnd.IntN(10)), pgdata.LSN(20+rnd.IntN(15))
		stretches := []pgdata.TimelineStretch{{TLI: 1, From: a, To: b}, {TLI: 2, From: b, To: c}}
		var want *walreader.SummaryGapError
		for _, s := range stretches {
			for at := s.From; at < s.To && want == nil; at++ {
				if !covered[s.TLI][at] {
					want = &walreader.SummaryGapError{TLI: s.TLI, LSN: at, End: s.To}
				}
			}
		}
		chosen, err := walreader.CoverSummaries(have, stretches)
		if want != nil {
			gaps++
			require.Equal(t, want, err, "%v of %v", stretches, have)
		} else {
			require.NoError(t, err, "%v of %v", stretches, have)
		}
		for i, s := range chosen {
			require.Contains(t, have, s)
			require.True(t, i == 0 || chosen[i-1].End < s.End || chosen[i-1].TLI != s.TLI)
			require.True(t, i == 0 || chosen[i-1].End >= s.Start)
		}
		if want == nil { // none can be spared
			for i := range chosen {
				without := append(append([]walreader.SummaryName(nil), chosen[:i]...), chosen[i+1:]...)
				_, err := walreader.CoverSummaries(without, stretches)
				require.Error(t, err, "%v for %v", chosen, stretches)
			}
		}
	}
	assert.NotZero(t, gaps)
	assert.Less(t, gaps, 20000)
}
