package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gorewind/gorewind/internal/pgtest"
)

// The contestants where WAL does not tell what differs.
var (
	resync  = contestant{name: "gorewind --resync", program: "gorewind", options: []string{"--resync"}}
	backup  = contestant{name: "pg_basebackup", program: "pg_basebackup", other: true}
	rsyncer = contestant{name: "rsync --checksum", program: "rsync", other: true}
)

// forgetful takes the target's WAL away.
func forgetful(t *scope, p *pair) {
	segments, err := filepath.Glob(filepath.Join(p.target.Dir, p.target.In.Version.WALDir, strings.Repeat("[0-9A-F]", 24)))
	t.must(err)
	for _, s := range segments {
		t.must(os.Remove(s))
	}
}

// comparedSource is a target without WAL of which one block in a hundred differs.
var comparedSource = &scenario{
	name: "R", about: "of changed blocks, one in a hundred, and no WAL, from a live source", unit: "MB", small: 10, full: 40,
	build: changed(100, forgetful), contestants: func(*pair) []contestant { return []contestant{backup, resync} },
	goals: []goal{{of: resync.name, than: backup.name, measure: wall, limit: 0.8}}, grows: resync.name,
}

// comparedDirectory is the same from a stopped source on this machine.
var comparedDirectory = &scenario{
	name: "RL", about: "of changed blocks, one in a hundred, and no WAL, from a stopped local source", unit: "MB", small: 10, full: 40,
	build: changed(100, func(t *scope, p *pair) {
		forgetful(t, p)
		p.source.Stop(t, pgtest.Fast)
		p.stopped, p.sourceArgs = true, []string{"--source-pgdata=" + p.source.Dir}
	}),
	contestants: func(*pair) []contestant {
		if _, err := exec.LookPath(rsyncer.program); err != nil {
			return []contestant{resync} // there is nothing to compare with
		}
		return []contestant{rsyncer, resync}
	},
}

// backUp makes a base backup in a new directory beside the target's copy.
func (c *contest) backUp(one contestant) sample {
	dir := filepath.Join(filepath.Dir(c.fresh().Dir), "backup")
	defer func() { _ = os.RemoveAll(dir) }()
	_ = exec.Command("sync").Run()
	s, _, err := timed(c.path(one.program), []string{
		"-D", dir, "-c", "fast", "-X", "stream", "-d", strings.TrimPrefix(c.sourceArgs[0], "--source-server="),
	}, one.env)
	c.t.must(err)
	return s
}

// sync makes a target the source's copy file by file, and waits for the disk.
func (c *contest) sync(one contestant) sample {
	target := c.fresh()
	_ = exec.Command("sync").Run()
	s, _, err := timed("/bin/sh", []string{"-c", `rsync -a --checksum --inplace --delete "$0/" "$1/" && sync -f "$1"`, c.source.Dir, target.Dir}, one.env)
	c.t.must(err)
	return s
}
