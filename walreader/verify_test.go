package walreader_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

func verify(segs walreader.Segments, f walreader.Format, s pgdata.SegNo, tli pgdata.TimelineID) error {
	return walreader.VerifySegment(context.Background(), segs, f, s, tli)
}

// setTimeline writes a timeline into the headers of pages [from, to) of a segment.
func setTimeline(file []byte, f walreader.Format, from, to int, tli uint32) {
	for n := from; n < to; n++ {
		binary.LittleEndian.PutUint32(file[n*int(f.Geometry.WALBlockSize)+4:], tli)
	}
}

// lastPage is the number of the last page of a segment.
func lastPage(f walreader.Format) int { return int(f.Geometry.WALSegSize/f.Geometry.WALBlockSize) - 1 }

func TestDamagedSegmentsAreNotProved(t *testing.T) {
	w, _ := longWAL("17")
	last := lastPage(w.f)
	page := func(segs *memSegments, s pgdata.SegNo, n int) []byte { return segs.files[s][n*8192:][:8192] }
	// The record that leaves segment 3 ends in segment 4.
	next := w.firstAfter(w.f.Geometry.SegStart(4))
	leaving := w.records[next-1]
	require.Less(t, leaving.LSN, w.f.Geometry.SegStart(4))
	require.Greater(t, leaving.End, w.f.Geometry.SegStart(4)+40)

	for _, c := range []struct {
		name   string
		damage func(segs *memSegments)
		s      pgdata.SegNo
		tli    pgdata.TimelineID
		err    error // nil: it is good
		text   string
	}{
		{"as it was written", func(*memSegments) {}, 3, 1, nil, ""},
		{"of an older timeline than the name says, which ends later", func(*memSegments) {}, 3, 2, nil, ""},
		{"on two timelines", func(segs *memSegments) {
			setTimeline(segs.files[3], w.f, 50, last+1, 2)
			setTimeline(segs.files[4], w.f, 0, last+1, 2)
		}, 3, 2, nil, ""},
		{"with a next one of a newer timeline", func(segs *memSegments) { setTimeline(segs.files[4], w.f, 0, last+1, 2) }, 3, 1, nil, ""},
		{"without its neighbours", func(segs *memSegments) { delete(segs.files, 2); delete(segs.files, 4) }, 3, 1, nil, ""},

		{"missing", func(segs *memSegments) { delete(segs.files, 3) }, 3, 1, fs.ErrNotExist, "file does not exist"},
		{"short", func(segs *memSegments) { segs.files[3] = segs.files[3][:1<<19] }, 3, 1, walreader.ErrCorrupt, "too short"},
		{"not written to its end", func(*memSegments) {}, w.f.Geometry.SegNo(w.pos()), 1, walreader.ErrEndOfWAL, "invalid record length"},
		{"zeros at its end", func(segs *memSegments) { clear(page(segs, 3, last)) }, 3, 1, walreader.ErrTornRecord, "invalid magic number 0000"},
		{"recycled from another place", func(segs *memSegments) { segs.files[3] = segs.files[4] }, 3, 1, walreader.ErrEndOfWAL, "unexpected pageaddr"},
		{"another place's page in its middle", func(segs *memSegments) {
			copy(page(segs, 3, 60), page(segs, 2, 60))
		}, 3, 1, walreader.ErrTornRecord, "unexpected pageaddr"},
		{"of another cluster", func(segs *memSegments) { segs.files[3][24] ^= 1 }, 3, 1, walreader.ErrCorrupt, "different database system"},

		{"first page of a newer timeline", func(segs *memSegments) { setTimeline(segs.files[3], w.f, 0, 1, 2) }, 3, 1, walreader.ErrCorrupt, "timeline ID 2, newer than 1"},
		{"last page of a newer timeline", func(segs *memSegments) { setTimeline(segs.files[3], w.f, last, last+1, 2) }, 3, 1, walreader.ErrCorrupt, "timeline ID 2, newer than 1"},
		{"all pages of a newer timeline, as are the next ones", func(segs *memSegments) {
			setTimeline(segs.files[3], w.f, 0, last+1, 2)
			setTimeline(segs.files[4], w.f, 0, last+1, 2)
		}, 3, 1, walreader.ErrCorrupt, "timeline ID 2, newer than 1"},
		{"timeline that goes back", func(segs *memSegments) { setTimeline(segs.files[3], w.f, 50, 51, 2) }, 3, 2, walreader.ErrTornRecord, "out-of-sequence timeline ID 1"},
		{"timeline that goes back in the next one", func(segs *memSegments) { setTimeline(segs.files[3], w.f, last, last+1, 2) }, 3, 2, walreader.ErrTornRecord, "out-of-sequence timeline ID 1"},
		{"timeline that goes back after the one before", func(segs *memSegments) { setTimeline(segs.files[2], w.f, last, last+1, 2) }, 3, 2, walreader.ErrTornRecord, "out-of-sequence timeline ID 1"},

		{"next one recycled", func(segs *memSegments) { segs.files[4] = segs.files[2] }, 3, 1, walreader.ErrTornRecord, "unexpected pageaddr"},
		{"record at the boundary damaged in its own segment", func(segs *memSegments) { segs.at(w.f.Geometry.SegStart(4) - 1)[0] ^= 1 }, 3, 1, walreader.ErrCorrupt, "incorrect resource manager data checksum"},
		{"record at the boundary damaged in the next segment", func(segs *memSegments) { segs.files[4][40] ^= 1 }, 3, 1, walreader.ErrCorrupt, "incorrect resource manager data checksum"},
		{"record at the boundary damaged, seen from the segment it ends in", func(segs *memSegments) { segs.files[4][40] ^= 1 }, 4, 1, walreader.ErrCorrupt, "incorrect resource manager data checksum"},
		{"record at the boundary that does not go on", func(segs *memSegments) { segs.files[4][2] &^= 1 }, 3, 1, walreader.ErrCorrupt, "there is no contrecord flag"},
		{"first record linked to another one than the last of the segment before", func(segs *memSegments) {
			rec := w.records[next]
			seal(segs.at(rec.LSN)[:rec.Length], w.records[next-2].LSN)
		}, 4, 1, walreader.ErrCorrupt, "incorrect prev-link"},
		{"record linked to another one than that before it", func(segs *memSegments) {
			rec := w.records[next+5]
			seal(segs.at(rec.LSN)[:rec.Length], rec.Prev-8)
		}, 4, 1, walreader.ErrCorrupt, "incorrect prev-link"},
	} {
		t.Run(c.name, func(t *testing.T) {
			segs := w.segments()
			c.damage(segs)
			err := verify(segs, w.f, c.s, c.tli)
			assert.Zero(t, segs.open)
			if c.err == nil {
				assert.NoError(t, err)
				return
			}
			var e *walreader.Error
			require.ErrorAs(t, err, &e)
			assert.ErrorIs(t, err, c.err)
			assert.ErrorContains(t, err, c.text)
		})
	}
}

func TestTheRecordThatCrossesIntoASegmentIsProved(t *testing.T) {
	w, _ := longWAL("17")
	next := w.firstAfter(w.f.Geometry.SegStart(4))
	for _, c := range []struct {
		name   string
		damage func(segs *memSegments)
		err    error // nil: it is good
	}{
		{"as it was written", func(*memSegments) {}, nil},
		{"without the segment before", func(segs *memSegments) { delete(segs.files, 3) }, nil},
		{"damaged before the boundary", func(segs *memSegments) { segs.at(w.f.Geometry.SegStart(4) - 1)[0] ^= 1 }, walreader.ErrCorrupt},
		{"damaged behind the boundary", func(segs *memSegments) { segs.files[4][40] ^= 1 }, walreader.ErrCorrupt},
		{"segment before recycled", func(segs *memSegments) { segs.files[3] = segs.files[2] }, walreader.ErrEndOfWAL},
		{"first record linked to another one", func(segs *memSegments) {
			rec := w.records[next]
			seal(segs.at(rec.LSN)[:rec.Length], w.records[next-2].LSN)
		}, walreader.ErrCorrupt},
		{"damaged later", func(segs *memSegments) { segs.at(w.records[next+1].LSN)[20] ^= 1 }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			segs := w.segments()
			c.damage(segs)
			err := walreader.VerifyStart(t.Context(), segs, w.f, 4)
			assert.Zero(t, segs.open)
			if c.err == nil {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, c.err)
			}
		})
	}
}

func TestAPageTellsItsTimeline(t *testing.T) {
	w, _ := longWAL("17")
	segs := w.segments()
	setTimeline(segs.files[3], w.f, 50, 51, 7)
	page := func(n int) pgdata.LSN { return w.f.Geometry.SegStart(3) + pgdata.LSN(n*8192) }
	for n, want := range map[int]pgdata.TimelineID{49: 1, 50: 7, 51: 1} {
		tli, err := walreader.PageTimeline(t.Context(), segs, w.f, page(n))
		require.NoError(t, err)
		assert.Equal(t, want, tli, "page %d", n)
	}
	segs.files[3] = segs.files[2]
	_, err := walreader.PageTimeline(t.Context(), segs, w.f, page(50))
	assert.ErrorContains(t, err, "unexpected pageaddr")
	assert.Zero(t, segs.open)
}

// TestSegmentsOfAllShapesAreProved has records that are longer than a segment, that
// were abandoned, and switches, at random.
func TestSegmentsOfAllShapesAreProved(t *testing.T) {
	rnd := seeded(t)
	for _, version := range []string{"9.6", "13", "18"} {
		f := format(version)
		f.Geometry.WALBlockSize = 1 << (10 + rnd.IntN(7))
		w := randomWAL(rnd, f, 8<<20)
		segs := w.segments()
		last := f.Geometry.SegNo(w.lastEnd() - 1)
		for s := f.Geometry.SegNo(w.start); s < last; s++ {
			require.NoError(t, verify(segs, f, s, pgdata.TimelineID(w.tli)), "%s, segment %d, pages of %d", version, s, f.Geometry.WALBlockSize)
			if first := w.firstAfter(f.Geometry.SegStart(s)); first >= 0 && f.Geometry.SegNo(w.records[first].LSN) == s {
				require.NoError(t, walreader.VerifyStart(t.Context(), segs, f, s), "%s, segment %d, pages of %d", version, s, f.Geometry.WALBlockSize)
			}
			alone := w.segments()
			alone.files = map[pgdata.SegNo][]byte{s: alone.files[s]}
			require.NoError(t, verify(alone, f, s, pgdata.TimelineID(w.tli)), "%s, segment %d alone, pages of %d", version, s, f.Geometry.WALBlockSize)
		}
	}
}

func TestEveryDamagedByteOfARecordIsFound(t *testing.T) {
	rnd := seeded(t)
	w, _ := longWAL("17")
	segs := w.segments()
	begin := w.f.Geometry.SegStart(3)
	end := begin + pgdata.LSN(w.f.Geometry.WALSegSize)
	// From the record that enters the segment to the one that leaves it.
	first, last := w.firstAfter(begin)-1, w.firstAfter(end)
	for tried := 0; tried < 300; {
		rec := w.records[first+rnd.IntN(last-first)]
		at := rec.LSN + pgdata.LSN(rnd.IntN(int(rec.End-rec.LSN)))
		header := pgdata.LSN(24)
		if at%pgdata.LSN(w.f.Geometry.WALSegSize) < 40 {
			header = 40
		}
		if at%8192 < header || rec.End-at < 8 {
			continue // a page header, of which not all is used, or padding
		}
		tried++
		bit := byte(1) << rnd.IntN(8)
		segs.at(at)[0] ^= bit
		assert.Error(t, verify(segs, w.f, 3, 1), "bit %02X at %s in the record at %s", bit, at, rec.LSN)
		segs.at(at)[0] ^= bit
	}
	assert.NoError(t, verify(segs, w.f, 3, 1))
}

// changedWAL is a fixture's WAL with one segment that was changed.
type changedWAL struct {
	fixtureWAL
	no     pgdata.SegNo
	change func(file []byte)
}

func (w changedWAL) OpenSegment(ctx context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	seg, err := w.fixtureWAL.OpenSegment(ctx, s)
	if err != nil || s != w.no {
		return seg, err
	}
	file := make([]byte, w.control.Geometry.WALSegSize)
	_, err = seg.ReadAt(file, 0)
	w.change(file)
	return changedSegment{bytes.NewReader(file), seg.Name()}, errors.Join(err, seg.Close())
}

type changedSegment struct {
	*bytes.Reader
	name string
}

func (s changedSegment) Name() string { return s.name }
func (changedSegment) Close() error   { return nil }

// TestSegmentsOfFixturesAreVerified damages every segment of a target but the last,
// which is not written to its end. Some targets have no other.
func TestSegmentsOfFixturesAreVerified(t *testing.T) {
	eachFixture(t, func(t *testing.T, dir string) {
		w := restoreWAL(t, filepath.Join(dir, "target"))
		f := w.format()
		from, to := f.Geometry.SegNo(w.firstRecord(t, filepath.Join(dir, "target"))), f.Geometry.SegNo(w.end(t))
		r := walreader.NewReader(w, f)
		defer r.Close()
		for s := from; s < to; s++ {
			tli := w.history.TimelineOf(f.Geometry, s)
			require.NoError(t, verify(w, f, s, tli), s)
			for text, change := range map[string]func(file []byte){
				"newer than": func(file []byte) { setTimeline(file, f, 0, 1, uint32(tli)+1) },
				"out-of-sequence timeline ID": func(file []byte) {
					setTimeline(file, f, 0, 1, uint32(tli))
					setTimeline(file, f, 1, 2, uint32(tli)-1)
				},
				"unexpected pageaddr": func(file []byte) { file[10] ^= 1 },
			} {
				assert.ErrorContains(t, verify(changedWAL{w, s, change}, f, s, tli), text, s)
			}

			next, err := r.FindNextRecord(t.Context(), f.Geometry.SegStart(s+1))
			require.NoError(t, err)
			rec, err := r.ReadRecord(t.Context(), next)
			require.NoError(t, err)
			if rec.Rmgr == 0 && rec.Info&0xF0 == 0xD0 {
				continue // overwrites what leaves this segment: no CRC covers that
			}
			leaving := false
			err = verify(changedWAL{w, s + 1, func(file []byte) {
				leaving = file[2]&1 != 0 // else a record ends with this segment
				file[40] ^= 1
			}}, f, s, tli)
			assert.Equal(t, leaving, err != nil, "at the end of segment %d: %v", s, err)
			if leaving {
				assert.ErrorContains(t, err, "checksum")
			}

			first, err := r.FindNextRecord(t.Context(), f.Geometry.SegStart(s))
			require.NoError(t, err)
			damaged := changedWAL{w, f.Geometry.SegNo(first), func(file []byte) { file[int(first)%len(file)+20] ^= 1 }}
			assert.ErrorContains(t, verify(damaged, f, s, tli), "checksum", "record at %s", first)
		}
	})
}
