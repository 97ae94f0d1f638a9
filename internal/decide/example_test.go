package decide_test

import (
	"fmt"
	"iter"
	"log"
	"slices"

	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/pgdata"
)

// listing is what source.Dir.Files gives, and other sources too.
func listing(files ...pgdata.FileInfo) iter.Seq2[pgdata.FileInfo, error] {
	return func(yield func(pgdata.FileInfo, error) bool) {
		for _, f := range files {
			if !yield(f, nil) {
				return
			}
		}
	}
}

// The plan is made of two listings and what the target's WAL says.
func ExampleDecide() {
	rules := decide.Rules{
		Version:  pgdata.VersionByName("17"),
		Geometry: pgdata.Geometry{BlockSize: 8192, RelSegBlocks: 131072, WALBlockSize: 8192, WALSegSize: 16 << 20},
	}
	both := []pgdata.FileInfo{
		{Path: "base", Type: pgdata.Directory},
		{Path: "base/5", Type: pgdata.Directory},
		{Path: "global", Type: pgdata.Directory},
		{Path: "global/pg_control", Type: pgdata.Regular, Size: 8192},
		{Path: "pg_wal", Type: pgdata.Directory},
		{Path: "pg_xact", Type: pgdata.Directory},
		{Path: "PG_VERSION", Type: pgdata.Regular, Size: 3},
		{Path: "pg_xact/0000", Type: pgdata.Regular, Size: 8192},
	}
	source := listing(append(slices.Clone(both),
		pgdata.FileInfo{Path: "base/5/16384", Type: pgdata.Regular, Size: 5 * 8192},
		pgdata.FileInfo{Path: "base/5/16390", Type: pgdata.Regular, Size: 8192},
	)...)
	target := listing(append(slices.Clone(both),
		pgdata.FileInfo{Path: "base/5/16384", Type: pgdata.Regular, Size: 4 * 8192},
		pgdata.FileInfo{Path: "base/5/16400", Type: pgdata.Regular, Size: 8192},
	)...)
	changed := pgdata.ChangedBlocks{}
	changed.Add(pgdata.Geometry{RelSegBlocks: 131072}, pgdata.RelFileLocator{Tablespace: pgdata.DefaultTablespace, Database: 5, Relation: 16384}, 2)
	plan, err := decide.Decide(rules, decide.Facts{Changed: pgdata.Changes{Blocks: changed}}, source, target)
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
