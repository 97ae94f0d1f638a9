// Failback does what a failover manager does with an old primary: it makes a plan,
// checks what would be lost, rewinds, and decides by the type of the error whether to
// wait, to finish an unfinished rewind, or to give up. It is a module of its own.
//
//	go run . -target /var/lib/postgresql/18/main -source "host=new-primary user=rewind_user dbname=postgres"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// Exit statuses.
const (
	done        = 0 // the target can follow the source now
	gaveUp      = 1 // a person must look at it; the target is unchanged
	misused     = 2 // as package flag exits
	cloneAnew   = 3
	halfRewound = 4 // the target does not start; run again
	refused     = 5 // too much would be lost
)

const attempts = 3

var errTooMuchLost = errors.New("more would be lost than -max-lost allows: run again with -yes to rewind all the same")

// job is what the command line asks for.
type job struct {
	target, source string
	yes            bool
	maxLost        int
	wait           time.Duration
}

func main() {
	var j job
	flag.StringVar(&j.target, "target", "", "data `directory` of the old primary, which is stopped")
	flag.StringVar(&j.source, "source", "", "data directory of the new primary, or a `connection` string")
	flag.BoolVar(&j.yes, "yes", false, "rewind whatever is lost")
	flag.IntVar(&j.maxLost, "max-lost", 0, "rewind if no more `commits` than these are lost")
	flag.DurationVar(&j.wait, "wait", 5*time.Second, "how long to wait between attempts")
	flag.Parse()
	if j.target == "" || j.source == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(misused)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := j.run(ctx)
	stop()
	os.Exit(status)
}

// run tries until it succeeds, or until waiting does not help.
func (j *job) run(ctx context.Context) int {
	// An earlier run may have died after it committed. What is left to do needs no source.
	state, err := rewind.ReadStatus(j.target)
	resume := err == nil && state.State == rewind.StateUnfinished
	for attempt := 1; ; attempt++ {
		if resume {
			err = rewind.Resume(ctx, rewind.Options{TargetDir: j.target})
		} else {
			err = j.rewind(ctx)
		}
		switch {
		case err == nil:
			fmt.Println("The old primary can follow the new one.")
			return done
		case errors.Is(err, errTooMuchLost):
			fmt.Fprintln(os.Stderr, "refused:", err)
			return refused
		}

		failed := state.Classify(err)
		fmt.Fprintf(os.Stderr, "attempt %d failed (%s): %v\n", attempt, failed.Condition, err)
		advise(err)
		switch failed.Action {
		case rewind.ActionResync, rewind.ActionBaseBackup:
			fmt.Fprintln(os.Stderr, "no rewind can succeed: clone it anew")
			return cloneAnew
		case rewind.ActionRetry, rewind.ActionRetryWithSource, rewind.ActionResume:
			if attempt < attempts && ctx.Err() == nil {
				resume = failed.Action == rewind.ActionResume
				select {
				case <-time.After(j.wait):
				case <-ctx.Done():
				}
				continue
			}
		case rewind.ActionFix: // a person must change something
		}
		if !failed.TargetUntouched {
			fmt.Fprintln(os.Stderr, "half rewound: run again; until then no server starts")
			return halfRewound
		}
		fmt.Fprintln(os.Stderr, "gave up; the old primary is unchanged")
		return gaveUp
	}
}

// rewind makes one attempt.
func (j *job) rewind(ctx context.Context) error {
	src, err := j.open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: j.target, Source: src})
	if err != nil {
		return err
	}
	defer r.Close()
	plan := r.Document(ctx, nil)
	if err := report.Text(os.Stdout, plan, report.Options{Width: report.DefaultWidth}); err != nil {
		return err
	}
	if lost := plan.Lost; lost != nil && lost.Committed > j.maxLost && !j.yes {
		return fmt.Errorf("%d commits, %d allowed: %w", lost.Committed, j.maxLost, errTooMuchLost)
	}
	if err := r.Apply(ctx); err != nil {
		return err
	}
	if !plan.Required {
		return nil
	}
	result := r.Document(ctx, nil)
	fmt.Printf("Rewound: %d bytes fetched, %d files changed.\n", result.FetchedBytes, result.Totals.Files)
	return nil
}

// open opens the new primary, running or stopped.
func (j *job) open(ctx context.Context) (source.Source, error) {
	if strings.Contains(j.source, "=") || strings.HasPrefix(j.source, "postgres") {
		return pgsource.Open(ctx, j.source, pgsource.Options{})
	}
	return source.OpenDir(j.source)
}

// advise prints what only the type of an error tells.
func advise(err error) {
	var noWAL *rewind.CannotStartError
	var noSpace *rewind.SpaceError
	switch {
	case errors.As(err, &noWAL):
		fmt.Fprintln(os.Stderr, "these WAL segments are in no archive either:", strings.Join(noWAL.Missing, " "))
	case errors.As(err, &noSpace):
		fmt.Fprintf(os.Stderr, "free %d bytes on the file system of %s\n", noSpace.Needed-noSpace.Free, noSpace.Dir)
	}
}
