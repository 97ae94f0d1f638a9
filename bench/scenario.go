package main

import (
	"fmt"
	"maps"
	"strings"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
	"github.com/gorewind/gorewind/internal/pgtest/proxy"
	"github.com/gorewind/gorewind/pgdata"
)

// scenario is a diverged target and source, and the programs that rewind the target.
type scenario struct {
	name, about string
	unit        string // of sizes: MB, which are 1 << 20 bytes, or files
	small, full int64  // sizes
	build       func(t *scope, in *cluster.Installation, size int64) *pair
	contestants func(p *pair) []contestant
	goals       []goal
	grows       string // the contestant whose times are shown for growing sizes; empty for none
}

var scenarios = append([]*scenario{pageImages, smallRecords, manyFiles, scatteredLive, scatteredFar, scatteredStopped, appended, liveSource, sparseSource, distantSource, sparseDistantSource, stoppedSource, comparedSource, comparedDistantSource, comparedDirectory, changedByBoth, hashes}, densities...)

func (sc *scenario) describe(size int64) string {
	return fmt.Sprintf("%d %s %s", size, sc.unit, sc.about)
}

// pair is a stopped target and the source that took over.
type pair struct {
	target, source *cluster.Cluster
	sourceArgs     []string     // a contestant's options for the source
	stopped        bool         // the source is stopped, too
	wire           *proxy.Proxy // between the contestants and the source, which counts their bytes; nil if there is none
	common         pgdata.LSN   // the redo point of the last common checkpoint
}

// conninfo is the connection string of a running source.
func (p *pair) conninfo() string { return strings.TrimPrefix(p.sourceArgs[0], "--source-server=") }

// contestant is a program with options that is measured.
type contestant struct {
	name    string
	program string   // gorewind, pg_rewind or pg_waldump
	options []string // for a rewind, those for the target and the source are added
	env     []string
	dry     bool // changes nothing, so it needs no copy of the target
	variant bool // a variant of another contestant, whose result is checked
	other   bool // not a rewind, but what people do instead
}

func (c contestant) rewinds() bool { return c.program != "pg_waldump" }

// The contestants of most scenarios.
var (
	theirs    = contestant{name: "pg_rewind", program: "pg_rewind"}
	ours      = contestant{name: "gorewind", program: "gorewind"}
	inPlace   = contestant{name: "gorewind --in-place", program: "gorewind", options: []string{"--in-place"}}
	theirsDry = contestant{name: "pg_rewind -n", program: "pg_rewind", dry: true}
	oursDry   = contestant{name: "gorewind -n", program: "gorewind", dry: true}
)

// goal is what a contestant should reach: its measure must be at most limit times
// that of another contestant, or at most limit if there is no other.
type goal struct {
	of, than string
	measure  measure
	limit    float64
}

// mb is the unit of sizes.
const mb = 1 << 20

// primary creates a server with enough memory and time between checkpoints.
func primary(t *scope, in *cluster.Installation, conf map[string]string) *cluster.Cluster {
	all := map[string]string{
		"shared_buffers": "256MB", "max_wal_size": "64GB", "min_wal_size": "32MB", "wal_recycle": "off",
		"wal_keep_size": "16MB", "synchronous_commit": "off", "max_parallel_workers_per_gather": "0",
	}
	maps.Copy(all, conf)
	c := in.InitCluster(t, cluster.Options{Conf: all})
	c.Start(t)
	return c
}

// split creates a standby of a primary and promotes it after the shared changes. Then
// each side changes something: the old primary, which is now the target, by calling
// diverge.
func split(t *scope, old *cluster.Cluster, shared, diverge func()) *pair {
	old.Exec(t, "CREATE TABLE sides (side text)", "INSERT INTO sides VALUES ('both')", "CHECKPOINT")
	standby := old.Standby(t)
	old.SetConf(t, map[string]string{"wal_keep_size": "64GB"}) // the target keeps it for the contestants to read
	old.Reload(t)
	old.Checkpoint(t)
	common, err := pgdata.ParseLSN(old.QueryString(t, "SELECT redo_lsn FROM pg_control_checkpoint()"))
	t.must(err)
	shared()
	standby.WaitCaughtUp(t, old)
	standby.Promote(t)
	standby.Exec(t, "INSERT INTO sides VALUES ('source')", "CHECKPOINT") // pg_rewind needs a checkpoint on the new timeline
	old.Exec(t, "INSERT INTO sides VALUES ('target')")
	diverge()
	old.Stop(t, cluster.Fast)
	return &pair{
		target: old, source: standby, common: common,
		sourceArgs: []string{"--source-server=" + standby.ConnString("postgres")},
	}
}

// blocks creates a table of that many bytes with eight wide rows in every block and
// room for another version of one of them.
func blocks(t *scope, c *cluster.Cluster, size int64) {
	const rows = 8
	c.Exec(t,
		"CREATE TABLE blocks (id int, changed int, filler text) WITH (fillfactor = 90)",
		"ALTER TABLE blocks ALTER filler SET STORAGE PLAIN")
	const step = 100_000
	for id, end := int64(0), size/blockSize*rows; id < end; id += step {
		c.Exec(t, fmt.Sprintf("INSERT INTO blocks SELECT g, 0, repeat(md5(g::text), 25) FROM generate_series(%d, %d) g", id, min(id+step, end)-1))
	}
	c.Exec(t, "VACUUM (FREEZE) blocks", "CHECKPOINT")
}

const blockSize = 8192

// change updates a row in each block whose number is a multiple of every.
func change(t *scope, c *cluster.Cluster, every int) {
	c.Exec(t, fmt.Sprintf("UPDATE blocks SET changed = changed + 1 WHERE id %% %d = 0", 8*every))
}
