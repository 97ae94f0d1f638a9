package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
)

// sample is the cost of one run of a program.
type sample struct {
	wall, cpu time.Duration // cpu is the program's own, user and system
	peak      int64         // resident bytes; zero if unknown
	fetched   int64         // bytes of files that it reports as copied; negative if it does not report them
	written   int64         // bytes written; zero if unknown
	read      int64         // bytes of the target's files that it reports as read by its analysis; zero if it does not report them
	wire      int64         // bytes between it and the source; zero if not counted
}

// measure is a column of numbers.
type measure struct {
	name string
	of   func(sample) float64
}

var (
	wall    = measure{"wall", func(s sample) float64 { return s.wall.Seconds() }}
	peak    = measure{"peak RSS", func(s sample) float64 { return float64(s.peak) }}
	written = measure{"written", func(s sample) float64 { return float64(s.written) }}
	wire    = measure{"wire", func(s sample) float64 { return float64(s.wire) }}
	fetched = measure{"fetched", func(s sample) float64 { return float64(s.fetched) }}
	// readShare is what the analysis read of the target, relative to what differs.
	readShare = measure{"target read / differing", func(s sample) float64 { return float64(s.read) / float64(max(1, s.fetched)) }}
)

// patience is the time limit for one run of a program.
const patience = 10 * time.Minute

// timed runs a program and measures it. The error contains its output.
func timed(path string, args, env []string) (s sample, printed string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = append(cluster.Env(), env...), &out, &out
	before := ownPeak()
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return s, "", err
	}
	watched := watch(cmd.Process.Pid)
	err = cmd.Wait()
	s.wall = time.Since(begun)
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	highest, wrote := watched()
	s.written = wrote
	// Until it executes another program, a new process counts the memory of its
	// parent.
	if s.peak = peakOf(cmd.ProcessState); s.peak <= before {
		s.peak = highest
	}
	if err != nil {
		return s, "", fmt.Errorf("%s: %w: %s", cmd, err, out.String())
	}
	return s, out.String(), nil
}

// median is a sample of medians. Its numbers can come from different runs.
func median(samples []sample) sample {
	return sample{
		wall:    middle(samples, func(s sample) time.Duration { return s.wall }),
		cpu:     middle(samples, func(s sample) time.Duration { return s.cpu }),
		peak:    middle(samples, func(s sample) int64 { return s.peak }),
		written: middle(samples, func(s sample) int64 { return s.written }),
		wire:    middle(samples, func(s sample) int64 { return s.wire }),
	}
}

// middle is the median, the lower one of two.
func middle[T time.Duration | int64](samples []sample, of func(sample) T) T {
	var all []T
	for _, s := range samples {
		all = append(all, of(s))
	}
	slices.Sort(all)
	return all[(len(all)-1)/2]
}
