// Resync brings any directory of a system to the state of a server: by a rewind if WAL
// shows what differs, otherwise by the cheapest other evidence that is available. It
// prints which evidence that was, why no cheaper kind could be used, and what was
// damaged. It is a module of its own.
//
//	go run . -target /var/lib/postgresql/18/main -source-server "host=primary user=rewind_user dbname=postgres"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// Exit statuses.
const (
	done         = 0 // the target can follow the source
	failed       = 1 // a person must look at it; the target is unchanged
	misused      = 2 // as package flag exits
	tryAgain     = 3 // the problem may pass; the target is unchanged
	halfResynced = 4 // the target does not start; run again
)

func main() {
	target := flag.String("target", "", "data `directory`, of a server that is stopped; or an empty one")
	var from from
	flag.StringVar(&from.server, "source-server", "", "connection `string` of the server to bring it to")
	flag.StringVar(&from.dir, "source-pgdata", "", "data `directory` of the server to bring it to, if that is stopped")
	dryRun := flag.Bool("dry-run", false, "only say what would be done")
	flag.Parse()
	if *target == "" || (from.dir == "") == (from.server == "") || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(misused)
	}
	// The first signal interrupts the rewind only while the target is unchanged. A
	// committed rewind is finished, unless there is a second signal.
	ctx, forget := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, forget) // after that, a signal ends the program
	err := resync(ctx, *target, from, *dryRun)
	if err == nil {
		os.Exit(done)
	}
	e := rewind.Classify(err)
	fmt.Fprintf(os.Stderr, "%s: %v\n", e.Condition, err)
	var noSpace *rewind.SpaceError
	if errors.As(err, &noSpace) {
		fmt.Fprintf(os.Stderr, "free %d bytes on the file system of %s\n", noSpace.Needed-noSpace.Free, noSpace.Dir)
	}
	switch {
	case !e.TargetUntouched:
		os.Exit(halfResynced)
	case e.Retryable():
		os.Exit(tryAgain)
	}
	os.Exit(failed)
}

// resync does the work. Prepare finds what an earlier run committed and did not finish.
func resync(ctx context.Context, target string, from from, dryRun bool) error {
	src, err := from.open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	r, err := rewind.Prepare(ctx, rewind.Options{
		TargetDir: target, Source: src,
		Resync:          rewind.ResyncIfNeeded,
		FinishCommitted: true,
		Observer:        rewind.Observer{Progress: show},
	})
	if err != nil {
		return err
	}
	defer r.Close()
	tell(r.Plan())
	if dryRun {
		return nil
	}
	return r.Apply(ctx)
}

// show prints the progress.
func show(p rewind.Progress) {
	switch {
	case p.Step != "":
		fmt.Println(p.Step)
	case p.Activity == rewind.ComparingFiles:
		fmt.Printf("%s: %d of %d bytes, %d differ, %s remaining\n", p.Activity, p.DoneBytes, p.TotalBytes, p.Differing, p.Remaining.Round(time.Second))
	default:
		fmt.Printf("%s: %d of %d bytes, %s remaining\n", p.Activity, p.DoneBytes, p.TotalBytes, p.Remaining.Round(time.Second))
	}
}

// from is the source: one of the two.
type from struct{ dir, server string }

// open opens the source, running or stopped.
func (f from) open(ctx context.Context) (source.Source, error) {
	if f.dir != "" {
		return source.OpenDir(f.dir)
	}
	return pgsource.Open(ctx, f.server, pgsource.Options{})
}

// tell prints how it was determined what differs.
func tell(p *rewind.Plan) {
	if p.Resumes {
		fmt.Println("An earlier run is completed.")
		return
	}
	if !p.Required {
		fmt.Println("The target can follow as it is.")
		return
	}
	fmt.Printf("Evidence of what differs: %s.\n", p.Evidence)
	for _, other := range p.PassedOver {
		fmt.Printf("Not by %s (%s): %s\n", other.Evidence, other.Condition, other.Reason)
	}
	for _, path := range slices.Sorted(maps.Keys(p.Damaged)) {
		fmt.Printf("Damaged, and replaced: %d blocks of %s\n", p.Damaged[path].Len(), path)
	}
}
