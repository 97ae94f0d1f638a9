package endtoend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// A Try is a rewind that is judged only by its result: the rows. A problem with the
// situation fails the T; a problem with the rewind is an error.
type Try struct {
	Target, Src *pgtest.Cluster // the source may be running or stopped
	// Primary writes what the target should receive. If it is nil, the source does, and
	// is promoted first if it is a standby.
	Primary *pgtest.Cluster
	Opts    rewind.Options // without TargetDir and Source
	Asked   bool           // the rewind itself makes the target a standby

	own Session // to the target
	// nudge writes more WAL. If a standby has received the beginning of a record that
	// its new timeline does not continue, it waits until as many bytes have arrived as
	// that record would have had.
	nudge func()
}

// An Outcome is what a rewind reported, and what it changed in a target that it
// refused to rewind.
type Outcome struct {
	Plan    *rewind.Plan
	Err     error
	Changed []string
}

// Rewind prepares and applies.
func (y *Try) Rewind(t pgtest.T) (o Outcome) {
	t.Helper()
	ctx := context.Background()
	before, err := dirtree.Read(y.Target.Dir)
	if err != nil {
		t.Fatalf("%v", err)
	}
	src, err := y.Open(ctx)
	if err != nil {
		t.Fatalf("open the source: %v", err)
	}
	defer func() { _ = src.Close() }()
	opts := y.Opts
	opts.TargetDir, opts.Source, opts.NoSync = y.Target.Dir, src, true
	opts.Resync = cmp.Or(opts.Resync, resync)
	opts.ArchivePause = time.Millisecond // a missing file stays missing
	if y.Asked {
		opts.PrimaryConnInfo = y.Src.ConnString("postgres") + " application_name=" + y.Target.Name
	}
	r, err := rewind.Prepare(ctx, opts)
	if err == nil {
		o.Plan = r.Plan()
		err = r.Apply(ctx)
		if cerr := r.Close(); cerr != nil {
			t.Fatalf("%v", cerr)
		}
	}
	if o.Err = err; err == nil {
		return o
	}
	after, err := dirtree.Read(y.Target.Dir)
	if err != nil {
		t.Fatalf("%v", err)
	}
	o.Changed = before.Diff(after)
	return o
}

// Open opens the source as a server or a directory.
func (y *Try) Open(ctx context.Context) (source.Source, error) {
	if y.Src.Running() {
		return pgsource.Open(ctx, y.Src.ConnString("postgres"), pgsource.Options{})
	}
	return source.OpenDir(y.Src.Dir)
}

// Refusal is nil for a correct refusal: the target is unchanged
// except by its crash recovery, if the error says so.
func (o Outcome) Refusal() error {
	var e *rewind.Error
	switch {
	case !errors.As(o.Err, &e):
		return fmt.Errorf("it failed, and not with an *Error: %w", o.Err)
	case !e.TargetUntouched:
		return fmt.Errorf("it failed in the middle: %w", o.Err)
	case len(o.Changed) > 0 && !e.CrashRecovered:
		return fmt.Errorf("it was refused (%w), but the target changed: %s", o.Err, shortened(o.Changed))
	}
	return nil
}

func shortened(list []string) string {
	if n := len(list); n > 8 {
		return strings.Join(list[:8], "; ") + fmt.Sprintf("; and %d more", n-8)
	}
	return strings.Join(list, "; ")
}
