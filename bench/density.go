package main

import (
	"fmt"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
)

// densities are tables of the same size in which a percentage of random blocks changed.
// They show when it is cheaper to write changed blocks in place, and when to write a new
// file.
var densities = []*scenario{density(1), density(5), density(10), density(25), density(40), density(60), density(80), density(100)}

// density returns the scenario for a percentage.
func density(percent int) *scenario {
	return &scenario{
		name: fmt.Sprintf("D%d", percent), about: fmt.Sprintf("in a table in which %d %% of the blocks changed, from a live source", percent),
		unit: "MB", small: 250, full: 1000,
		build: func(t *scope, in *cluster.Installation, size int64) *pair {
			old := primary(t, in, nil)
			blocks(t, old, size*mb)
			return split(t, old, func() {}, func() {
				old.SetConf(t, map[string]string{"full_page_writes": "off"}) // no page images: only the copying is measured
				old.Reload(t)
				old.Checkpoint(t)
				old.Exec(t, fmt.Sprintf("UPDATE blocks SET changed = changed + 1 WHERE id %% 8 = 0 AND abs(hashint4(id)::bigint) %% 100 < %d", percent))
			})
		},
		contestants: whoRewinds,
	}
}
