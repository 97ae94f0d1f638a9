package rewind_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/randomtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// flips is how many bits are flipped for each major; with six majors, that makes 300.
const flips = 50

// A judgement is what a program makes of a damaged target: what it would do, or why it
// refuses.
type judgement struct {
	refused bool
	says    string
}

// TestFlippedBits flips single bits of a target's WAL and compares gorewind with
// pg_rewind: both refuse the same targets, and what both accept changes nothing of what
// either would do. Without make torture, the bits are the same every time.
func TestFlippedBits(t *testing.T) {
	seed, given := randomtest.GivenSeed()
	if !given && randomtest.Torture() > 0 {
		seed = randomtest.Seed()
	}
	pgtest.EachGenuine(t, func(t *testing.T, in *pgtest.Installation) {
		p := restorePair(t, in.Version.Name, "basic")
		theirs, ours := p.pgRewind(in), p.gorewind()
		require.False(t, theirs.refused || ours.refused, "undamaged: %s\n%s", theirs.says, ours.says)
		control := p.control(p.target)
		geo, rnd := control.Geometry, rand.New(rand.NewPCG(seed, uint64(in.Version.ServerNum)))
		from, end := geo.SegStart(geo.SegNo(control.CheckPoint)-2), control.CheckPoint+200
		refused := 0
		for n := range flips * max(1, randomtest.Torture()) {
			at := from + pgdata.LSN(rnd.Uint64N(uint64(end-from)))
			if n%4 == 0 { // in a page header, which random bits hit too rarely
				at = at - at%pageSize + pgdata.LSN(rnd.IntN(longHeader))
			}
			bit := byte(1) << rnd.IntN(8)
			got, want := ours, theirs
			p.spoiled(p.wal(p.target, geo.WALFileName(1, geo.SegNo(at))), int(uint64(at)%uint64(geo.WALSegSize)), bit, func() {
				got, want = p.gorewind(), p.pgRewind(in)
			})
			what := fmt.Sprintf("bit %#x of byte %d of the page at %s (GOREWIND_TEST_SEED=%d)", bit, at%pageSize, in.Version.FormatLSN(at-at%pageSize), seed)
			switch {
			case want.refused && got.refused:
				refused++
			case got.refused && isSystemIdentifier(geo, at): // servers compare it, pg_rewind does not
			case want.refused != got.refused:
				assert.Fail(t, "only one refuses it: "+what, "pg_rewind: %s\ngorewind: %s", want.says, got.says)
			default:
				assert.Equal(t, theirs.says, want.says, "pg_rewind: %s", what)
				assert.Equal(t, ours.says, got.says, "gorewind: %s", what)
			}
		}
		assert.NotZero(t, refused)
	})
	pgtest.Note(fmt.Sprintf("flipped %d bits for each major with a pg_rewind (seed %d)", flips*max(1, randomtest.Torture()), seed))
}

// The layout of WAL pages (access/xlog_internal.h): the page size, and the size of the
// header of a segment's first page, in which the system identifier follows the short
// header.
const (
	pageSize    = 8192
	shortHeader = 24
	longHeader  = 40
)

func isSystemIdentifier(geo pgdata.Geometry, at pgdata.LSN) bool {
	offset := uint64(at) % uint64(geo.WALSegSize)
	return offset >= shortHeader && offset < shortHeader+8
}

// spoiled calls do while a bit of a file is flipped.
func (p *pair) spoiled(name string, at int, bit byte, do func()) {
	p.t.Helper()
	sound, err := os.ReadFile(name)
	require.NoError(p.t, err)
	p.change(name, func(b []byte) []byte { b[at] ^= bit; return b })
	do()
	p.write(name, sound)
}

// pgRewind returns the judgement of pg_rewind.
func (p *pair) pgRewind(in *pgtest.Installation) judgement {
	p.t.Helper()
	out, err := in.Command(p.t, "pg_rewind", "--dry-run", "--debug", "--source-pgdata="+p.source, "--target-pgdata="+p.target).CombinedOutput()
	return judgement{err != nil, string(out)}
}

// gorewind returns the judgement of gorewind.
func (p *pair) gorewind() judgement {
	p.t.Helper()
	r, err := rewind.Prepare(p.t.Context(), rewind.Options{TargetDir: p.target, Source: endtoend.OpenDir(p.t, p.source), NoSync: true})
	if err != nil {
		return judgement{true, err.Error()}
	}
	require.NoError(p.t, r.Close())
	return judgement{false, planText(r.Plan())}
}
