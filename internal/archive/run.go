package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"time"
)

// drainTime is how long the last output of a command is waited for that has ended,
// but left something running which could print more.
const drainTime = 100 * time.Millisecond

// run gives the status of a command that ended by itself. It is a process group
// of its own, which is killed when the context ends.
func (a *Archive) run(ctx context.Context, command string) (status int, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	cmd := shell(ctx, command)
	cmd.Dir = a.DataDir
	cmd.Stdout, cmd.Stderr = w, w // files, so that Wait does not wait for what goes on in the background
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return 0, fmt.Errorf("could not run restore_command in directory %q: %w", a.DataDir, err)
	}
	out := &output{r: r, group: cmd.Process.Pid, done: make(chan struct{})}
	go out.read(a.log())
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		out.stop()
		return 0, ctx.Err()
	case !out.drained():
		a.forgetEnded()
		a.left = append(a.left, out)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return exitStatus(command, cmd.ProcessState)
}

// exitStatus tells what is worth another attempt from what is not
// (wait_result_is_any_signal, common/wait_error.c).
func exitStatus(command string, s *os.ProcessState) (int, error) {
	status := s.ExitCode()
	switch {
	case status == 126:
		return 0, &CommandError{command, "command not executable"}
	case status == 127:
		return 0, &CommandError{command, "command not found"}
	case status > 125:
		return 0, &CommandError{command, fmt.Sprintf("child process exited with exit code %d", status)}
	case status < 0:
		return 0, &CommandError{command, "child process was terminated by " + s.String()}
	}
	return status, nil
}

// Close ends what commands left running in the background, as those do that
// fetch the next files early. The caller may remove its directory then.
func (a *Archive) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgetEnded()
	for _, out := range a.left {
		out.stop()
	}
	a.left = nil
}

func (a *Archive) forgetEnded() {
	kept := a.left[:0]
	for _, out := range a.left {
		if !out.ended() {
			kept = append(kept, out)
		}
	}
	a.left = kept
}

// output logs what a process group prints, line by line.
type output struct {
	r     *os.File
	group int
	done  chan struct{} // closed when nobody can print any more
}

func (o *output) read(log *slog.Logger) {
	defer close(o.done)
	defer o.r.Close()
	lines := bufio.NewReader(o.r)
	for {
		line, _, err := lines.ReadLine() // cuts lines that are very long
		if err != nil {
			return
		}
		log.Info("restore_command: " + string(line))
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
