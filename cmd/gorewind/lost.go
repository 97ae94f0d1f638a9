package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/gorewind/gorewind/internal/sanitize"
	"github.com/gorewind/gorewind/lost/rows/export"
	"github.com/gorewind/gorewind/rewind"
)

// lost writes the rows that a rewind would lose to files.
func (in *invocation) lost() int {
	if err := in.opts.checkLost(); err != nil {
		return in.misused(err)
	}
	if in.refuseRoot() {
		return exitFailed
	}
	opts := rewind.Options{}
	if in.opts.since.LSN == 0 {
		if err := in.openSource(&opts); err != nil {
			return in.failed(err)
		}
		defer opts.Source.Close()
	}
	l, err := rewind.FindLostRows(in.ctx, rewind.LostRowsOptions{
		TargetDir: *in.opts.target, Source: opts.Source, Since: in.opts.since, Tables: in.opts.tables,
		SpillDir: in.opts.output, RestoreTargetWAL: in.opts.restoreWAL, ConfigFile: in.opts.configFile, Logger: in.log,
	})
	if err != nil {
		return in.failed(err)
	}
	defer func() { _ = l.Close() }()
	summary, err := l.Write(in.ctx, in.opts.output, rewind.LostRowsFormat{
		Format: cmp.Or(in.opts.rowFormat, export.CSV), Limit: in.opts.limit, Compare: in.opts.compare,
	})
	if err != nil {
		return in.failed(err)
	}
	in.describeLost(summary)
	return exitDone
}

// checkLost makes the checks of checkRewind that apply to this command.
func (o *options) checkLost() error {
	switch {
	case o.since.LSN == 0 && o.sourceServer == nil && o.sourceDir == nil:
		return errors.New("no source specified (--source-pgdata or --source-server, or --since without one)")
	case o.sourceServer != nil && o.sourceDir != nil:
		return errors.New("only one of --source-pgdata or --source-server can be specified")
	case o.since.LSN != 0 && (o.sourceServer != nil || o.sourceDir != nil):
		return errors.New("--since cannot be used together with a source (--source-pgdata or --source-server)")
	case o.target == nil:
		return errors.New("no target data directory specified (--target-pgdata)")
	case o.compare && o.sourceServer == nil:
		return errors.New("--compare requires --source-server")
	case o.output == "":
		return errors.New("no output directory specified (--output)")
	}
	return o.checkOperands(0)
}

func (in *invocation) describeLost(s *export.Summary) {
	fmt.Fprintf(in.stdout, "After the divergence at %s on timeline %d, %d transactions committed; %d rows were inserted, %d updated, %d deleted.\n",
		s.Divergence, s.Timeline, s.Transactions, s.Inserted, s.Updated, s.Deleted)
	for _, t := range s.Tables {
		fmt.Fprintf(in.stdout, "  %s: %d inserted, %d updated, %d deleted\n", sanitize.Text(t.Database+": "+t.Schema+"."+t.Name, sanitize.MaxMessage), t.Inserted, t.Updated, t.Deleted)
	}
	for _, e := range s.Relations {
		fmt.Fprintf(in.stdout, "  %s: %s %s\n", sanitize.Text(e.Database+": "+e.Schema+"."+e.Name, sanitize.MaxMessage), e.Kind, e.What)
	}
	if s.Source != nil {
		fmt.Fprintf(in.stdout, "Of these rows, the source has %d unchanged, %d changed, and lacks %d; %d could not be compared.\n",
			s.Source[export.SourceSame], s.Source[export.SourceDifferent], s.Source[export.SourceAbsent], s.Source[export.SourceUnknown])
	}
	if s.Unknown+s.NotNamed > 0 {
		fmt.Fprintf(in.stdout, "For %d of these, a version of the row is no longer known; %d more rows are of tables that are gone.\n", s.Unknown, s.NotNamed)
	}
	if s.Incomplete {
		in.log.Warn("some transactions began before the oldest WAL available; what they did before it is not among the rows")
	}
	fmt.Fprintf(in.stdout, "Rows, summary.json and README.txt are in %s.\n", sanitize.Text(in.opts.output, sanitize.MaxMessage))
}
