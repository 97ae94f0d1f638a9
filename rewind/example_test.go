package rewind_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// A failover manager turns the old primary into a standby.
func Example() {
	ctx := context.Background()
	src, err := pgsource.Open(ctx, "host=new-primary user=rewind_user dbname=postgres", pgsource.Options{})
	if err != nil {
		slog.Error("the new primary cannot be reached", "error", err, "action", rewind.Classify(err).Action)
		return
	}
	defer func() { _ = src.Close() }()

	r, err := rewind.Prepare(ctx, rewind.Options{
		TargetDir: "/var/lib/postgresql/17/main", Source: src,
		EnsureShutdown:  true, // it may have crashed
		PrimaryConnInfo: src.ConnInfo(),
		FinishCommitted: true,
		Logger:          slog.Default(),
	})
	if err != nil {
		slog.Error("no rewind is possible", "error", err, "action", rewind.Classify(err).Action)
		return
	}
	defer func() { _ = r.Close() }()

	plan := r.Plan()
	if plan.Required {
		fmt.Printf("diverged at %s on timeline %d, %d bytes to fetch\n",
			plan.Version.FormatLSN(plan.Divergence), plan.DivergenceTimeline, plan.Files.FetchBytes())
	}
	if err := r.Apply(ctx); err != nil { // where no rewind is required, it becomes a standby
		slog.Error("the rewind failed", "error", err, "action", rewind.Classify(err).Action)
	}
}

// Find out what would be done without changing anything: call only Prepare.
func Example_dryRun() {
	target, newPrimary, remove := exampleClusters()
	defer remove()

	ctx := context.Background()
	src, err := source.OpenDir(newPrimary) // or pgsource.Open
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = src.Close() }()
	r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: target, Source: src}) // and not EnsureShutdown
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = r.Close() }()

	plan := r.Plan()
	fmt.Println("required:", plan.Required)
	fmt.Println("timeline of the target:", plan.Target.Timeline)
	fmt.Println("timeline of the source:", plan.Source.Timeline)
	fmt.Println("commits that are lost:", plan.Lost.Committed)
	// Output:
	// required: true
	// timeline of the target: 1
	// timeline of the source: 2
	// commits that are lost: 9
}

// A program that starts finishes a rewind that it had committed when it was killed.
func Example_resumeAtStartUp() {
	target, newPrimary, remove := exampleClusters()
	defer remove()
	interruptAfterCommit(target, newPrimary)

	ctx := context.Background()
	status, err := rewind.ReadStatus(target)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("found:", status.State)
	switch status.State {
	case rewind.StateUnfinished: // no server starts, and no source is needed
		if err := rewind.Resume(ctx, rewind.Options{TargetDir: target}); err != nil {
			fmt.Println(err)
			return
		}
	case rewind.StateInPlace: // no server starts: Prepare and Apply with a source, as the first time
	case rewind.StateStaged, rewind.StateClean, rewind.StateRewound: // the target is whole
	}
	if status, err = rewind.ReadStatus(target); err == nil {
		fmt.Println("now:", status.State)
	}
	// Output:
	// found: unfinished
	// now: rewound
}

// reconcile is what an operator does with a replica that should follow a primary. It
// returns when it must be called again; zero means that nothing is left to do.
func reconcile(ctx context.Context, dir, primary string, resync rewind.Resync) (again time.Duration) {
	err := follow(ctx, dir, primary, resync)
	if err == nil {
		return 0
	}
	failed := rewind.Classify(err)
	switch failed.Action {
	case rewind.ActionRetry, rewind.ActionRetryWithSource:
		fmt.Println(failed.Condition, "- again later")
		return 10 * time.Second
	case rewind.ActionResume:
		fmt.Println(failed.Condition, "- to be finished")
		return time.Second
	case rewind.ActionFix:
		fmt.Println(failed.Condition, "- somebody must look at it") // an event, and the text of the error in it
		return 10 * time.Minute
	case rewind.ActionResync:
		fmt.Println(failed.Condition, "- resync")
		return reconcile(ctx, dir, primary, rewind.ResyncIfNeeded)
	case rewind.ActionBaseBackup:
		fmt.Println(failed.Condition, "- clone anew") // only here the directory may be removed
	}
	return 0
}

// follow rewinds if that is required, or finishes what an earlier call committed.
func follow(ctx context.Context, dir, primary string, resync rewind.Resync) error {
	r, err := rewind.Prepare(ctx, rewind.Options{
		TargetDir: dir, PrimaryConnInfo: primary, Resync: resync,
		OpenSource: func(ctx context.Context) (source.Source, error) { // not called if no source is needed
			return pgsource.Open(ctx, primary, pgsource.Options{Timeout: time.Second})
		},
	})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	return r.Apply(ctx)
}

// An operator's loop acts on the Action, and needs to know no conditions.
func Example_operator() {
	target, newPrimary, remove := exampleClusters()
	defer remove()
	ctx := context.Background()
	fmt.Println(reconcile(ctx, target, "host="+newPrimary, rewind.NoResync)) // no socket is there
	fmt.Println(reconcile(ctx, target, "host=/x sslmode=maybe", rewind.NoResync))
	interruptAfterCommit(target, newPrimary)
	fmt.Println(reconcile(ctx, target, "host="+newPrimary, rewind.NoResync)) // it is finished without the source
	// Output:
	// source_unreachable - again later
	// 10s
	// bad_connection_string - somebody must look at it
	// 10m0s
	// 0s
}

// A wrong password is no reason to remove a directory.
func ExampleClassify() {
	for _, err := range []error{
		&source.ConnectError{Reason: source.ErrWrongPassword, Message: "password authentication failed: check the password"},
		&source.ConnectError{Reason: source.ErrNotReady, Message: "the database system is starting up: wait"},
		rewind.ErrNoPageHints,
		errors.New("something else"),
	} {
		failed := rewind.Classify(err)
		fmt.Printf("%s: %s\n", failed.Condition, failed.Action)
	}
	// Output:
	// wrong_password: fix
	// source_starting: retry_with_source
	// no_page_hints: resync
	// unexpected: fix
}

// A test checks that two directories are equal to a server.
func ExampleDiff() {
	target, newPrimary, remove := exampleClusters()
	defer remove()
	ctx := context.Background()
	compare := func() {
		a, err := source.OpenDir(target)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer func() { _ = a.Close() }()
		b, err := source.OpenDir(newPrimary)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer func() { _ = b.Close() }()
		// Each server has its own configuration; recovery writes the files of prepared
		// transactions.
		diff, err := rewind.Diff(ctx, rewind.DiffOptions{A: a, B: b, Ignore: []string{"@config", "backup_label", "pg_twophase/*"}})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("same:", len(diff.Files) == 0)
		for _, f := range diff.Files {
			fmt.Println(f.Path)
		}
	}
	rewindExample(target, newPrimary)
	compare()
	// Output:
	// same: true
}
