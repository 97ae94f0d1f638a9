package decide_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/pgdata"
)

// manyFiles is a listing of n relation files in directories of up to 100,000,
// unsorted, as from a file system.
func manyFiles(n int) []pgdata.FileInfo {
	files := []pgdata.FileInfo{dir("base"), dir("global"), dir("pg_wal"), file("PG_VERSION", 3)}
	for i := range n {
		const perDir = 100_000
		if i%perDir == 0 {
			files = append(files, dir(fmt.Sprintf("base/%d", 16384+i/perDir)))
		}
		files = append(files, file(fmt.Sprintf("base/%d/%d", 16384+i/perDir, 20000+i%perDir*7919%perDir), int64(i%3+1)*8192))
	}
	return files
}

const million = 1_000_000

func BenchmarkPlanningAMillionFiles(b *testing.B) {
	files := manyFiles(million)
	seg := pgdata.RelSegment{Locator: pgdata.RelFileLocator{Tablespace: pgdata.DefaultTablespace, Database: 16384, Relation: 20007}}
	b.ReportAllocs()
	for b.Loop() {
		builder := decide.NewBuilder(decide.Rules{Version: pgdata.VersionByName("17"), Geometry: geometry})
		for _, f := range files {
			if err := errors.Join(builder.AddSource(f), builder.AddTarget(f)); err != nil {
				b.Fatal(err)
			}
		}
		require.NoError(b, builder.EndSource())
		plan, err := builder.Plan(decide.Facts{Changed: pgdata.Changes{Blocks: pgdata.ChangedBlocks{seg: blocks(0)}}})
		require.NoError(b, err)
		require.Len(b, plan.Entries, 1)
	}
	b.ReportMetric(float64(b.N)*2*million/b.Elapsed().Seconds(), "files/s")
}

func BenchmarkListingAMillionFiles(b *testing.B) {
	files := manyFiles(million)
	b.ReportAllocs()
	for b.Loop() {
		var l decide.Listing
		for _, f := range files {
			if err := l.Add(f); err != nil {
				b.Fatal(err)
			}
		}
		require.Equal(b, len(files), l.Len())
	}
	b.ReportMetric(float64(b.N)*million/b.Elapsed().Seconds(), "files/s")
}
