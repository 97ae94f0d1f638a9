package filemap_test

import (
	"fmt"
	"log"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// The source's listing comes first, then the target's with what its WAL says of
// it.
func ExampleBuilder() {
	b := filemap.NewBuilder(filemap.Rules{
		Version:    pgdata.VersionByName("17"),
		Geometry:   pgdata.Geometry{BlockSize: 8192, RelSegBlocks: 131072, WALBlockSize: 8192, WALSegSize: 16 << 20},
		Divergence: 0x5000060,
	})
	for _, f := range []pgdata.FileInfo{
		{Path: "base", Type: pgdata.Directory},
		{Path: "base/5", Type: pgdata.Directory},
		{Path: "pg_xact", Type: pgdata.Directory},
		{Path: "base/5/16384", Type: pgdata.Regular, Size: 5 * 8192},
		{Path: "base/5/16390", Type: pgdata.Regular, Size: 8192},
		{Path: "pg_xact/0000", Type: pgdata.Regular, Size: 8192},
	} {
		if err := b.AddSource(f); err != nil {
			log.Fatal(err)
		}
	}
	changed := pgdata.ChangedBlocks{}
	changed.Add(pgdata.Geometry{RelSegBlocks: 131072}, pgdata.RelFileLocator{Tablespace: pgdata.DefaultTablespace, Database: 5, Relation: 16384}, 2)
	for _, f := range []pgdata.FileInfo{
		{Path: "base", Type: pgdata.Directory},
		{Path: "base/5", Type: pgdata.Directory},
		{Path: "pg_xact", Type: pgdata.Directory},
		{Path: "base/5/16384", Type: pgdata.Regular, Size: 4 * 8192},
		{Path: "base/5/16400", Type: pgdata.Regular, Size: 8192},
		{Path: "pg_xact/0000", Type: pgdata.Regular, Size: 8192},
	} {
		if err := b.AddTarget(f, changed); err != nil {
			log.Fatal(err)
		}
	}
	plan := b.Plan()
	for _, e := range plan.Entries {
		blocks := 0
		if e.Blocks != nil {
			blocks = e.Blocks.Len()
		}
		fmt.Printf("%s %s: %s, %d changed blocks\n", e.Action, e.Path, e.Reason, blocks)
	}
	fmt.Println("bytes to fetch:", plan.FetchBytes())
	// Output:
	// COPY base/5/16390: not on the target, 0 changed blocks
	// COPY pg_xact/0000: not described by WAL, 0 changed blocks
	// COPY_TAIL base/5/16384: longer on the source, 1 changed blocks
	// REMOVE base/5/16400: not on the source, 0 changed blocks
	// bytes to fetch: 32768
}
