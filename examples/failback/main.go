// Failback does what a failover manager does with an old primary: it makes a plan,
// checks what would be lost, rewinds, and decides by the type of the error whether to
// wait, to finish an unfinished rewind, or to give up. It is a module of its own.
//
//	go run . -target /var/lib/postgresql/18/main -source-server "host=new-primary user=rewind_user dbname=postgres"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
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
	interrupted = 6 // by a signal; the target is unchanged
)

const attempts = 3

var errTooMuchLost = errors.New("more would be lost than -max-lost allows: run again with -yes to rewind all the same")

// job is what the command line asks for.
type job struct {
	target       string
	sourceDir    string // one of the two
	sourceServer string
	yes          bool
	maxLost      int
	wait         time.Duration
}

func main() {
	var j job
	flag.StringVar(&j.target, "target", "", "data `directory` of the old primary, which is stopped")
	flag.StringVar(&j.sourceServer, "source-server", "", "connection `string` of the new primary")
	flag.StringVar(&j.sourceDir, "source-pgdata", "", "data `directory` of the new primary, if it is stopped")
	flag.BoolVar(&j.yes, "yes", false, "rewind whatever is lost")
	flag.IntVar(&j.maxLost, "max-lost", 0, "rewind if no more `commits` than these are lost")
	flag.DurationVar(&j.wait, "wait", 5*time.Second, "how long to wait between attempts")
	flag.Parse()
	if j.target == "" || (j.sourceDir == "") == (j.sourceServer == "") || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(misused)
	}
	// The first signal ends the waiting, and the rewind as long as the target is
	// unchanged. A committed rewind is finished, unless there is a second signal.
	ctx, forget := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, forget) // from then on, a signal ends the program
	os.Exit(j.run(ctx))
}

// run tries until it succeeds, or until waiting does not help.
func (j *job) run(ctx context.Context) int {
	for attempt := 1; ; attempt++ {
		err := j.rewind(ctx)
		switch {
		case err == nil:
			j.succeeded()
			return done
		case errors.Is(err, errTooMuchLost):
			fmt.Fprintln(os.Stderr, "refused:", err)
			return refused
		}

		failed := rewind.Classify(err)
		fmt.Fprintf(os.Stderr, "attempt %d failed (%s): %v\n", attempt, failed.Condition, err)
		advise(failed)
		switch {
		case failed.Action == rewind.ActionResync, failed.Action == rewind.ActionBaseBackup:
			fmt.Fprintln(os.Stderr, "no rewind can succeed: clone it anew")
			return cloneAnew
		case failed.Retryable() && attempt < attempts && sleep(ctx, j.wait):
			continue
		case !failed.TargetUntouched:
			fmt.Fprintln(os.Stderr, "half rewound: run again; until then no server starts")
			return halfRewound
		case ctx.Err() != nil:
			fmt.Fprintln(os.Stderr, "interrupted; the old primary is unchanged")
			return interrupted
		}
		fmt.Fprintln(os.Stderr, "gave up; the old primary is unchanged")
		return gaveUp
	}
}

// sleep waits, and reports whether nothing interrupted it.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// rewind makes one attempt. If an earlier run died after it committed, this one finishes
// that, and opens no source.
func (j *job) rewind(ctx context.Context) error {
	r, err := rewind.Prepare(ctx, rewind.Options{
		TargetDir: j.target, OpenSource: j.open, FinishCommitted: true,
		PrimaryConnInfo: j.sourceServer, // makes the target its standby, if it is a server
	})
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
	if j.sourceDir != "" {
		return source.OpenDir(j.sourceDir)
	}
	return pgsource.Open(ctx, j.sourceServer, pgsource.Options{})
}

func (j *job) succeeded() {
	fmt.Println("The old primary can follow the new one.")
	if j.sourceDir != "" {
		fmt.Println("Make it a standby before you start it: its configuration is now the new primary's.")
	}
}

// advise prints what to do, which an error tells by its hint or by its type.
func advise(err *rewind.Error) {
	var explained *rewind.Explained
	if errors.As(err, &explained) && explained.Hint != "" {
		fmt.Fprintln(os.Stderr, explained.Hint)
	}
	var noWAL *rewind.CannotStartError
	var noSpace *rewind.SpaceError
	switch {
	case errors.As(err, &noWAL):
		fmt.Fprintln(os.Stderr, "these WAL segments are in no archive either:", strings.Join(noWAL.Missing, " "))
	case errors.As(err, &noSpace):
		fmt.Fprintf(os.Stderr, "free %d bytes on the file system of %s\n", noSpace.Needed-noSpace.Free, noSpace.Dir)
	}
}
