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

	"github.com/gorewind/gorewind/internal/waltest"
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
	last := lastPage(w.Format)
	page := func(segs *waltest.Segments, s pgdata.SegNo, n int) []byte { return segs.Files[s][n*8192:][:8192] }
	// The record that leaves segment 3 ends in segment 4.
	next := firstAfter(w, w.Format.Geometry.SegStart(4))
	leaving := w.Records[next-1]
	require.Less(t, leaving.LSN, w.Format.Geometry.SegStart(4))
	require.Greater(t, leaving.End, w.Format.Geometry.SegStart(4)+40)

	for _, c := range []struct {
		name   string
		damage func(segs *waltest.Segments)
		s      pgdata.SegNo
		tli    pgdata.TimelineID
		err    error // nil: it is good
		text   string
	}{
		{"as it was written", func(*waltest.Segments) {}, 3, 1, nil, ""},
		{"of an older timeline than the name says, which ends later", func(*waltest.Segments) {}, 3, 2, nil, ""},
		{"on two timelines", func(segs *waltest.Segments) {
			setTimeline(segs.Files[3], w.Format, 50, last+1, 2)
			setTimeline(segs.Files[4], w.Format, 0, last+1, 2)
		}, 3, 2, nil, ""},
		{"with a next one of a newer timeline", func(segs *waltest.Segments) { setTimeline(segs.Files[4], w.Format, 0, last+1, 2) }, 3, 1, nil, ""},
		{"without its neighbours", func(segs *waltest.Segments) { delete(segs.Files, 2); delete(segs.Files, 4) }, 3, 1, nil, ""},

		{"missing", func(segs *waltest.Segments) { delete(segs.Files, 3) }, 3, 1, fs.ErrNotExist, "file does not exist"},
		{"short", func(segs *waltest.Segments) { segs.Files[3] = segs.Files[3][:1<<19] }, 3, 1, walreader.ErrCorrupt, "too short"},
		{"not written to its end", func(*waltest.Segments) {}, w.Format.Geometry.SegNo(w.Pos()), 1, walreader.ErrEndOfWAL, "invalid record length"},
		{"zeros at its end", func(segs *waltest.Segments) { clear(page(segs, 3, last)) }, 3, 1, walreader.ErrTornRecord, "invalid magic number 0000"},
		{"recycled from another place", func(segs *waltest.Segments) { segs.Files[3] = segs.Files[4] }, 3, 1, walreader.ErrEndOfWAL, "unexpected pageaddr"},
		{"another place's page in its middle", func(segs *waltest.Segments) {
			copy(page(segs, 3, 60), page(segs, 2, 60))
		}, 3, 1, walreader.ErrTornRecord, "unexpected pageaddr"},
		{"of another cluster", func(segs *waltest.Segments) { segs.Files[3][24] ^= 1 }, 3, 1, walreader.ErrCorrupt, "different database system"},

		{"first page of a newer timeline", func(segs *waltest.Segments) { setTimeline(segs.Files[3], w.Format, 0, 1, 2) }, 3, 1, walreader.ErrCorrupt, "timeline ID 2, newer than 1"},
		{"last page of a newer timeline", func(segs *waltest.Segments) { setTimeline(segs.Files[3], w.Format, last, last+1, 2) }, 3, 1, walreader.ErrCorrupt, "timeline ID 2, newer than 1"},
		{"all pages of a newer timeline, as are the next ones", func(segs *waltest.Segments) {
			setTimeline(segs.Files[3], w.Format, 0, last+1, 2)
			setTimeline(segs.Files[4], w.Format, 0, last+1, 2)
		}, 3, 1, walreader.ErrCorrupt, "timeline ID 2, newer than 1"},
		{"timeline that goes back", func(segs *waltest.Segments) { setTimeline(segs.Files[3], w.Format, 50, 51, 2) }, 3, 2, walreader.ErrTornRecord, "out-of-sequence timeline ID 1"},
		{"timeline that goes back in the next one", func(segs *waltest.Segments) { setTimeline(segs.Files[3], w.Format, last, last+1, 2) }, 3, 2, walreader.ErrTornRecord, "out-of-sequence timeline ID 1"},
		{"timeline that goes back after the one before", func(segs *waltest.Segments) { setTimeline(segs.Files[2], w.Format, last, last+1, 2) }, 3, 2, walreader.ErrTornRecord, "out-of-sequence timeline ID 1"},

		{"next one recycled", func(segs *waltest.Segments) { segs.Files[4] = segs.Files[2] }, 3, 1, walreader.ErrTornRecord, "unexpected pageaddr"},
		{"record at the boundary damaged in its own segment", func(segs *waltest.Segments) { segs.At(w.Format.Geometry.SegStart(4) - 1)[0] ^= 1 }, 3, 1, walreader.ErrCorrupt, "incorrect resource manager data checksum"},
		{"record at the boundary damaged in the next segment", func(segs *waltest.Segments) { segs.Files[4][40] ^= 1 }, 3, 1, walreader.ErrCorrupt, "incorrect resource manager data checksum"},
		{"record at the boundary damaged, seen from the segment it ends in", func(segs *waltest.Segments) { segs.Files[4][40] ^= 1 }, 4, 1, walreader.ErrCorrupt, "incorrect resource manager data checksum"},
		{"record at the boundary that does not go on", func(segs *waltest.Segments) { segs.Files[4][2] &^= 1 }, 3, 1, walreader.ErrCorrupt, "there is no contrecord flag"},
		{"first record linked to another one than the last of the segment before", func(segs *waltest.Segments) {
			rec := w.Records[next]
			waltest.Seal(segs.At(rec.LSN)[:rec.Length], w.Records[next-2].LSN)
		}, 4, 1, walreader.ErrCorrupt, "incorrect prev-link"},
		{"record linked to another one than that before it", func(segs *waltest.Segments) {
			rec := w.Records[next+5]
			waltest.Seal(segs.At(rec.LSN)[:rec.Length], rec.Prev-8)
		}, 4, 1, walreader.ErrCorrupt, "incorrect prev-link"},
	} {
		t.Run(c.name, func(t *testing.T) {
			segs := w.Segments()
			c.damage(segs)
			err := verify(segs, w.Format, c.s, c.tli)
			assert.Zero(t, segs.Open)
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
	next := firstAfter(w, w.Format.Geometry.SegStart(4))
	for _, c := range []struct {
		name   string
		damage func(segs *waltest.Segments)
		err    error // nil: it is good
	}{
		{"as it was written", func(*waltest.Segments) {}, nil},
		{"without the segment before", func(segs *waltest.Segments) { delete(segs.Files, 3) }, nil},
		{"damaged before the boundary", func(segs *waltest.Segments) { segs.At(w.Format.Geometry.SegStart(4) - 1)[0] ^= 1 }, walreader.ErrCorrupt},
		{"damaged behind the boundary", func(segs *waltest.Segments) { segs.Files[4][40] ^= 1 }, walreader.ErrCorrupt},
		{"segment before recycled", func(segs *waltest.Segments) { segs.Files[3] = segs.Files[2] }, walreader.ErrEndOfWAL},
		{"first record linked to another one", func(segs *waltest.Segments) {
			rec := w.Records[next]
			waltest.Seal(segs.At(rec.LSN)[:rec.Length], w.Records[next-2].LSN)
		}, walreader.ErrCorrupt},
		{"damaged later", func(segs *waltest.Segments) { segs.At(w.Records[next+1].LSN)[20] ^= 1 }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			segs := w.Segments()
			c.damage(segs)
			err := walreader.VerifyStart(t.Context(), segs, w.Format, 4)
			assert.Zero(t, segs.Open)
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
	segs := w.Segments()
	setTimeline(segs.Files[3], w.Format, 50, 51, 7)
	page := func(n int) pgdata.LSN { return w.Format.Geometry.SegStart(3) + pgdata.LSN(n*8192) }
	for n, want := range map[int]pgdata.TimelineID{49: 1, 50: 7, 51: 1} {
		tli, err := walreader.PageTimeline(t.Context(), segs, w.Format, page(n))
		require.NoError(t, err)
		assert.Equal(t, want, tli, "page %d", n)
	}
	segs.Files[3] = segs.Files[2]
	_, err := walreader.PageTimeline(t.Context(), segs, w.Format, page(50))
	assert.ErrorContains(t, err, "unexpected pageaddr")
	assert.Zero(t, segs.Open)
}

// TestSegmentsOfAllShapesAreProved has records that are longer than a segment, that
// were abandoned, and switches, at random.
func TestSegmentsOfAllShapesAreProved(t *testing.T) {
	rnd := seeded(t)
	for _, version := range []string{"9.6", "13", "18"} {
		f := waltest.Format(version)
		f.Geometry.WALBlockSize = 1 << (10 + rnd.IntN(7))
		w := randomWAL(rnd, f, 8<<20)
		segs := w.Segments()
		last := f.Geometry.SegNo(lastEnd(w) - 1)
		for s := f.Geometry.SegNo(w.Start); s < last; s++ {
			require.NoError(t, verify(segs, f, s, pgdata.TimelineID(w.TLI)), "%s, segment %d, pages of %d", version, s, f.Geometry.WALBlockSize)
			if first := firstAfter(w, f.Geometry.SegStart(s)); first >= 0 && f.Geometry.SegNo(w.Records[first].LSN) == s {
				require.NoError(t, walreader.VerifyStart(t.Context(), segs, f, s), "%s, segment %d, pages of %d", version, s, f.Geometry.WALBlockSize)
			}
			alone := w.Segments()
			alone.Files = map[pgdata.SegNo][]byte{s: alone.Files[s]}
			require.NoError(t, verify(alone, f, s, pgdata.TimelineID(w.TLI)), "%s, segment %d alone, pages of %d", version, s, f.Geometry.WALBlockSize)
		}
	}
}

func TestEveryDamagedByteOfARecordIsFound(t *testing.T) {
	rnd := seeded(t)
	w, _ := longWAL("17")
	segs := w.Segments()
	begin := w.Format.Geometry.SegStart(3)
	end := begin + pgdata.LSN(w.Format.Geometry.WALSegSize)
	// From the record that enters the segment to the one that leaves it.
	first, last := firstAfter(w, begin)-1, firstAfter(w, end)
	for tried := 0; tried < 300; {
		rec := w.Records[first+rnd.IntN(last-first)]
		at := rec.LSN + pgdata.LSN(rnd.IntN(int(rec.End-rec.LSN)))
		header := pgdata.LSN(24)
		if at%pgdata.LSN(w.Format.Geometry.WALSegSize) < 40 {
			header = 40
		}
		if at%8192 < header || rec.End-at < 8 {
			continue // a page header, of which not all is used, or padding
		}
		tried++
		bit := byte(1) << rnd.IntN(8)
		segs.At(at)[0] ^= bit
		assert.Error(t, verify(segs, w.Format, 3, 1), "bit %02X at %s in the record at %s", bit, at, rec.LSN)
		segs.At(at)[0] ^= bit
	}
	assert.NoError(t, verify(segs, w.Format, 3, 1))
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
	file := make([]byte, w.Control.Geometry.WALSegSize)
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
			tli := w.History.TimelineOf(f.Geometry, s)
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
