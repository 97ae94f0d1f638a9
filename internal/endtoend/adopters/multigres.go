package adopters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// Pgctld is the part of Multigres that has the data directory.
//
// It needs no crash recovery of its own before the dry run, which a dry run foresees.
type Pgctld struct {
	DataDir, BinDir string
	User, Password  string
	Open            Open
	Logger          *slog.Logger
}

// PgRewindResult is what the caller gets of a run.
type PgRewindResult struct {
	Message, Output string
	// Diverged is what the caller had to look for in Output.
	Diverged bool
}

// PgRewindWithResult rewinds, or says what a rewind would do. The result is never nil.
func (p *Pgctld) PgRewindWithResult(ctx context.Context, sourceServer string, dryRun bool, resync rewind.Resync, extraArgs []string) (*PgRewindResult, error) {
	p.Logger.InfoContext(ctx, "executing the rewind", "target_pgdata", p.DataDir, "dry_run", dryRun)
	opts := rewind.Options{TargetDir: p.DataDir, EnsureShutdown: !dryRun, ForeseeRecovery: dryRun, BinDir: p.BinDir, Resync: resync, Logger: p.Logger}
	if slices.Contains(extraArgs, "-R") {
		opts.PrimaryConnInfo = sourceServer
	}
	opts.OpenSource = func(ctx context.Context) (source.Source, error) {
		password := func(context.Context) (string, error) { return p.Password, nil }
		return p.Open(ctx, sourceServer, pgsource.Options{Password: password, Logger: p.Logger})
	}
	doc, err := attempt(ctx, opts, dryRun)
	result := &PgRewindResult{Message: "Rewind completed successfully"}
	if doc != nil {
		var text strings.Builder
		err = errors.Join(err, report.Text(&text, doc, report.Options{Width: report.DefaultWidth}))
		result.Output, result.Diverged = text.String(), doc.Required
	}
	if err != nil {
		result.Message = "Rewind failed"
		p.Logger.ErrorContext(ctx, "the rewind failed", "error", err, "dry_run", dryRun, "output", result.Output)
		return result, fmt.Errorf("rewind failed: %w", err)
	}
	return result, nil
}

// Multipooler is the part of Multigres that decides.
//
// It needs no file of its own that says that a rewind was begun and did not end: the data
// directory says so, and no server starts on it.
type Multipooler struct {
	Pgctld     *Pgctld
	SourceHost string
	SourcePort int

	resync rewind.Resync // what an earlier tick asks for
}

// runPgRewind asks first whether the servers diverged. It returns whether it rewound.
func (m *Multipooler) runPgRewind(ctx context.Context) (bool, error) {
	server := fmt.Sprintf("host=%s port=%d user=%s dbname=postgres connect_timeout=5 application_name=multipooler",
		pgsource.Quote(m.SourceHost), m.SourcePort, pgsource.Quote(m.Pgctld.User))
	dryRun, err := m.Pgctld.PgRewindWithResult(ctx, server, true, m.resync, nil)
	if err != nil {
		return false, fmt.Errorf("dry run failed: %w", err)
	}
	if !dryRun.Diverged {
		m.Pgctld.Logger.InfoContext(ctx, "no divergence, skipping the rewind")
		return false, nil
	}
	if _, err := m.Pgctld.PgRewindWithResult(ctx, server, false, m.resync, []string{"-R"}); err != nil {
		return false, err
	}
	return true, nil
}

// Tick is what the monitor does after an attempt to make a standby of an old primary.
type Tick string

// What it does. Only after RestartAsStandby does a server start.
const (
	RestartAsStandby Tick = "restart as a standby"
	NextTick         Tick = "try again"             // after a pause that grows
	RewindFirst      Tick = "finish the rewind"     // at once, or as the first thing after a restart
	WaitForOperator  Tick = "wait for the operator" // counts as no failure, or the pooler would be replaced
	ResyncNextTick   Tick = "resync"                // with Options.Resync
	Quarantine       Tick = "quarantine the pooler" // it is replaced, from a backup
)

// RestartAsStandby rewinds a stopped server if it has to be, and decides.
func (m *Multipooler) RestartAsStandby(ctx context.Context) (Tick, bool, error) {
	rewound, err := m.runPgRewind(ctx)
	if err == nil {
		return RestartAsStandby, rewound, nil
	}
	failed := rewind.Classify(err)
	next := m.After(failed)
	if next == ResyncNextTick {
		m.resync = evidence(failed)
	}
	return next, false, err
}

// After is the decision after an error.
func (*Multipooler) After(failed *rewind.Error) Tick {
	switch failed.Action {
	case rewind.ActionRetry, rewind.ActionRetryWithSource:
		return NextTick
	case rewind.ActionResume:
		return RewindFirst
	case rewind.ActionFix:
		return WaitForOperator
	case rewind.ActionResync:
		return ResyncNextTick
	case rewind.ActionBaseBackup:
		return Quarantine
	}
	return ""
}
