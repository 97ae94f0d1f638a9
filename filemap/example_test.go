package filemap_test

import (
	"fmt"
	"log"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// The two listings are collected in any order, and the plan is made of them and
// what the target's WAL says.
func ExampleBuilder() {
	b := filemap.NewBuilder(filemap.Rules{
		Version:  pgdata.VersionByName("17"),
		Geometry: pgdata.Geometry{BlockSize: 8192, RelSegBlocks: 131072, WALBlockSize: 8192, WALSegSize: 16 << 20},
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
	for _, f := range []pgdata.FileInfo{
		{Path: "base", Type: pgdata.Directory},
		{Path: "base/5", Type: pgdata.Directory},
		{Path: "pg_xact", Type: pgdata.Directory},
		{Path: "base/5/16384", Type: pgdata.Regular, Size: 4 * 8192},
		{Path: "base/5/16400", Type: pgdata.Regular, Size: 8192},
		{Path: "pg_xact/0000", Type: pgdata.Regular, Size: 8192},
	} {
		if err := b.AddTarget(f); err != nil {
			log.Fatal(err)
		}
	}
	changed := pgdata.ChangedBlocks{}
	changed.Add(pgdata.Geometry{RelSegBlocks: 131072}, pgdata.RelFileLocator{Tablespace: pgdata.DefaultTablespace, Database: 5, Relation: 16384}, 2)
	plan, err := b.Plan(filemap.Facts{Changed: pgdata.Changes{Blocks: changed}})
	if err != nil {
		log.Fatal(err)
	}
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
