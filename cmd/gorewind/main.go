// Command gorewind rewinds a diverged PostgreSQL data directory so that it can
// follow the server that took over: pg_rewind for all majors at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// Exit statuses.
const (
	exitDone       = 0 // done, or nothing to do
	exitFailed     = 1 // failed, the target is untouched
	exitUsage      = 2
	exitBaseBackup = 3 // failed, and only a base backup can help; the target is untouched
	exitUnfinished = 4 // interrupted while the target was being changed: run again
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is the program, without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	name := programName(args)
	opts, err := parse(args[1:])
	out := &messages{name: name, w: stderr}
	switch {
	case err != nil:
		out.error(err)
		out.hint(fmt.Sprintf("Try \"%s --help\" for more information.", name))
		return exitUsage
	case opts.help:
		fmt.Fprint(stdout, help(name))
		return exitDone
	case opts.version:
		fmt.Fprintf(stdout, "%s (gorewind) %s\n", name, version())
		return exitDone
	}
	if os.Geteuid() == 0 {
		out.error(errors.New(`cannot be executed by "root"`))
		out.hint(fmt.Sprintf("You must run %s as the PostgreSQL superuser.", name))
		return exitFailed
	}
	if opts.debug {
		out.level = slog.LevelDebug
	}
	if err := perform(ctx, opts, out); err != nil {
		return report(err, out)
	}
	return exitDone
}

// perform does the rewind through the library, as any importer would.
func perform(ctx context.Context, opts *options, out *messages) error {
	logger := slog.New(out)
	if opts.dryRun {
		logger.Info("executing in dry-run mode")
		out.detail("The target directory will not be modified.")
	}
	src, err := openSource(ctx, opts)
	if err != nil {
		return err
	}
	defer src.Close()
	if _, live := src.(source.Live); live && opts.progress {
		logger.Info("connected to server")
		out.detail(fmt.Sprintf("It is the %s.", src))
	}
	rewindOpts := rewind.Options{TargetDir: opts.target, Source: src, NoSync: opts.noSync, Logger: logger}
	if opts.progress {
		bar := newProgress(out)
		rewindOpts.Progress = bar.report
		defer bar.close()
	}
	r, err := rewind.Prepare(ctx, rewindOpts)
	if err != nil {
		return err
	}
	defer r.Close()
	plan := r.Plan()
	if !plan.Required {
		return nil
	}
	if opts.progress {
		const mb = 1 << 20
		logger.Info(fmt.Sprintf("need to copy %d MB (total source directory size is %d MB)",
			plan.Files.FetchBytes()/mb, plan.Files.SourceBytes/mb))
	}
	if opts.dryRun {
		logger.Info("Done!")
		out.detail("The target directory was not modified.")
		return nil
	}
	if err := r.Apply(ctx); err != nil {
		return err
	}
	logger.Info("Done!")
	if opts.progress {
		out.hint("Make it a standby of the source before you start it; its configuration files are now the source's.")
	}
	return nil
}

func openSource(ctx context.Context, opts *options) (source.Source, error) {
	if opts.sourceServer != "" {
		return pgsource.Open(ctx, opts.sourceServer, pgsource.Options{})
	}
	return source.OpenDir(opts.sourceDir)
}

// report says what went wrong and what to do, and gives the exit status.
func report(err error, out *messages) int {
	out.error(err)
	var failed *rewind.Error
	switch {
	case !errors.As(err, &failed):
		return exitFailed
	case !failed.TargetUntouched:
		out.detail("The target is half rewound: no server starts on it.")
		out.hint("Run the same command again to finish the rewind.")
		return exitUnfinished
	case failed.BaseBackupNeeded:
		out.detail("The target was not changed.")
		return exitBaseBackup
	}
	out.detail("The target was not changed.")
	return exitFailed
}

// programName is what messages begin with: the name it was called by.
func programName(args []string) string {
	if len(args) == 0 || args[0] == "" {
		return "gorewind"
	}
	return strings.TrimSuffix(filepath.Base(args[0]), ".exe")
}
