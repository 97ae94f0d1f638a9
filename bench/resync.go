package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
	"github.com/gorewind/gorewind/internal/pgtest/proxy"
)

// The contestants for targets whose WAL does not show what differs.
var (
	resync     = contestant{name: "gorewind --resync", program: "gorewind", options: []string{"--resync"}}
	compareAll = contestant{name: "gorewind --resync=compare", program: "gorewind", options: []string{"--resync=compare"}, other: true}
	changes    = contestant{name: "gorewind --resync=changes", program: "gorewind", options: []string{"--resync=changes"}, other: true}
	backup     = contestant{name: "pg_basebackup", program: "pg_basebackup", other: true}
	rsyncer    = contestant{name: "rsync --checksum", program: "rsync", other: true}
)

// withoutOldWAL removes the target's WAL.
func withoutOldWAL(t *scope, p *pair) {
	segments, err := filepath.Glob(filepath.Join(p.target.Dir, p.target.In.Version.WALDir, strings.Repeat("[0-9A-F]", 24)))
	t.must(err)
	for _, s := range segments {
		t.must(os.Remove(s))
	}
}

// comparedSource is a target without WAL in which one block in a hundred differs.
var comparedSource = &scenario{
	name: "R", about: "of changed blocks, one in a hundred, and no WAL, from a live source", unit: "MB", small: 10, full: 40,
	build: changed(100, withoutOldWAL), contestants: func(*pair) []contestant { return []contestant{backup, resync} },
	goals: []goal{
		{of: resync.name, than: backup.name, measure: wall, limit: 0.8},
		{of: resync.name, than: backup.name, measure: written, limit: 0.05},
	},
	grows: resync.name,
}

// comparedDistantSource is the same over a network of 1 Gbit/s with a round trip of 1 ms.
var comparedDistantSource = &scenario{
	name: "R1", about: "of changed blocks, one in a hundred, and no WAL, at 1 Gbit/s and 1 ms round trip", unit: "MB", small: 10, full: 40,
	build: changed(100, func(t *scope, p *pair) {
		withoutOldWAL(t, p)
		p.wire = proxy.Before(t, p.source)
		p.wire.Delay(time.Millisecond / 2)
		p.wire.Bandwidth(1e9 / 8)
		p.sourceArgs = []string{"--source-server=" + p.wire.ConnString("postgres", "postgres")}
	}),
	contestants: func(*pair) []contestant { return []contestant{backup, resync} },
	goals: []goal{
		{of: resync.name, than: backup.name, measure: wall, limit: 0.35},
		{of: resync.name, than: backup.name, measure: wire, limit: 0.03},
	},
}

// comparedDirectory is the same from a stopped source on this machine.
var comparedDirectory = &scenario{
	name: "RL", about: "of changed blocks, one in a hundred, and no WAL, from a stopped local source", unit: "MB", small: 10, full: 40,
	build: changed(100, func(t *scope, p *pair) {
		withoutOldWAL(t, p)
		stopSource(t, p)
	}),
	contestants: func(*pair) []contestant {
		if !rsyncer.installed() {
			return []contestant{resync} // rsync is not installed
		}
		return []contestant{rsyncer, resync}
	},
	goals: rsyncer.goalsIfInstalled(goal{of: resync.name, than: rsyncer.name, measure: wall, limit: 0.5}),
}

// changedByBoth is a standby that fell behind. What the source changed since is in WAL
// summaries if the major has them and the WAL is gone, otherwise in the WAL.
var changedByBoth = &scenario{
	name: "RB", about: "of changed blocks, one in a hundred, by what both sides changed", unit: "MB", small: 10, full: 40,
	build: func(t *scope, in *cluster.Installation, size int64) *pair {
		conf := map[string]string{"wal_keep_size": "64GB"}
		if in.SummarizesWAL() {
			conf = map[string]string{"summarize_wal": "on"}
		}
		source := primary(t, in, conf)
		blocks(t, source, size*mb*100)
		target := source.Standby(t)
		source.Exec(t, "CREATE TABLE sides AS SELECT 'both' AS side", "CHECKPOINT")
		target.WaitCaughtUp(t, source)
		target.Stop(t, cluster.Fast)
		change(t, source, 100)
		for range 3 {
			source.Exec(t, "INSERT INTO sides VALUES ('source')")
			source.SwitchWAL(t)
			source.Checkpoint(t)
		}
		return &pair{target: target, source: source, sourceArgs: []string{"--source-server=" + source.ConnString("postgres")}}
	},
	contestants: func(*pair) []contestant { return []contestant{compareAll, changes} },
	goals: []goal{
		{of: changes.name, than: compareAll.name, measure: wall, limit: 0.1},
		{of: changes.name, measure: readShare, limit: 2},
	},
	grows: changes.name,
}

// installed reports whether the program is in the path.
func (c contestant) installed() bool {
	_, err := exec.LookPath(c.program)
	return err == nil
}

// goalsIfInstalled are goals that only exist if the contestant is installed.
func (c contestant) goalsIfInstalled(goals ...goal) []goal {
	if !c.installed() {
		return nil
	}
	return goals
}

// backUp takes a base backup into a new directory next to the target's copy.
func (c *contest) backUp(one contestant) sample {
	dir := filepath.Join(filepath.Dir(c.fresh().Dir), "backup")
	defer func() { _ = os.RemoveAll(dir) }()
	_ = exec.Command("sync").Run()
	s, _, err := timed(c.path(one.program), []string{
		"-D", dir, "-c", "fast", "-X", "stream", "-d", c.conninfo(),
	}, one.env)
	c.t.must(err)
	return s
}

// sync makes a target a copy of the source with the file-copying contestant, and waits for the disk.
func (c *contest) sync(one contestant) sample {
	target := c.fresh()
	_ = exec.Command("sync").Run()
	s, _, err := timed("/bin/sh", []string{"-c", `rsync -a --checksum --inplace --delete "$0/" "$1/" && sync -f "$1"`, c.source.Dir, target.Dir}, one.env)
	c.t.must(err)
	return s
}
