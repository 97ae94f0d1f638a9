package walreader_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// benchmarkWAL is WAL of small records, as a load of single-row inserts with an
// index writes it.
func benchmarkWAL(size int) (w *builder, segs *memSegments) {
	f := format("17")
	f.Geometry.WALSegSize = 16 << 20
	w = newBuilder(f)
	w.checkpoint(0x10, w.pos()+40)
	table, index := heapTable, heapTable
	index.Relation++
	for i := uint32(0); len(w.buf) < size; i++ {
		w.add(insert(table, i/60))
		s := insert(index, i/300)
		s.rmgr, s.blocks[0].data = 11, make([]byte, 16)
		w.add(s)
		if i%4 == 0 {
			w.add(spec{rmgr: 1, xid: i, main: make([]byte, 8)}) // commit
		}
	}
	return w, w.segments()
}

func BenchmarkDecode(b *testing.B) {
	w, segs := benchmarkWAL(64 << 20)
	r := walreader.NewReader(segs, w.f)
	defer func() { _ = r.Close() }()
	b.SetBytes(int64(len(w.buf)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range r.Records(context.Background(), w.start, w.pos()) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		require.Equal(b, len(w.records), n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(w.records)), "ns/record")
}

func BenchmarkScan(b *testing.B) {
	w, segs := benchmarkWAL(64 << 20)
	fork := w.records[len(w.records)/2].LSN
	for _, jobs := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			b.SetBytes(int64(len(w.buf)))
			b.ReportAllocs()
			for b.Loop() {
				res, err := walreader.Scan(context.Background(), segs, w.f, walreader.ScanRequest{Fork: fork, End: w.pos(), Jobs: jobs})
				require.NoError(b, err)
				require.Equal(b, int64(len(w.records)), res.Records)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(w.records)), "ns/record")
		})
	}
}

// BenchmarkVerifySegment is on one processor, of small records and of page images.
func BenchmarkVerifySegment(b *testing.B) {
	small, smallSegs := benchmarkWAL(40 << 20)
	images := newBuilder(small.f)
	for n := uint32(0); len(images.buf) < 40<<20; n++ {
		s := insert(heapTable, n)
		s.blocks[0].image = make([]byte, 8192)
		images.add(s)
	}
	for name, segs := range map[string]*memSegments{"small": smallSegs, "images": images.segments()} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(small.f.Geometry.WALSegSize))
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, walreader.VerifySegment(context.Background(), segs, small.f, 2, 1))
			}
		})
	}
}

// BenchmarkScanEndless scans more WAL than there is memory for, if -benchtime is
// long enough: each step is a gigabyte. Most of its time goes into making it.
func BenchmarkScanEndless(b *testing.B) {
	f := format("17")
	f.Geometry.WALSegSize = 16 << 20
	e := newEndlessWAL(f)
	b.SetBytes(1 << 30)
	b.ReportAllocs()
	end := f.Geometry.SegStart(e.first + pgdata.SegNo(64*b.N))
	b.ResetTimer()
	res, err := walreader.Scan(context.Background(), e, f, walreader.ScanRequest{Fork: f.Geometry.SegStart(e.first + 1), End: end})
	require.NoError(b, err)
	require.Equal(b, e.first, res.FirstSegment)
}

// BenchmarkReadRecord jumps about, as whoever follows links backwards does.
func BenchmarkReadRecord(b *testing.B) {
	w, segs := benchmarkWAL(32 << 20)
	r := walreader.NewReader(segs, w.f)
	defer func() { _ = r.Close() }()
	i := len(w.records)
	for b.Loop() {
		if i--; i < 0 {
			i = len(w.records) - 1
		}
		rec, err := r.ReadRecord(context.Background(), w.records[i].LSN)
		if err != nil || rec.Prev >= rec.LSN {
			b.Fatal(err)
		}
	}
}
