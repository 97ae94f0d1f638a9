package rewind

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// pageAt is a page with an LSN.
func pageAt(lsn pgdata.LSN, text string) []byte {
	p := make([]byte, 8192)
	binary.LittleEndian.PutUint32(p[4:], uint32(lsn))
	copy(p[12:], []byte{28, 0, 0, 31, 0, 32}) // lower, upper, special
	copy(p[7936:], text)
	return p
}

// TestContradictionsBetweenPages has the LSNs of pages on both sides. The target's WAL
// is read from 100 to 900, and its files have all changes before 800.
func TestContradictionsBetweenPages(t *testing.T) {
	type pair struct {
		own, other  pgdata.LSN
		another     bool // the contents differ
		contradicts bool // together with the pages before
	}
	for _, c := range []struct {
		name     string
		ancestor pgdata.LSN
		same     pgdata.LSN
		pages    []pair
	}{
		{"common pages, and later ones of each side", 0, 300, []pair{{200, 200, false, false}, {300, 300, false, false}, {400, 150, false, false}, {500, 950, false, false}, {600, 600, true, false}}},
		{"a page of the target's before a common one", 0, 300, []pair{{250, 150, false, false}, {300, 300, false, true}}},
		{"the same in the other order", 0, 300, []pair{{300, 300, false, false}, {250, 150, false, true}}},
		{"different contents at the same LSN before a common page", 0, 300, []pair{{300, 300, false, false}, {250, 250, true, true}}},
		{"of two pages that the same record changed, one is the same", 0, 300, []pair{{300, 300, false, false}, {300, 300, true, true}}},
		{"of two pages that the same record changed, one is older on the source", 0, 300, []pair{{300, 300, false, false}, {300, 150, false, true}}},
		{"a page of the source's before a common one", 0, 300, []pair{{200, 250, true, false}, {300, 300, false, true}}},
		{"of two pages that the same record changed on the source, one is common", 0, 300, []pair{{200, 300, true, false}, {300, 300, false, true}}},
		{"the source later changed a page that the target did not change", 0, 300, []pair{{300, 300, false, false}, {50, 310, true, false}}},
		{"the target's files need not have the page yet", 0, 850, []pair{{850, 850, false, false}, {200, 820, true, false}}},
		{"pages from after the ancestor prove nothing", 250, 200, []pair{{200, 200, false, false}, {300, 300, false, false}, {260, 260, true, false}, {270, 280, true, false}}},
		{"pages that WAL before the range changed", 0, 0, []pair{{50, 50, false, false}, {100, 100, true, false}}},
		{"a page that is newer than the target's WAL", 0, 0, []pair{{950, 950, false, false}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &analyzer{version: pgdata.VersionByName("18"), geo: pgdata.Geometry{BlockSize: 8192}}
			s := sides{target: Side{EndOfWAL: 900}}
			s.target.FilesLow.Redo = 800
			w := newPageWitness(a, s, fork{ancestor: c.ancestor})
			w.begin = 100
			for i, p := range c.pages {
				other := ""
				if p.another {
					other = "another"
				}
				w.note(w.judge(pageAt(p.own, ""), pageAt(p.other, other)))
				assert.Equal(t, p.contradicts, w.contradiction() != "", "%d: %s", i, w.contradiction())
			}
			assert.Equal(t, c.same, w.same)
		})
	}
}

// TestOnlyUnjudgedPagesAreRequestedAgain has more pages than are compared at once.
func TestOnlyUnjudgedPagesAreRequestedAgain(t *testing.T) {
	a := &analyzer{version: pgdata.VersionByName("18"), geo: pgdata.Geometry{BlockSize: 8192}}
	w := newPageWitness(a, sides{}, fork{})
	blocks := pgdata.ChangedBlocks{}
	for relation := range uint32(3) {
		set := new(pgdata.BlockSet)
		for b := range pgdata.BlockNumber(maxWitnessPages) {
			set.Add(b)
		}
		blocks[pgdata.RelSegment{Locator: pgdata.RelFileLocator{Tablespace: 1663, Database: 5, Relation: 16384 + relation}}] = set
	}
	seen := map[source.Range]bool{}
	for _, want := range []int{maxWitnessPages, maxWitnessPages, maxWitnessPages, 0} {
		ranges, files := w.sample(blocks), map[string]bool{}
		assert.Len(t, ranges, want)
		for _, r := range ranges {
			assert.False(t, seen[r], fmt.Sprint(r))
			seen[r], w.judged[r], files[r.Path] = true, true, true
		}
		assert.Len(t, files, min(3, want), "some from each relation")
	}
}
