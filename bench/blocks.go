package main

import (
	"fmt"
	"time"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/pgtest/cluster"
	"github.com/gorewind/gorewind/internal/pgtest/proxy"
	"github.com/gorewind/gorewind/pgdata"
)

// changed builds a target in which one block in every so many has changed since
// the divergence, up to the given total size. It writes no page images, so
// the time is that of the copying.
func changed(every int, finish func(t *scope, p *pair)) func(*scope, *cluster.Installation, int64) *pair {
	return func(t *scope, in *cluster.Installation, size int64) *pair {
		old := primary(t, in, nil)
		blocks(t, old, size*mb*int64(every))
		p := split(t, old, func() {}, func() {
			old.SetConf(t, map[string]string{"full_page_writes": "off"})
			old.Reload(t)
			old.Checkpoint(t)
			change(t, old, every)
		})
		if finish != nil {
			finish(t, p)
		}
		return p
	}
}

func whoRewinds(*pair) []contestant { return []contestant{theirs, ours, inPlace} }

var copyGoals = []goal{
	{of: ours.name, than: theirs.name, measure: wall, limit: 0.8},
	{of: inPlace.name, than: theirs.name, measure: wall, limit: 0.6},
}

// liveSource is whole runs of changed blocks, which a server sends.
var liveSource = &scenario{
	name: "C", about: "of changed blocks in one run, from a live source", unit: "MB", small: 250, full: 1200,
	build: changed(1, nil), contestants: whoRewinds, goals: copyGoals, grows: ours.name,
}

// sparseSource is changed blocks with others between them.
var sparseSource = &scenario{
	name: "CS", about: "of changed blocks, one in four, from a live source", unit: "MB", small: 60, full: 300,
	build: changed(4, nil), contestants: whoRewindsAndFloor, goals: copyGoals,
}

// distantSource is changed blocks in one run, at a round trip of 10 ms.
var distantSource = &scenario{
	name: "C10", about: "of changed blocks in one run, at 10 ms round trip", unit: "MB", small: 250, full: 1200,
	build: changed(1, farAway), contestants: whoRewinds,
	goals: farGoals,
}

// sparseDistantSource is the same with other blocks between them.
var sparseDistantSource = &scenario{
	name: "CS10", about: "of changed blocks, one in four, at 10 ms round trip", unit: "MB", small: 60, full: 300,
	build: changed(4, farAway), contestants: whoRewinds,
	goals: farGoals,
}

var farGoals = []goal{
	{of: ours.name, than: theirs.name, measure: wall, limit: 0.25},
	{of: inPlace.name, than: theirs.name, measure: wall, limit: 0.25},
}

// farAway puts a network with a round trip of 10 ms in front of the source.
func farAway(t *scope, p *pair) {
	proxy := proxy.Before(t, p.source)
	proxy.Delay(5 * time.Millisecond)
	p.sourceArgs = []string{"--source-server=" + proxy.ConnString("postgres", "postgres")}
}

// stopSource leaves the source as a directory of the same machine.
func stopSource(t *scope, p *pair) {
	p.source.Stop(t, cluster.Fast)
	p.stopped, p.sourceArgs = true, []string{"--source-pgdata=" + p.source.Dir}
}

// stoppedSource is changed blocks in another directory of the same machine.
var stoppedSource = &scenario{
	name: "L", about: "of changed blocks in one run, from a stopped local source", unit: "MB", small: 400, full: 2000,
	build:       changed(1, stopSource),
	contestants: whoRewinds,
	goals: []goal{
		{of: ours.name, than: theirs.name, measure: wall, limit: 0.6},
		{of: inPlace.name, than: theirs.name, measure: wall, limit: 0.6},
	},
}

// lastCheckpoint is the end of the target's WAL: the record of its shutdown.
func lastCheckpoint(p *pair) pgdata.LSN {
	control, err := controlfile.Read(p.target.Dir)
	if err != nil {
		panic(failure(fmt.Sprint(err)))
	}
	return control.CheckPoint
}
