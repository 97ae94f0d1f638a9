package main

import (
	"fmt"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
)

// rowsPerAccountsBlock is how many rows pgbench -i puts into a block of
// pgbench_accounts.
const rowsPerAccountsBlock = 61

// accounts creates pgbench_accounts as pgbench -i does, of size bytes, and returns its
// number of rows.
func accounts(t *scope, c *cluster.Cluster, size int64) (rows int64) {
	rows = size / blockSize * rowsPerAccountsBlock
	c.Exec(t, "CREATE TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84))")
	const step = 1_000_000
	for aid := int64(1); aid <= rows; aid += step {
		c.Exec(t, fmt.Sprintf("INSERT INTO pgbench_accounts SELECT g, 1 + g / 100000, 0, '' FROM generate_series(%d, %d) g", aid, min(aid+step-1, rows)))
	}
	c.Exec(t, "ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid)", "VACUUM (FREEZE) pgbench_accounts", "CHECKPOINT")
	return rows
}

// updateAtRandom updates random rows of pgbench_accounts, as pgbench does.
func updateAtRandom(t *scope, c *cluster.Cluster, rows, updates int64) {
	const transactions = 20
	c.Exec(t, "SELECT setseed(0.5)")
	for range transactions {
		c.Exec(t, fmt.Sprintf(`UPDATE pgbench_accounts SET abalance = abalance + 1
			WHERE aid = ANY (ARRAY(SELECT 1 + floor(random() * %d)::int FROM generate_series(1, %d)))`, rows, updates/transactions))
	}
}

// scattered is a table of size MB after random updates: 200,000 for the 1.28 GB of
// pgbench's scale 100. Seven blocks in ten are changed, in runs of three or four.
func scattered(finish func(t *scope, p *pair)) func(t *scope, in *cluster.Installation, size int64) *pair {
	return func(t *scope, in *cluster.Installation, size int64) *pair {
		old := primary(t, in, nil)
		rows := accounts(t, old, size*mb)
		p := split(t, old, func() {}, func() { updateAtRandom(t, old, rows, size*mb/blockSize*200/164) })
		if finish != nil {
			finish(t, p)
		}
		return p
	}
}

// scatteredLive, scatteredFar and scatteredStopped are tables after pgbench.
var (
	scatteredLive = &scenario{
		name: "P", about: "of pgbench's table after random updates, from a live source", unit: "MB", small: 320, full: 1280,
		build: scattered(nil), contestants: whoRewindsAndFloor,
		goals: []goal{
			{of: ours.name, than: theirs.name, measure: wall, limit: 0.75},
			{of: inPlace.name, than: theirs.name, measure: wall, limit: 0.5},
		},
		grows: ours.name,
	}
	scatteredFar = &scenario{
		name: "P10", about: "of pgbench's table after random updates, at 10 ms round trip", unit: "MB", small: 320, full: 1280,
		build: scattered(farAway), contestants: whoRewindsAndFloor,
		goals: []goal{{of: ours.name, than: theirs.name, measure: wall, limit: 0.3}},
	}
	scatteredStopped = &scenario{
		name: "PL", about: "of pgbench's table after random updates, from a stopped local source", unit: "MB", small: 320, full: 1280,
		build: scattered(stopSource), contestants: whoRewindsAndFloor,
		goals: []goal{{of: ours.name, than: theirs.name, measure: wall, limit: 0.6}},
	}
	appended = &scenario{
		name: "A", about: "of a table that grows, updated at its end, with three kinds of indexes, from a live source", unit: "MB", small: 320, full: 1280,
		build: appending, contestants: whoRewindsAndFloor,
		goals: []goal{{of: ours.name, than: theirs.name, measure: wall, limit: 0.75}},
	}
)

// appending is a table that grows and whose newest rows are updated repeatedly, with
// a B-tree, a GIN and a hash index.
func appending(t *scope, in *cluster.Installation, size int64) *pair {
	const rowSize = 400 // including index entries
	old := primary(t, in, nil)
	old.Exec(t, "CREATE TABLE events (id int, kind int, tags int[], payload text)")
	rows := size * mb / rowSize
	add := func(c *cluster.Cluster, from, n int64) {
		c.Exec(t, fmt.Sprintf("INSERT INTO events SELECT g, 0, ARRAY[g %% 1000, g %% 77], repeat(md5(g::text), 6) FROM generate_series(%d, %d) g", from, from+n-1))
	}
	touch := func(c *cluster.Cluster, from, every int64) {
		c.Exec(t, fmt.Sprintf("UPDATE events SET kind = kind + 1, tags = tags || kind WHERE id >= %d AND id %% %d = 0", from, every))
	}
	add(old, 0, rows)
	old.Exec(t, "CREATE INDEX ON events (id)", "CREATE INDEX ON events USING gin (tags)", "CREATE INDEX ON events USING hash (payload)")
	touch(old, rows/2, 3) // bloat
	old.Exec(t, "VACUUM events", "CHECKPOINT")
	p := split(t, old, func() {}, func() {
		add(old, rows, rows/20)
		touch(old, rows*9/10, 2)
	})
	add(p.source, rows, rows/40)
	touch(p.source, rows*19/20, 3)
	p.source.Checkpoint(t)
	return p
}
