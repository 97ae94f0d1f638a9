package lost_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/lost"
	"github.com/gorewind/gorewind/walreader"
)

// BenchmarkScan shows what the visitor costs: WAL of small records, all of them
// lost, without and with it.
func BenchmarkScan(b *testing.B) {
	f := waltest.Format("17")
	f.Geometry.WALSegSize = 16 << 20
	w := waltest.NewBuilder(f)
	w.Checkpoint(0x10, w.Pos()+40)
	fork := w.Pos()
	for i := uint32(0); len(w.Buf) < 64<<20; i++ {
		w.Add(waltest.Insert(waltest.HeapTable, i/60))
		if i%4 == 0 {
			w.Add(waltest.Transaction{XID: i}.Record(waltest.InfoCommit, &f.Version.WAL))
		}
	}
	segs, end := w.Segments(), w.Pos()
	for name, visitor := range map[string]func() walreader.Visitor{
		"without": nil,
		"with":    func() walreader.Visitor { return lost.NewVisitor(f, fork) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(w.Buf)))
			b.ReportAllocs()
			for b.Loop() {
				_, err := walreader.Scan(b.Context(), segs, f, walreader.ScanRequest{Fork: fork, End: end, Visitor: visitor})
				require.NoError(b, err)
			}
		})
	}
}
