package filemap_test

import (
	"fmt"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// What a rewind would remove, and how much it would copy. The plan is that of
// rewind.Plan's field Files.
func ExamplePlan() {
	changed := new(pgdata.BlockSet)
	changed.Add(2)
	plan := &filemap.Plan{
		Geometry: pgdata.Geometry{BlockSize: 8192, RelSegBlocks: 131072, WALBlockSize: 8192, WALSegSize: 16 << 20},
		WALDir:   "pg_wal",
		Entries: []filemap.Entry{
			{Path: "pg_xact/0000", Type: pgdata.Regular, Action: filemap.Copy, Reason: filemap.NotARelation, SourceSize: 8192, TargetSize: 8192},
			{Path: "base/5/16384", Type: pgdata.Regular, Action: filemap.None, Reason: filemap.ChangedBlocks, SourceSize: 40960, TargetSize: 40960, Blocks: changed},
			{Path: "base/5/16400", Type: pgdata.Regular, Action: filemap.Remove, Reason: filemap.OnlyOnTarget, TargetSize: 8192},
		},
	}
	for i := range plan.Entries {
		e := &plan.Entries[i]
		fmt.Printf("%s %s (%s)\n", e.Action, e.Path, e.Reason)
		for part := range e.Runs(plan.Geometry) {
			fmt.Printf("  %d bytes from %d on\n", part.Length, part.Offset)
		}
	}
	fmt.Printf("%d bytes of %d files\n", plan.FetchBytes(), plan.FetchFiles())
	// Output:
	// COPY pg_xact/0000 (not described by WAL)
	// NONE base/5/16384 (changed on the target)
	//   8192 bytes from 16384 on
	// REMOVE base/5/16400 (not on the source)
	// 16384 bytes of 2 files
}
