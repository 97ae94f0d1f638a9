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

// drainTime is how long the last output of a command is waited for that has ended,
// but left something running which could print more.
const drainTime = 100 * time.Millisecond

// command is one that a server's configuration has.
type command struct {
	setting string   // restore_command or archive_command
	text    string   // as it is run; it can hold passwords
	dir     string   // where it runs
	env     []string // as of exec.Cmd
	log     *slog.Logger
}

// processes are those that commands left running.
type processes struct{ left []*output }

// run gives the status of a command that ended by itself. It is a process group
// of its own, which is killed when the context ends.
func (p *processes) run(ctx context.Context, c command) (status int, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	cmd := shell(ctx, c.text)
	cmd.Dir, cmd.Env = c.dir, c.env
	cmd.Stdout, cmd.Stderr = w, w // files, so that Wait does not wait for what goes on in the background
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
	case err != nil && len(out.last) > 0: // done is closed, so nobody writes to it
		c.log.Info(fmt.Sprintf("%s printed, and failed: %s", c.setting, strings.Join(out.last, "; ")), "setting", c.setting, "output", out.last)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return c.exitStatus(cmd.ProcessState)
}

// exitStatus tells what is worth another attempt from what is not
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

// broken says of a command that was not run why.
func (c command) broken(reason string) error { return c.failed(reason, 0) }

func (c command) failed(reason string, status int) error {
	return &CommandError{Setting: c.setting, Command: c.text, Reason: reason, ExitStatus: status}
}

// close ends what commands left running in the background.
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
	done  chan struct{} // closed when nobody can print any more
	last  []string      // lines, for whoever is told of a failure
}

// lastLines is how many lines of a command that failed are told, and lineBytes how much
// of each.
const (
	lastLines = 5
	lineBytes = 500
)

func (o *output) read(log *slog.Logger, setting string) {
	defer close(o.done)
	defer o.r.Close()
	lines := bufio.NewReader(o.r)
	for {
		line, _, err := lines.ReadLine() // cuts lines that are very long
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

// drained waits for the end of the output, for a moment.
func (o *output) drained() bool {
	select {
	case <-o.done:
		return true
	case <-time.After(drainTime):
		return false
	}
}

// stop kills the group. That the output has no end yet shows that the group is
// still there, and its number not that of another.
func (o *output) stop() {
	if !o.ended() {
		_ = killGroup(o.group) // what is gone need not be killed
	}
	if !o.drained() {
		o.r.Close() // something left the group, and has the pipe
		o.drained()
	}
}
