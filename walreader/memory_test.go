package walreader_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// endlessWAL is any number of segments, made while they are read: all are one
// template, whose addresses, links and CRCs are set to those of their place.
type endlessWAL struct {
	f        walreader.Format
	first    pgdata.SegNo
	template []byte
	records  []templateRecord
	firstOn  []int // index of the first record of each page

	opened atomic.Int64
	live   atomic.Uint64 // most bytes in use while it was read, if they are looked at
	look   bool
}

type templateRecord struct {
	at, length, prev int    // places in the template; a prev of -1 is in the segment before
	crc              uint32 // of the body
}

// newEndlessWAL creates a template of records that do not cross pages.
func newEndlessWAL(f walreader.Format) *endlessWAL {
	w := waltest.NewBuilder(f)
	last := -1
	e := &endlessWAL{f: f, first: f.Geometry.SegNo(w.Start)}
	for n := uint32(0); len(w.Buf) < int(f.Geometry.WALSegSize); n++ {
		e.firstOn = append(e.firstOn, len(w.Records))
		if n == 0 {
			w.Checkpoint(0x10, w.Start+40)
		}
		for w.SpaceOnPage() > 2000 {
			l := waltest.HeapTable
			l.Relation += n % 3
			s := waltest.Insert(l, n*97%40_000)
			s.Main = make([]byte, 900)
			w.Add(s)
		}
		w.Fill(0)
	}
	e.template = w.Buf
	for _, r := range w.Records {
		at := int(r.LSN - w.Start)
		e.records = append(e.records, templateRecord{
			at, int(r.Length), last,
			crc32.Checksum(w.Buf[at+24:at+int(r.Length)], crc32.MakeTable(crc32.Castagnoli)),
		})
		last = at
	}
	return e
}

func (e *endlessWAL) OpenSegment(_ context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	if e.look && e.opened.Add(1)%50 == 0 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		e.live.Store(max(e.live.Load(), m.HeapAlloc)) // a race loses one look
	}
	return endlessSegment{e, s}, nil
}

type endlessSegment struct {
	*endlessWAL
	no pgdata.SegNo
}

func (s endlessSegment) Name() string { return fmt.Sprint("segment ", s.no) }
func (endlessSegment) Close() error   { return nil }

func (s endlessSegment) ReadAt(p []byte, off int64) (int, error) {
	n := copy(p, s.template[off:])
	var (
		le        = binary.LittleEndian
		table     = crc32.MakeTable(crc32.Castagnoli)
		start     = s.f.Geometry.SegStart(s.no)
		blockSize = int(s.f.Geometry.WALBlockSize)
		begin     = int(off) / blockSize
		end       = begin + n/blockSize
	)
	for page := begin; page < end; page++ {
		le.PutUint64(p[page*blockSize-int(off)+8:], uint64(start)+uint64(page*blockSize))
	}
	for _, r := range s.records[s.firstOn[begin]:] {
		if r.at >= int(off)+n {
			break
		}
		rec := p[r.at-int(off):][:r.length]
		prev := uint64(start) + uint64(r.prev)
		if r.prev < 0 {
			prev = uint64(start) - uint64(s.f.Geometry.WALSegSize) + uint64(s.records[len(s.records)-1].at)
		}
		if rec[17] == 0 && s.no != s.first {
			rec[16] = 0x20 // only the first segment has the checkpoint
		}
		le.PutUint64(rec[8:], prev)
		le.PutUint32(rec[20:], crc32.Update(r.crc, table, rec[:20]))
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// scan scans that many segments and returns what it allocated.
func (e *endlessWAL) scan(t testing.TB, segments int) (allocated uint64) {
	end := e.f.Geometry.SegStart(e.first + pgdata.SegNo(segments))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	res, err := walreader.Scan(context.Background(), e, e.f, walreader.ScanRequest{Fork: e.f.Geometry.SegStart(e.first + 1), End: end, Jobs: 3})
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Equal(t, e.first, res.FirstSegment)
	require.Equal(t, int64(segments*len(e.records)), res.Records)
	return after.TotalAlloc - before.TotalAlloc
}

func TestScanningMoreWALTakesNoMoreMemory(t *testing.T) {
	e := newEndlessWAL(waltest.Format("17"))
	const few, more = 20, 1000 // so many that it does not count how many were in work at a time
	small, large := e.scan(t, few), e.scan(t, few+more)
	t.Logf("%d bytes for %d segments, %d for %d", small, few, large, few+more)
	// What remains is the opening of files and handing out of work, which is garbage at once.
	assert.Less(t, (int64(large)-int64(small))/more, int64(2<<10), "bytes allocated per segment")
}

// BenchmarkScanMemory shows that memory does not grow with WAL.
func BenchmarkScanMemory(b *testing.B) {
	f := waltest.Format("17")
	f.Geometry.WALSegSize = 16 << 20
	e := newEndlessWAL(f)
	e.look = true
	for _, gb := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%dGB", gb), func(b *testing.B) {
			b.SetBytes(int64(gb) << 30)
			e.live.Store(0)
			for b.Loop() {
				e.scan(b, gb<<30/(16<<20))
			}
			b.ReportMetric(float64(e.live.Load())/(1<<20), "MB-in-use")
		})
	}
}
