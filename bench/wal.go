package main

import (
	"fmt"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
)

// pageImages is much WAL after the divergence, most of it page images.
var pageImages = &scenario{
	name: "W1", about: "of divergent WAL with many page images, analysis only", unit: "MB", small: 300, full: 1200,
	build: func(t *scope, in *cluster.Installation, size int64) *pair {
		old := primary(t, in, nil)
		blocks(t, old, min(64, size/2)*mb)
		return split(t, old, func() {}, func() {
			for begin := old.InsertLSN(t); int64(old.InsertLSN(t)-begin) < size*mb; {
				old.Checkpoint(t)
				change(t, old, 1)
			}
		})
	},
	contestants: func(*pair) []contestant { return []contestant{theirsDry, oursDry} },
	goals:       []goal{{of: oursDry.name, than: theirsDry.name, measure: wall, limit: 0.25}},
	grows:       oursDry.name,
}

const (
	oneCore = "gorewind -n, one core"
	waldump = "pg_waldump -q"
)

// smallRecords is many small records between the last common checkpoint and the
// divergence: 107 bytes on average, two for each row.
var smallRecords = &scenario{
	name: "W2", about: "of small records before the divergence, analysis only", unit: "MB", small: 400, full: 700,
	build: func(t *scope, in *cluster.Installation, size int64) *pair {
		old := primary(t, in, map[string]string{"wal_keep_size": "64GB"}) // for the standby, too, which otherwise could not follow
		old.Exec(t, "CREATE TABLE small (id bigserial PRIMARY KEY, filler text)")
		return split(t, old, func() {
			for begin := old.InsertLSN(t); int64(old.InsertLSN(t)-begin) < size*mb; {
				old.Exec(t, "INSERT INTO small (filler) SELECT repeat('x', 80) FROM generate_series(1, 20000)")
			}
		}, func() {})
	},
	contestants: func(p *pair) []contestant {
		return []contestant{
			theirsDry, oursDry,
			{name: oneCore, program: "gorewind", dry: true, variant: true, env: []string{"GOMAXPROCS=1"}},
			{name: waldump, program: "pg_waldump", dry: true, options: []string{
				"-q", "-t", "1", "-s", p.common.String(), "-e", lastCheckpoint(p).String(),
				"-p", fmt.Sprintf("%s/%s", p.target.Dir, p.target.In.Version.WALDir),
			}},
		}
	},
	goals: []goal{
		{of: oursDry.name, than: theirsDry.name, measure: wall, limit: 0.15},
		{of: oursDry.name, than: waldump, measure: wall, limit: 1},
		{of: oneCore, than: waldump, measure: wall, limit: 1 / 0.8}, // 0.8 of its speed
	},
	grows: oursDry.name,
}
