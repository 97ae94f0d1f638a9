package main

import (
	"fmt"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
)

// tablesPerDatabase limits the tables that are created one by one; databases are then copied.
const tablesPerDatabase = 5000

// manyFiles is many relation files and two changed rows.
var manyFiles = &scenario{
	name: "F", about: "with relations, two changed rows", unit: "files", small: 40_000, full: 100_000,
	build: func(t *scope, in *cluster.Installation, files int64) *pair {
		old := primary(t, in, map[string]string{"max_locks_per_transaction": "256", "wal_keep_size": "64MB"})
		old.Exec(t, "CREATE DATABASE files0")
		tables := min(files, tablesPerDatabase)
		const step = 500
		for n := int64(0); n < tables; n += step {
			old.ExecIn(t, "files0", fmt.Sprintf(`DO $$ BEGIN FOR n IN %d..%d LOOP
				EXECUTE 'CREATE TABLE t' || n || ' AS SELECT 1 AS x'; END LOOP; END $$`, n, min(n+step, tables)-1))
		}
		// The first reader of a row sets a hint bit that its transaction committed, once that is
		// durable; if pages have checksums, the page is logged. If only the check of the results
		// did that, it would cause nearly all of the source's new WAL.
		old.Checkpoint(t)
		contents(t, old)
		for n := int64(1); n < files/tables; n++ {
			old.Exec(t, fmt.Sprintf("CREATE DATABASE files%d TEMPLATE files0", n))
		}
		old.Checkpoint(t)
		return split(t, old, func() {}, func() {
			old.ExecIn(t, "files0", "UPDATE t1 SET x = 2", "UPDATE t2 SET x = 2")
		})
	},
	contestants: func(*pair) []contestant {
		listing, ourListing := theirsDry, oursDry
		listing.variant, ourListing.variant = true, true
		return []contestant{theirs, ours, listing, ourListing}
	},
	goals: []goal{
		{of: ours.name, than: theirs.name, measure: wall, limit: 0.2},
		{of: ours.name, than: theirs.name, measure: peak, limit: 1},
		{of: ours.name, measure: fetched, limit: 2 * mb},
	},
	grows: oursDry.name, // lists the files
}
