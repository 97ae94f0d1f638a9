package walreader_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/lost"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// benchmarkWAL is WAL of small records, as a load of single-row inserts with an
// index writes it.
func benchmarkWAL(size int) (w *waltest.Builder, segs *waltest.Segments) {
	f := waltest.Format("17")
	f.Geometry.WALSegSize = 16 << 20
	w = waltest.NewBuilder(f)
	w.Checkpoint(0x10, w.Pos()+40)
	table, index := waltest.HeapTable, waltest.HeapTable
	index.Relation++
	for i := uint32(0); len(w.Buf) < size; i++ {
		w.Add(waltest.Insert(table, i/60))
		s := waltest.Insert(index, i/300)
		s.Rmgr, s.Blocks[0].Data = 11, make([]byte, 16)
		w.Add(s)
		if i%4 == 0 {
			w.Add(waltest.Record{Rmgr: 1, XID: i, Main: make([]byte, 8)}) // commit
		}
	}
	return w, w.Segments()
}

func BenchmarkDecode(b *testing.B) {
	w, segs := benchmarkWAL(64 << 20)
	r := walreader.NewReader(segs, w.Format)
	defer func() { _ = r.Close() }()
	b.SetBytes(int64(len(w.Buf)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range r.Records(context.Background(), w.Start, w.Pos()) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		require.Equal(b, len(w.Records), n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(w.Records)), "ns/record")
}

// BenchmarkScan scans as a rewind does, which also wants to know what is lost.
func BenchmarkScan(b *testing.B) {
	w, segs := benchmarkWAL(64 << 20)
	fork := w.Records[len(w.Records)/2].LSN
	for _, jobs := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			b.SetBytes(int64(len(w.Buf)))
			b.ReportAllocs()
			for b.Loop() {
				res, err := walreader.Scan(context.Background(), segs, w.Format, walreader.ScanRequest{
					Fork: fork, End: w.Pos(), Jobs: jobs, Visitor: func() walreader.Visitor { return lost.NewVisitor(w.Format, fork) },
				})
				require.NoError(b, err)
				require.Equal(b, int64(len(w.Records)), res.Records)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(w.Records)), "ns/record")
		})
	}
}

// BenchmarkVerifySegment is on one processor, of small records and of page images.
func BenchmarkVerifySegment(b *testing.B) {
	small, smallSegs := benchmarkWAL(40 << 20)
	images := waltest.NewBuilder(small.Format)
	for n := uint32(0); len(images.Buf) < 40<<20; n++ {
		s := waltest.Insert(waltest.HeapTable, n)
		s.Blocks[0].Image = make([]byte, 8192)
		images.Add(s)
	}
	for name, segs := range map[string]*waltest.Segments{"small": smallSegs, "images": images.Segments()} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(small.Format.Geometry.WALSegSize))
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, walreader.VerifySegment(context.Background(), segs, small.Format, 2, 1))
			}
		})
	}
}

// BenchmarkScanEndless scans more WAL than there is memory for, if -benchtime is
// long enough: each step is a gigabyte. Most of its time goes into making it.
func BenchmarkScanEndless(b *testing.B) {
	f := waltest.Format("17")
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

// BenchmarkReadRecord reads in random order, like following links backwards.
func BenchmarkReadRecord(b *testing.B) {
	w, segs := benchmarkWAL(32 << 20)
	r := walreader.NewReader(segs, w.Format)
	defer func() { _ = r.Close() }()
	i := len(w.Records)
	for b.Loop() {
		if i--; i < 0 {
			i = len(w.Records) - 1
		}
		rec, err := r.ReadRecord(context.Background(), w.Records[i].LSN)
		if err != nil || rec.Prev >= rec.LSN {
			b.Fatal(err)
		}
	}
}
