package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// The contestants that let a server compute hashes, each over one connection.
var (
	asked  = contestant{name: "gorewind, one connection", program: "hash", other: true}
	inSQL  = contestant{name: "psql, pieces of 64 kB", program: "psql", options: []string{"65536"}, other: true}
	inSQL1 = contestant{name: "psql, pieces of 1 MB", program: "psql", options: []string{"1048576"}, other: true}
)

// hashes compares how fast a server computes the hashes of a comparison with its own
// limit: a loop on the server whose results stay there.
var hashes = &scenario{
	name: "H", about: "of a relation, of which the server computes hashes", unit: "MB", small: 500, full: 1000,
	build: func(t *scope, in *cluster.Installation, size int64) *pair {
		c := primary(t, in, nil)
		blocks(t, c, size*mb)
		return &pair{target: c, source: c}
	},
	contestants: func(*pair) []contestant { return []contestant{inSQL, inSQL1, asked} },
	goals: []goal{ // 0.9 of the rate
		{of: asked.name, than: inSQL.name, measure: wall, limit: 1 / 0.9},
		{of: asked.name, than: inSQL1.name, measure: wall, limit: 1 / 0.9},
	},
}

// loop lets psql make the server compute hashes of the relation's file.
func (c *contest) loop(one contestant) sample {
	sql := fmt.Sprintf(`SELECT count(sha256(pg_read_binary_file(pg_relation_filepath('blocks'), at, %s)))
		FROM generate_series(0, pg_relation_size('blocks') - 1, %[1]s) at`, one.options[0])
	s, _, err := timed(c.path(one.program), []string{"-d", c.source.ConnString("postgres"), "-Atqc", sql}, one.env)
	c.t.must(err)
	return s
}

// ask computes the hashes as a comparison does.
func (c *contest) ask() sample {
	ctx := context.Background()
	path := c.source.QueryString(c.t, "SELECT pg_relation_filepath('blocks')")
	file, err := os.Stat(filepath.Join(c.source.Dir, path))
	c.t.must(err)
	size := file.Size()
	begun := time.Now()
	src, err := pgsource.Open(ctx, c.source.ConnString("postgres"), pgsource.Options{Jobs: 1})
	c.t.must(err)
	defer src.Close()
	const piece = 64 << 10
	c.t.must(src.Hash(ctx, func(yield func(source.Range) bool) {
		for at := int64(0); at < size && yield(source.Range{Path: path, Offset: at, Length: piece}); at += piece {
		}
	}, func(source.Range, []byte) error { return nil }))
	return sample{wall: time.Since(begun)}
}
