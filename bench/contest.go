package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/pgtest/cluster"
	document "github.com/gorewind/gorewind/report"
)

// tools are the programs that compete.
type tools struct {
	in       *cluster.Installation
	gorewind string
}

func (t tools) path(program string) string {
	if program == "gorewind" {
		return t.gorewind
	}
	path, _ := t.in.Program(program)
	return path
}

// contest measures contestants on a pair.
type contest struct {
	tools
	*pair
	t       *scope
	replica *replica      // nil until it is needed
	plan    *filemap.Plan // of the floor; nil until it is needed
}

// fresh is a copy of the target that has not been rewound.
func (c *contest) fresh() *cluster.Cluster {
	if c.replica == nil {
		c.replica = newReplica(c.t, c.target)
	}
	c.t.must(c.replica.restore())
	return c.replica.Cluster
}

func newContest(t *scope, tools tools, p *pair) *contest {
	return &contest{tools: tools, pair: p, t: t}
}

// outcome is the cost of a contestant's runs.
type outcome struct {
	contestant
	samples []sample
	fetched int64 // negative if unknown
	read    int64 // bytes of the target read by the analysis; zero if unknown
}

// run checks the results of the contestants, which warms the caches, and then
// measures them in turn.
func (c *contest) run(all []contestant, runs int) []outcome {
	outcomes := make([]outcome, len(all))
	for i, one := range all {
		outcomes[i] = outcome{contestant: one, fetched: -1}
		switch {
		case !one.rewinds() || one.variant || one.other:
			c.once(one)
			if one.program == "gorewind" {
				outcomes[i].read, outcomes[i].fetched = c.planned(one)
			}
		case one.dry:
			c.once(one)
			c.check(contestant{name: one.name + " without -n", program: one.program})
		default:
			outcomes[i].fetched = c.check(one)
		}
	}
	for range runs {
		for i, one := range all {
			outcomes[i].samples = append(outcomes[i].samples, c.once(one))
		}
	}
	return outcomes
}

// alone measures the contestant whose growth is shown.
func (c *contest) alone(sc *scenario, runs int) []sample {
	for _, one := range sc.contestants(c.pair) {
		if one.name == sc.grows {
			var samples []sample
			for range runs {
				samples = append(samples, c.once(one))
			}
			return samples
		}
	}
	c.t.Fatalf("no contestant %q", sc.grows)
	return nil
}

// once runs a contestant, on its own copy of the target if it changes that.
func (c *contest) once(one contestant) sample {
	if c.wire == nil {
		return c.compete(one)
	}
	before := c.wire.Carried()
	s := c.compete(one)
	s.wire = c.wire.Carried() - before
	return s
}

func (c *contest) compete(one contestant) sample {
	switch one.program {
	case backup.program:
		return c.backUp(one)
	case rsyncer.program:
		return c.sync(one)
	case inSQL.program:
		return c.loop(one)
	case asked.program:
		return c.ask()
	case "floor":
		return c.leastWork(one)
	}
	target := c.target
	if !one.dry {
		target = c.fresh()
	}
	s, _ := c.start(one, target)
	return s
}

// start runs a contestant when earlier writes no longer disturb it.
func (c *contest) start(one contestant, target *cluster.Cluster) (sample, string) {
	args := append([]string{}, one.options...)
	if one.rewinds() {
		args = append(append(args, "--target-pgdata="+target.Dir), c.sourceArgs...)
	}
	if one.rewinds() && one.dry {
		args = append(args, "--dry-run")
	}
	_ = exec.Command("sync").Run() // if there is such a program
	if !one.dry {
		c.t.must(touchMemory(filepath.Dir(target.Dir), c.replica.size*3/2)) // all of it may be rewritten
	}
	s, printed, err := timed(c.path(one.program), args, one.env)
	c.t.must(err)
	return s, printed
}

// planned gets a contestant's plan: how much it would read of the target and copy.
func (c *contest) planned(one contestant) (read, fetched int64) {
	args := append([]string{"--dry-run", "--format=json", "--target-pgdata=" + c.target.Dir}, one.options...)
	cmd := exec.Command(c.path(one.program), append(args, c.sourceArgs...)...)
	cmd.Env = append(cluster.Env(), one.env...)
	out, err := cmd.Output()
	c.t.must(err)
	var d document.Document
	c.t.must(json.Unmarshal(out, &d))
	return d.Read, d.Totals.FetchBytes
}

var copied = regexp.MustCompile(`(\d+)/\d+ kB \(100%\) copied`)

// check rewinds with progress reports, compares the result with the source,
// and returns how many bytes were fetched.
func (c *contest) check(one contestant) (fetched int64) {
	one.options = append([]string{"--progress"}, one.options...)
	target := c.fresh()
	_, printed := c.start(one, target)
	fetched = -1
	for _, m := range copied.FindAllStringSubmatch(printed, -1) {
		kB, err := strconv.ParseInt(m[1], 10, 64)
		c.t.must(err)
		fetched = kB << 10
	}
	if c.stopped {
		c.source.Start(c.t)
		defer c.source.Stop(c.t, cluster.Fast)
	}
	target.MakeStandbyOf(c.t, c.source)
	target.Start(c.t)
	target.WaitStreaming(c.t, c.source)
	target.WaitCaughtUp(c.t, c.source)
	if diff := compare(contents(c.t, c.source), contents(c.t, target)); diff != "" {
		c.t.Fatalf("%s: source and target differ: %s", one.name, diff)
	}
	target.Stop(c.t, cluster.Fast)
	return fetched
}
