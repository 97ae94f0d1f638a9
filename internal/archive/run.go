package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"
)

// drainTime is how long to wait for the last output of a command that has ended,
// but left something running that could print more.
const drainTime = 100 * time.Millisecond

// command is a command from a server's configuration.
type command struct {
	setting string   // restore_command or archive_command
	option  string   // the caller's option that gave it, or empty
	text    string   // as it is run; it can contain passwords
	dir     string   // where it runs
	env     []string // as in exec.Cmd
	log     *slog.Logger
}

// processes are processes that commands left running.
type processes struct{ left []*output }

// run returns the exit status of a command that ended by itself. The command runs in its
// own process group, which is killed when the context ends.
func (p *processes) run(ctx context.Context, c command) (status int, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	cmd := shell(ctx, c.text)
	cmd.Dir, cmd.Env = c.dir, c.env
	cmd.Stdout, cmd.Stderr = w, w // files, so that Wait does not wait for background processes
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return 0, fmt.Errorf("could not run %s in directory %q: %w", c.setting, c.dir, err)
	}
	out := &output{r: r, group: cmd.Process.Pid, done: make(chan struct{})}
	go out.read(c.log, c.setting)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		out.stop()
		return 0, ctx.Err()
	case !out.drained():
		p.forgetEnded()
		p.left = append(p.left, out)
	case err != nil && len(out.last) > 0: // done is closed, so nothing writes to it
		c.log.Info(fmt.Sprintf("%s printed, and failed: %s", c.setting, strings.Join(out.last, "; ")), "setting", c.setting, "output", out.last)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return c.exitStatus(cmd.ProcessState)
}

// exitStatus distinguishes failures that are worth another attempt from others
// (wait_result_is_any_signal, common/wait_error.c).
func (c command) exitStatus(s *os.ProcessState) (int, error) {
	status := s.ExitCode()
	switch {
	case status == notExecutable:
		return 0, c.failed("command not executable", status)
	case status == notFound:
		return 0, c.failed("command not found", status)
	case status > notFound:
		return 0, c.failed(fmt.Sprintf("child process exited with exit code %d", status), status)
	case status < 0:
		return 0, c.failed("child process was terminated by "+s.String(), status)
	}
	return status, nil
}

// Exit statuses of shells.
const (
	notExecutable = 126
	notFound      = 127
)

// broken makes the error for a command that could not be run.
func (c command) broken(reason string) error { return c.failed(reason, 0) }

func (c command) failed(reason string, status int) error {
	return &CommandError{Setting: c.setting, Option: c.option, Command: c.text, Reason: reason, ExitStatus: status}
}

// close kills what commands left running in the background.
func (p *processes) close() {
	p.forgetEnded()
	for _, out := range p.left {
		out.stop()
	}
	p.left = nil
}

func (p *processes) forgetEnded() {
	kept := p.left[:0]
	for _, out := range p.left {
		if !out.ended() {
			kept = append(kept, out)
		}
	}
	p.left = kept
}

// output logs what a process group prints, line by line.
type output struct {
	r     *os.File
	group int
	done  chan struct{} // closed when nothing can print any more
	last  []string      // the last lines, for error messages
}

// lastLines is how many lines of a failed command are reported, and lineBytes how many
// bytes of each.
const (
	lastLines = 5
	lineBytes = 500
)

func (o *output) read(log *slog.Logger, setting string) {
	defer close(o.done)
	defer o.r.Close()
	lines := bufio.NewReader(o.r)
	for {
		line, _, err := lines.ReadLine() // splits very long lines
		if err != nil {
			return
		}
		log.Debug(setting+": "+string(line), "setting", setting, "output", string(line))
		if len(o.last) == lastLines {
			o.last = o.last[1:]
		}
		o.last = append(o.last, string(line[:min(len(line), lineBytes)]))
	}
}

func (o *output) ended() bool {
	select {
	case <-o.done:
		return true
	default:
		return false
	}
}

// drained waits a moment for the end of the output.
func (o *output) drained() bool {
	select {
	case <-o.done:
		return true
	case <-time.After(drainTime):
		return false
	}
}

// stop kills the group. The output has not ended, which shows that the group still
// exists and that its number was not reused.
func (o *output) stop() {
	if !o.ended() {
		_ = killGroup(o.group) // an error means that it is gone
	}
	if !o.drained() {
		o.r.Close() // a process left the group and holds the pipe
		o.drained()
	}
}
