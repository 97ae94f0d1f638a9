package walreader_test

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// scene is WAL of three segments in which something is then changed.
type scene struct {
	*waltest.Segments
	last     waltest.Built // ends on a page with much room
	crossing waltest.Built // starts on the page before that of last and ends on it
}

// newScene fills one segment and half of the next with records of one page and
// ends with two records.
func newScene(version string) (*waltest.Builder, *scene) {
	w := waltest.NewBuilder(waltest.Format(version))
	w.Checkpoint(0, w.Pos()+40)
	for len(w.Buf) < 3<<19 {
		w.Add(waltest.Message(5000))
	}
	w.Fill(1000)
	s := &scene{}
	s.crossing = w.Add(waltest.Message(3000))
	s.last = w.Add(waltest.Message(500))
	s.Segments = w.Segments()
	return w, s
}

// page is the page that contains lsn.
func (s *scene) page(lsn pgdata.LSN) []byte {
	return s.At(s.Format.Geometry.PageStart(lsn))[:s.Format.Geometry.WALBlockSize]
}

func put16(b []byte, n uint16) { binary.LittleEndian.PutUint16(b, n) }
func put32(b []byte, n uint32) { binary.LittleEndian.PutUint32(b, n) }
func put64(b []byte, n uint64) { binary.LittleEndian.PutUint64(b, n) }

func TestThreeAnswers(t *testing.T) {
	type answer struct {
		name   string
		change func(s *scene)
		at     func(s *scene) pgdata.LSN // where reading ends
		err    error
		reason string
	}
	crossing := func(s *scene) pgdata.LSN { return s.crossing.LSN }
	last := func(s *scene) pgdata.LSN { return s.last.LSN }
	behind := func(s *scene) pgdata.LSN { return s.last.End }
	secondSegment := func(s *scene) pgdata.LSN { return s.Format.Geometry.SegStart(2) }
	endOfWAL, torn, corrupt := walreader.ErrEndOfWAL, walreader.ErrTornRecord, walreader.ErrCorrupt

	for _, c := range []answer{
		{
			"zeros behind the last record are the end", func(*scene) {}, behind, endOfWAL,
			"invalid record length at 0/2829E0: expected at least 24, got 0",
		},
		{
			"a hole before a record that is there is the end", func(s *scene) { clear(s.At(s.crossing.LSN)[:8]) },
			crossing, endOfWAL, "expected at least 24, got 0",
		},
		{
			"a record that continues on a page of zeros is torn", func(s *scene) { clear(s.page(s.last.LSN)) },
			crossing, torn, "invalid magic number 0000 in WAL segment 000000010000000000000002, LSN 0/282000, offset 532480",
		},
		{
			"a record that continues on a recycled page is torn", func(s *scene) { put64(s.page(s.last.LSN)[8:], 0x182000) },
			crossing, torn, "unexpected pageaddr 0/182000 in WAL segment 000000010000000000000002, LSN 0/282000, offset 532480",
		},
		{
			"a record that continues on a page recycled from a later segment is torn",
			func(s *scene) { put64(s.page(s.last.LSN)[8:], 0x1900082000) }, crossing, torn, "unexpected pageaddr 19/82000",
		},
		{
			"a record that continues on a copy of an earlier page is torn", func(s *scene) { put64(s.page(s.last.LSN)[8:], 0x280000) },
			crossing, torn, "unexpected pageaddr 0/280000",
		},
		{
			"a record that continues on a page of an older timeline is torn", func(s *scene) { put32(s.page(s.last.LSN)[4:], 0) },
			crossing, torn, "out-of-sequence timeline ID 0 (after 1)",
		},
		{
			"an overwriting page without a record is the end", func(s *scene) {
				put16(s.page(s.last.LSN)[2:], s.Format.Version.WAL.OverwriteFlag)
				clear(s.page(s.last.LSN)[24:])
			},
			func(s *scene) pgdata.LSN { return s.Format.Geometry.PageStart(s.last.LSN) + 24 }, endOfWAL, "got 0",
		},
		{
			"an overwriting page must tell so in its first record", func(s *scene) {
				put16(s.page(s.last.LSN)[2:], s.Format.Version.WAL.OverwriteFlag)
				copy(s.page(s.last.LSN)[24:], waltest.Seal(waltest.Message(100).Encode(s.Format.Version), s.crossing.Prev))
			},
			func(s *scene) pgdata.LSN { return s.Format.Geometry.PageStart(s.last.LSN) + 24 }, corrupt, "disagree",
		},
		{
			"an overwriting record must name the abandoned one", func(s *scene) {
				put16(s.page(s.last.LSN)[2:], s.Format.Version.WAL.OverwriteFlag)
				rec := waltest.Record{Info: 0xD0, Main: binary.LittleEndian.AppendUint64(make([]byte, 0, 16), uint64(s.crossing.LSN-8))}
				rec.Main = rec.Main[:16]
				copy(s.page(s.last.LSN)[24:], waltest.Seal(rec.Encode(s.Format.Version), s.crossing.Prev))
			},
			func(s *scene) pgdata.LSN { return s.Format.Geometry.PageStart(s.last.LSN) + 24 },
			corrupt, "mismatching overwritten LSN 0/281C10 -> 0/281C18",
		},
		{
			"an overwriting record on a page that does not overwrite is corrupt", func(s *scene) {
				rec := waltest.Record{Info: 0xD0, Main: make([]byte, 16)}
				put64(rec.Main, uint64(s.crossing.LSN))
				copy(s.At(s.last.LSN), waltest.Seal(rec.Encode(s.Format.Version), s.crossing.LSN))
			},
			last, corrupt, "disagree",
		},
		{
			"a length below that of the header is corrupt", func(s *scene) { put32(s.At(s.last.LSN), 23) },
			last, corrupt, "invalid record length at 0/2827E8: expected at least 24, got 23",
		},
		{
			"a length above any record's is corrupt", func(s *scene) { put32(s.At(s.last.LSN), 1<<30) },
			last, corrupt, "expected at most 1073741823, got 1073741824",
		},
		{
			"a length that the next page does not confirm is corrupt", func(s *scene) { put32(s.At(s.crossing.LSN), 1<<29) },
			crossing, corrupt, "invalid contrecord length 2000 (expected 536869912) at 0/282000",
		},
		{
			"a record that continues on a page without a continuation is corrupt", func(s *scene) { put16(s.page(s.last.LSN)[2:], 0) },
			crossing, corrupt, "there is no contrecord flag at 0/282000",
		},
		{
			"an unknown resource manager is corrupt", func(s *scene) { s.At(s.last.LSN)[17] = 22 },
			last, corrupt, "invalid resource manager ID 22 at 0/2827E8",
		},
		{
			"a wrong link to the record before is corrupt", func(s *scene) { put64(s.At(s.last.LSN)[8:], uint64(s.crossing.LSN-8)) },
			last, corrupt, "record with incorrect prev-link 0/281C10 at 0/2827E8",
		},
		{
			"a wrong bit in the data is corrupt", func(s *scene) { s.At(s.last.LSN)[100] ^= 4 },
			last, corrupt, "incorrect resource manager data checksum in record at 0/2827E8",
		},
		{
			"a wrong bit on the second page of a record is corrupt", func(s *scene) { s.page(s.last.LSN)[100] ^= 4 },
			crossing, corrupt, "incorrect resource manager data checksum in record at 0/281C18",
		},
		{
			"a page of zeros with something on it is corrupt", func(s *scene) {
				clear(s.page(s.last.LSN))
				s.page(s.last.LSN)[8191] = 1
			},
			crossing, corrupt, "invalid magic number 0000",
		},
		{
			"another major's page is corrupt", func(s *scene) { put16(s.page(s.last.LSN), 0xD118) },
			crossing, corrupt, "invalid magic number D118",
		},
		{
			"unknown page flags are corrupt", func(s *scene) { put16(s.page(s.last.LSN)[2:], 0x0011) },
			crossing, corrupt, "invalid info bits 0011",
		},
		{
			"a long header within a segment is corrupt", func(s *scene) { put16(s.page(s.last.LSN)[2:], 0x0003) },
			crossing, corrupt, "invalid info bits 0003",
		},
		{
			"a page address of no recycled file is corrupt", func(s *scene) { put64(s.page(s.last.LSN)[8:], 0x18A000) },
			crossing, corrupt, "unexpected pageaddr 0/18A000",
		},
		{
			"a short header at the start of a segment is corrupt", func(s *scene) { put16(s.Files[2][2:], 0x0001) },
			secondSegment, corrupt, "invalid info bits 0001",
		},
		{
			"another system's segment is corrupt", func(s *scene) { put64(s.Files[2][24:], 1) },
			secondSegment, corrupt, "its system identifier is 1, the control file's is 7000000000000000001",
		},
		{
			"another segment size is corrupt", func(s *scene) { put32(s.Files[2][32:], 2<<20) },
			secondSegment, corrupt, "incorrect segment size 2097152",
		},
		{
			"another WAL block size is corrupt", func(s *scene) { put32(s.Files[2][36:], 4096) },
			secondSegment, corrupt, "incorrect XLOG_BLCKSZ 4096",
		},
		{
			"a segment file that is too short is corrupt", func(s *scene) { s.Files[2] = s.Files[2][:500_000] },
			nil, corrupt, "WAL segment 000000010000000000000002 is too short: 500000 bytes instead of 1048576",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, s := newScene("17")
			c.change(s)
			got, err := readAll(s, s.Format, w.Start, 0)
			var e *walreader.Error
			require.ErrorAs(t, err, &e)
			for _, sentinel := range []error{endOfWAL, torn, corrupt} {
				assert.Equal(t, errors.Is(c.err, sentinel), errors.Is(err, sentinel), "%v: %v", sentinel, err)
			}
			assert.Contains(t, err.Error(), c.reason)
			assert.NotEmpty(t, e.File)
			assertSame(t, w.Records[:len(got)], got)
			if c.at == nil {
				return
			}
			at := c.at(s)
			if at == s.Format.Geometry.SegStart(2) { // the record that continues there
				at = w.Records[len(got)].LSN
			}
			assert.Equal(t, at.String(), e.LSN.String(), "the position that is reported")

			if _, again := walreader.NewReader(s, s.Format).ReadRecord(context.Background(), at); c.reason != "" {
				if c.name == "a wrong link to the record before is corrupt" {
					return // a single record's link is only known to point back
				}
				if c.name == "an overwriting record must name the abandoned one" {
					return // what was abandoned is only known to what reads on
				}
				assert.ErrorIs(t, again, c.err, "read by itself")
			}
		})
	}
}

func TestSplitHeadersAreChecked(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	w.Fill(8)
	rec := w.Add(waltest.Message(500))
	segs := w.Segments()
	segs.At(w.Format.Geometry.PageStart(rec.End) + 24 + 9)[0] = 99 // resource manager
	_, err := readAll(segs, w.Format, w.Start, 0)
	assert.ErrorIs(t, err, walreader.ErrCorrupt)
	assert.ErrorContains(t, err, "invalid resource manager ID 99 at 0/101FF8")
}

func TestPositionsWhereNoRecordCanStart(t *testing.T) {
	w, s := newScene("17")
	page := s.Format.Geometry.PageStart(s.last.LSN)
	for name, at := range map[string]pgdata.LSN{
		"inside a page header":                page + 1,
		"at the end of a long header's start": w.Start + 24,
		"behind the header of a continuation": page + 24,
		"at the start of a continuation":      page,
		"not at a multiple of eight":          s.last.LSN + 1,
		"within a record":                     s.last.LSN + 64,
		"at an impossible position":           1 << 63,
		"behind the header of a record":       s.last.LSN + 24,
	} {
		t.Run(name, func(t *testing.T) {
			r := walreader.NewReader(s, s.Format)
			_, err := r.ReadRecord(context.Background(), at)
			assert.ErrorIs(t, err, walreader.ErrCorrupt)
			_, err = r.ReadRecord(context.Background(), s.last.LSN)
			assert.NoError(t, err, "the reader works on")
		})
	}
}

func TestDamageIsFoundInTheSegmentWhereTheRecordStarts(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	rec := w.Add(waltest.Message(2_500_000))
	segs := w.Segments()
	segs.At(rec.End - 8)[0] ^= 1
	_, err := readAll(segs, w.Format, w.Start, 0)
	var e *walreader.Error
	require.ErrorAs(t, err, &e)
	assert.ErrorIs(t, err, walreader.ErrCorrupt)
	assert.Equal(t, "000000010000000000000001", e.File)
	assert.Equal(t, int64(40), e.Offset)

	put16(segs.Files[2][8192+2:], 0)
	_, err = readAll(segs, w.Format, w.Start, 0)
	require.ErrorAs(t, err, &e)
	assert.Equal(t, rec.LSN, e.LSN)
	assert.Equal(t, "000000010000000000000002", e.File, "where a page is wrong")
	assert.Equal(t, int64(8192), e.Offset)
}

func TestASegmentIsJudgedAgainAfterItsFirstPageFailed(t *testing.T) {
	_, s := newScene("17")
	put64(s.Files[2][24:], 1)
	r := walreader.NewReader(s, s.Format)
	for _, at := range []pgdata.LSN{s.Format.Geometry.SegStart(2), s.last.LSN} {
		_, err := r.ReadRecord(context.Background(), at)
		assert.ErrorContains(t, err, "its system identifier is 1")
	}
}

func TestTheFirstPageOfASegmentIsCheckedWhenEnteredInItsMiddle(t *testing.T) {
	_, s := newScene("17")
	put64(s.Files[2][24:], 1)
	_, err := walreader.NewReader(s, s.Format).ReadRecord(context.Background(), s.last.LSN)
	assert.ErrorIs(t, err, walreader.ErrCorrupt)
	assert.ErrorContains(t, err, "its system identifier is 1")

	f := s.Format
	f.SystemIdentifier = 0
	_, err = walreader.NewReader(s, f).ReadRecord(context.Background(), s.last.LSN)
	assert.NoError(t, err, "without a system identifier none is checked")
}

func TestTimelineMayGoUpOnly(t *testing.T) {
	for _, c := range []struct {
		name   string
		change []uint32 // timelines of the second and the third page
		ok     bool
	}{
		{"up on the second page", []uint32{2, 2}, true},
		{"up twice", []uint32{2, 7}, true},
		{"up and down", []uint32{2, 1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := waltest.NewBuilder(waltest.Format("17"))
			w.Add(waltest.Message(20_000))
			segs := w.Segments()
			put32(segs.Files[1][8192+4:], c.change[0])
			put32(segs.Files[1][2*8192+4:], c.change[1])
			_, err := readAll(segs, w.Format, w.Start, w.Pos())
			if c.ok {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, walreader.ErrTornRecord)
			}
		})
	}
}

func TestAbandonedRecordReadByItselfIsTorn(t *testing.T) {
	for _, version := range []string{"13", "19"} { // both generations of the flag
		w := waltest.NewBuilder(waltest.Format(version))
		w.Add(waltest.Message(100))
		abandoned, overwrite := w.Abandon(waltest.Message(30_000), 1)
		w.Add(waltest.Message(100))
		assertReads(t, w)
		r := walreader.NewReader(w.Segments(), w.Format)
		_, err := r.ReadRecord(context.Background(), abandoned)
		assert.ErrorIs(t, err, walreader.ErrTornRecord)
		assert.ErrorContains(t, err, "abandoned and overwritten at "+w.Format.Version.FormatLSN(overwrite.LSN-24))
		_, err = r.ReadRecord(context.Background(), overwrite.LSN)
		assert.NoError(t, err)
	}
}

func TestRemovableFlagIsNotAnOverwrite(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("18"))
	w.Add(waltest.Message(20_000))
	segs := w.Segments()
	for page := 0; page < 3; page++ { // as servers up to 18 mark most pages
		segs.Files[1][page*8192+2] |= 0x04
	}
	_, err := readAll(segs, w.Format, w.Start, w.Pos())
	assert.NoError(t, err)
}

func TestErrorTellsLSNsAsItsVersionDoes(t *testing.T) {
	for version, want := range map[string]string{
		"18": "could not read WAL record at 0/100028: invalid record length at 0/100028: expected at least 24, got 0",
		"19": "could not read WAL record at 0/00100028: invalid record length at 0/00100028: expected at least 24, got 0",
	} {
		w := waltest.NewBuilder(waltest.Format(version))
		w.Header(0, 0)
		_, err := readAll(w.Segments(), w.Format, w.Start, 0)
		assert.EqualError(t, err, want)
	}
}

func TestPageHeadersThatContradictEachOther(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(second, third []byte) // pages that continue a record
		err    error
		reason string
	}{
		{"third page without a continuation", func(_, third []byte) { put16(third[2:], 0) }, walreader.ErrCorrupt, "no contrecord flag at 0/104000"},
		{"second page that leaves nothing for the third", func(second, _ []byte) { put32(second[16:], 8168) }, walreader.ErrCorrupt, "invalid contrecord length"},
		{"third page with another remaining length", func(_, third []byte) { put32(third[16:], 8) }, walreader.ErrCorrupt, "invalid contrecord length 8"},
		{"continuation of nothing", func(second, _ []byte) { put32(second[16:], 0) }, walreader.ErrCorrupt, "invalid contrecord length 0"},
		{"continuation of more than any record", func(second, _ []byte) { put32(second[16:], 1<<31) }, walreader.ErrCorrupt, "invalid contrecord length"},
		{"third page of zeros", func(_, third []byte) { clear(third) }, walreader.ErrTornRecord, "invalid magic number 0000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := waltest.NewBuilder(waltest.Format("17"))
			w.Add(waltest.Message(30_000))
			w.Add(waltest.Message(100))
			segs := w.Segments()
			c.change(segs.Files[1][8192:2*8192], segs.Files[1][2*8192:3*8192])
			_, err := walreader.NewReader(segs, w.Format).FindNextRecord(context.Background(), w.Start+8192)
			assert.ErrorIs(t, err, c.err)
			assert.ErrorContains(t, err, c.reason)
		})
	}
}
