package rewind_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// TestAnOwnSegmentIsJudgedByWhatRecoveryReads has a target whose WAL has a record of
// several segments: it starts in segment 11, and 12 and 13 are within it.
func TestAnOwnSegmentIsJudgedByWhatRecoveryReads(t *testing.T) {
	newer := func(b []byte) []byte { binary.LittleEndian.PutUint32(b[4:], 2); return b }
	moved := func(b []byte) []byte { b[10] ^= 1; return b }
	inside := func(b []byte) []byte { b[0x60+30] ^= 1; return b }
	const first, second, third = "00000001000000000000000B", "00000001000000000000000C", "00000001000000000000000D"
	for _, c := range []struct {
		name     string
		spoilt   string
		spoil    func([]byte) []byte
		from, s  pgdata.SegNo
		suspects []string
		good     bool
	}{
		{"whole", "", nil, 11, 12, nil, true},
		{"of a newer timeline than its name says", second, newer, 11, 12, nil, false},
		{"after one that belongs elsewhere", first, moved, 11, 12, nil, false},
		{"after one that recovery does not read", first, moved, 12, 12, nil, true},
		{"before one that belongs elsewhere", third, moved, 11, 12, nil, false},
		{"before one that is written again", third, moved, 11, 12, []string{"pg_wal/" + third}, true},
		{"damaged, before recovery starts", first, inside, 12, 11, nil, true}, // the first page is right
		{"damaged, where recovery starts", first, inside, 11, 11, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := restorePair(t, "14", "contrecord")
			r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, Source: endtoend.OpenDir(t, p.source)})
			require.NoError(t, err)
			defer r.Close()
			if c.spoilt != "" {
				p.change(p.wal(p.target, c.spoilt), c.spoil)
			}
			assert.Equal(t, c.good, r.OwnIsGood(t.Context(), c.from, c.s, c.suspects...))
		})
	}
}

// TestTheSegmentOfTheDivergenceBeginsAsTheTargetsDoes has the last common checkpoint in
// that segment, so that nothing was read of the segment before.
func TestTheSegmentOfTheDivergenceBeginsAsTheTargetsDoes(t *testing.T) {
	endtoend.OldestAndNewest(t, func(t *testing.T, in *pgtest.Installation) {
		old := in.InitCluster(t, pgtest.Options{})
		old.Start(t)
		old.Exec(t, "CREATE TABLE journal (what text, filler text)")
		const segment = 16 << 20
		for begin := old.InsertLSN(t); old.InsertLSN(t)/segment == begin/segment || old.InsertLSN(t)%segment < 1<<20; {
			endtoend.Write(t, old, "common")
		}
		src := old.Standby(t)
		old.Checkpoint(t)
		src.WaitCaughtUp(t, old)
		src.Promote(t)
		endtoend.Write(t, old, "lost")
		old.Stop(t, pgtest.Fast)
		endtoend.Write(t, src, "new")
		src.Checkpoint(t)
		live := endtoend.OpenServer(t, src.ConnString("postgres"))

		r, err := endtoend.Prepare(t, old, live)
		require.NoError(t, err)
		p := r.Plan()
		s := p.Target.Control.Geometry.SegNo(p.Divergence)
		require.Equal(t, s, p.Scan.FirstSegment)
		path := func(tli pgdata.TimelineID, s pgdata.SegNo) string {
			return in.Version.WALPath(p.Target.Control.Geometry.WALFileName(tli, s))
		}
		read := func(c *pgtest.Cluster, path string) []byte {
			b, err := os.ReadFile(filepath.Join(c.Dir, path))
			require.NoError(t, err)
			return b
		}
		beginning := int(p.Target.Control.Geometry.PageStart(p.Divergence)) % segment
		require.GreaterOrEqual(t, beginning, 1<<20)
		require.NotZero(t, read(old, path(1, s))[2]&1, "a record crosses into the segment")

		spoil := func(s pgdata.SegNo, at int) func(c *pgtest.Cluster) {
			return func(c *pgtest.Cluster) {
				b := read(c, path(1, s))
				b[at] ^= 1
				require.NoError(t, os.WriteFile(filepath.Join(c.Dir, path(1, s)), b, 0o600))
			}
		}
		// newer puts all pages from the segment on on timeline 2, as if they had been copied
		// from there.
		newer := func(c *pgtest.Cluster) {
			for s := s; s <= p.Target.Control.Geometry.SegNo(p.Target.EndOfWAL); s++ {
				b := read(c, path(1, s))
				for at := 0; at < segment; at += 8192 {
					binary.LittleEndian.PutUint32(b[at+4:], 2)
				}
				require.NoError(t, os.WriteFile(filepath.Join(c.Dir, path(1, s)), b, 0o600))
			}
		}
		const atBoundary, inHeader = 40, 10
		for _, c := range []struct {
			name    string
			change  func(c *pgtest.Cluster)
			inPlace bool
			local   int // files whose beginning is copied from the target
		}{
			{name: "as it was written", local: 2},
			{name: "as it was written, in place", inPlace: true, local: 1}, // the other is the target's own
			{name: "after a segment that is gone", change: func(c *pgtest.Cluster) {
				require.NoError(t, os.Remove(filepath.Join(c.Dir, path(1, s-1))))
			}, local: 2},
			{name: "with a damaged byte that only a record from before covers", change: spoil(s, atBoundary)},
			{name: "after a segment that belongs elsewhere", change: spoil(s-1, segment-8192+inHeader)},
			{name: "of a newer timeline", change: newer},
		} {
			target := old.CloneStopped(t)
			if c.change != nil {
				c.change(target)
			}
			r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: target.Dir, Source: live, InPlace: c.inPlace})
			require.NoError(t, err, c.name)
			require.NoError(t, r.Apply(t.Context()), c.name)
			p := r.Plan()
			require.NoError(t, r.Close())
			local := 0
			for _, e := range p.Files.Entries {
				if e.Local != "" {
					assert.Equal(t, path(1, s), e.Local, c.name)
					assert.EqualValues(t, beginning, e.LocalBytes, c.name)
					local++
				}
			}
			assert.Equal(t, c.local, local, "%s: taken from the target", c.name)
			for _, tli := range []pgdata.TimelineID{1, 2} {
				want, got := read(src, path(tli, s))[:beginning], read(target, path(tli, s))[:beginning]
				assert.True(t, string(want) == string(got), "%s: %s has the source's bytes", c.name, path(tli, s))
			}
			endtoend.MustFollow(t, target, src)
			endtoend.MustBeSound(t, target)
		}
	})
}
