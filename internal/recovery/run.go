package recovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/pgdata"
)

// Options are the options of Run.
type Options struct {
	Dir        *datadir.Dir
	Program    string       // the server program, from FindPostgres
	ConfigFile string       // postgresql.conf, if it is not in the data directory
	NoSync     bool         // let the operating system decide when changes reach the disk
	Env        []string     // the server's environment; nil: that of this process
	WorkDir    string       // its working directory; empty: that of this process
	Logger     *slog.Logger // nil discards
}

// stopTimeout is how long a server has to stop when the run is cancelled. It
// stops after replay at the latest. A server that is killed leaves
// a cluster that needs crash recovery, as it did before.
const stopTimeout = 30 * time.Second

// replayBegins is part of a message that a server logs after it has looked for the files
// that hideSignalFiles moves, and before it replays anything. It does not look for them again.
const replayBegins = "automatic recovery in progress"

// Run brings a stopped cluster to a clean shutdown with a single-user server, and
// does nothing if it was shut down cleanly. The server replays the cluster's own WAL
// to its end, on its own timeline, and adds two checkpoints and, with archiving,
// a segment switch. No WAL is removed.
//
// Never run it on a killed standby that may not need a rewind: the package
// comment says why. The caller must read the control file again afterwards.
//
// The files that make the cluster a standby are set aside while the server looks for
// them, and put back after that, at the end at the latest. After a kill, [RestoreSignalFiles] does that.
//
// If gorewind is killed, the server continues to the clean shutdown by itself;
// until then another Run returns ErrRunning.
//
// The error is ErrRunning, ErrPoisoned, a *ProgramError, or about a file.
func Run(ctx context.Context, o Options) (err error) {
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	pid, err := o.Dir.ServerPID()
	if err != nil {
		return err
	}
	if pid != 0 {
		return fmt.Errorf("%w: process %d has %q in use: stop it", ErrRunning, pid, o.Dir.Name())
	}
	if _, err := RestoreSignalFiles(o.Dir); err != nil {
		return err
	}
	control, err := readControl(o.Dir)
	switch {
	case err != nil:
		return err
	case poison.Is(control):
		return fmt.Errorf("%w: %q: finish it first", ErrPoisoned, o.Dir.Name())
	case control.ShutDownCleanly():
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}

	defer func() {
		_, backErr := RestoreSignalFiles(o.Dir)
		err = errors.Join(err, backErr)
	}()
	if err := hideSignalFiles(o.Dir, control.Version); err != nil {
		return err
	}
	return o.run(ctx, log, control.Version)
}

func (o Options) run(ctx context.Context, log *slog.Logger, v *pgdata.Version) error {
	config := o.ConfigFile
	if config != "" {
		var err error
		if config, err = filepath.Abs(config); err != nil {
			return err
		}
	}
	dir := o.Dir.Name()
	if o.WorkDir != "" {
		var err error
		if dir, err = filepath.Abs(dir); err != nil {
			return err
		}
	}
	env := o.Env
	if env == nil {
		env = os.Environ()
	}
	cmd := exec.CommandContext(ctx, o.Program, arguments(dir, settings(v, dir, config, o.NoSync))...)
	cmd.Dir = o.WorkDir
	cmd.Env = append(slices.Clone(env),
		"LC_ALL=C", // for messages before the settings are read
		// The server also ignores a process ID in postmaster.pid that now belongs to our parent;
		// our own is its parent's (CreateLockFile, miscinit.c).
		fmt.Sprintf("PG_GRANDPARENT_PID=%d", os.Getppid()))
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	out := &output{log: log, line: func(line string) {
		if strings.Contains(line, replayBegins) {
			if _, err := RestoreSignalFiles(o.Dir); err != nil {
				log.Debug(err.Error(), "error", err) // tried again at the end, where it is an error
			}
		}
	}}
	cmd.Stdout, cmd.Stderr = out, out

	log.Info(fmt.Sprintf("executing %q for target server to complete crash recovery", o.Program), "program", o.Program)
	log.Debug("command: "+cmd.String(), "command", cmd.String())
	runErr := cmd.Run()
	out.flush()
	if ctx.Err() != nil {
		runErr = ctx.Err()
	}
	control, err := readControl(o.Dir)
	if err != nil {
		return errors.Join(runErr, err)
	}
	if !control.ShutDownCleanly() {
		return &ProgramError{Command: cmd.String(), Output: out.lines, State: control.State, Err: runErr}
	}
	// Recovery is complete before the server opens a database, which can fail for
	// irrelevant reasons: there may be no template1.
	if runErr != nil {
		log.Warn(fmt.Sprintf("the cluster is shut down cleanly, although the single-user server failed: %v", runErr), "error", runErr)
	}
	return ctx.Err()
}

func arguments(dir string, list []setting) []string {
	args := []string{"--single", "-D", dir}
	for _, s := range list {
		args = append(args, "-c", s.name+"="+s.value)
	}
	return append(args, "template1")
}

func readControl(d *datadir.Dir) (*controlfile.Data, error) {
	b, err := d.ReadFile(pgdata.ControlFilePath)
	if err != nil {
		return nil, err
	}
	c, err := controlfile.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("control file of %q: %w", d.Name(), err)
	}
	return c, nil
}
