package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/internal/pgtest/process"
)

// server is a postmaster process.
type server struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// StopMode is how a server is shut down, as in pg_ctl stop -m.
type StopMode string

// The modes of pg_ctl stop.
const (
	Smart     StopMode = "smart"     // waits for clients to disconnect
	Fast      StopMode = "fast"      // disconnects clients, writes a checkpoint
	Immediate StopMode = "immediate" // leaves crash recovery to the next start
)

var stopSignals = map[StopMode]syscall.Signal{
	Smart: syscall.SIGTERM, Fast: syscall.SIGINT, Immediate: syscall.SIGQUIT,
}

const stopTimeout = time.Minute

// live are the clusters whose server this process must stop.
var (
	live    sync.Map    // *Cluster → struct{}
	closing atomic.Bool // no more servers may be started
)

func stopAll() {
	closing.Store(true)
	var all sync.WaitGroup
	live.Range(func(c, _ any) bool {
		all.Go(c.(*Cluster).halt)
		return true
	})
	all.Wait()
}

// Start starts the server and waits until it accepts connections. Options go to
// the postgres command line, as in "-c", "hot_standby=off".
func (c *Cluster) Start(t T, options ...string) {
	t.Helper()
	if err := c.TryStart(options...); err != nil {
		t.Fatalf("%v", err)
	}
}

// TryStart is Start for servers that may fail to start: the error ends
// with what the server logged. A server that runs but does not accept connections
// within StartTimeout is an error, too; it is then stopped.
func (c *Cluster) TryStart(options ...string) error {
	logged := c.logSize()
	s, err := c.launch(options)
	if err != nil {
		return fmt.Errorf("start %s: %w", c.Name, err)
	}
	deadline := time.Now().Add(c.StartTimeout)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		select {
		case <-s.done:
			live.Delete(c)
			return fmt.Errorf("%s (PostgreSQL %s) did not start: %s; it logged:\n%s",
				c.Name, c.In, s.cmd.ProcessState, c.logSince(logged))
		case <-time.After(pause):
		}
		late := time.Now().After(deadline)
		hopeless := c.Hopeless != nil && c.Hopeless(c.logSince(logged))
		if !late && !hopeless && c.In.dialect().saysReady {
			if c.saysReady(s.cmd.Process.Pid) {
				return nil
			}
			continue
		}
		if err = c.ping(); err == nil {
			return nil
		}
		if late || hopeless {
			c.halt()
			waited := "without end"
			if late {
				waited = "within " + c.StartTimeout.String()
			}
			return fmt.Errorf("%s (PostgreSQL %s) took no connections %s: %w; it logged:\n%s",
				c.Name, c.In, waited, err, c.logSince(logged))
		}
	}
}

// saysReady reports whether the server says that it accepts connections, in line 8 of
// postmaster.pid, where pg_ctl looks, too. Connecting would cost a process each time.
func (c *Cluster) saysReady(pid int) bool {
	text, err := os.ReadFile(filepath.Join(c.Dir, "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(text), "\n")
	// The file of another process was left by an earlier server.
	return len(lines) > 7 && lines[0] == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

func (c *Cluster) launch(options []string) (*server, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server != nil && !c.server.ended() {
		return nil, errors.New("it runs already")
	}
	listen := ""
	if c.tcp {
		listen = "127.0.0.1"
	}
	postgres, _ := c.In.Program("postgres")
	args := append([]string{
		"-D", c.Dir,
		"-c", fmt.Sprintf("port=%d", c.port),
		"-c", "listen_addresses=" + listen,
		"-c", "unix_socket_directories=" + c.home,
	}, options...)
	log, err := os.OpenFile(c.LogFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.CommandContext(context.Background(), postgres, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = Env(), log, log
	process.DieWithParent(cmd)
	live.Store(c, struct{}{})
	if closing.Load() {
		return nil, errors.New("the process is about to end")
	}
	if err := process.Spawn()(cmd); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, done: make(chan struct{})}
	c.server = s
	go func() {
		_ = cmd.Wait() // ProcessState shows how it ended
		close(s.done)
	}()
	return s, nil
}

func (s *server) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// ping connects once.
func (c *Cluster) ping() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, c.ConnString("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// Running reports whether the server process is alive.
func (c *Cluster) Running() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.server != nil && !c.server.ended()
}

// PID is the process ID of the postmaster, or zero if it is not running.
func (c *Cluster) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil || c.server.ended() {
		return 0
	}
	return c.server.cmd.Process.Pid
}

// Stop shuts the server down and waits until it is gone. Stopping a stopped
// server does nothing.
func (c *Cluster) Stop(t T, mode StopMode) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return
	}
	if !c.server.ended() {
		sig, ok := stopSignals[mode]
		if !ok {
			t.Fatalf("unknown stop mode %q", mode)
		}
		if err := c.server.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatalf("stop %s: %v", c.Name, err)
		}
		select {
		case <-c.server.done:
		case <-time.After(stopTimeout):
			_ = c.killLocked()
			t.Fatalf("%s did not stop within %v", c.Name, stopTimeout)
		}
	}
	c.forgetLocked()
}

// Kill ends the postmaster and all its children with SIGKILL, as a crash does,
// and waits until they are gone.
func (c *Cluster) Kill(t T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil || c.server.ended() {
		t.Fatalf("%s does not run, so it cannot be killed", c.Name)
	}
	if err := c.killLocked(); err != nil {
		t.Fatalf("kill %s: %v", c.Name, err)
	}
}

func (c *Cluster) killLocked() error {
	pid := c.server.cmd.Process.Pid
	family := process.FreezeDescendants(pid) // no new ones, and no reaction to the old ones' death
	_ = c.server.cmd.Process.Kill()
	for _, child := range family {
		if p, err := os.FindProcess(child); err == nil {
			_ = p.Kill()
		}
	}
	<-c.server.done
	deadline := time.Now().Add(stopTimeout)
	for _, child := range family {
		for !process.Gone(child) {
			if time.Now().After(deadline) {
				return fmt.Errorf("process %d survived", child)
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	process.RemoveSharedMemory(c.Dir)
	c.forgetLocked()
	return nil
}

// halt ends the server quickly, without regard for the cluster.
func (c *Cluster) halt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.haltLocked()
}

func (c *Cluster) haltLocked() {
	if c.server == nil {
		return
	}
	if !c.server.ended() {
		_ = c.server.cmd.Process.Signal(syscall.SIGQUIT)
		select {
		case <-c.server.done:
		case <-time.After(5 * time.Second):
			_ = c.killLocked()
		}
	}
	c.forgetLocked()
}

func (c *Cluster) forgetLocked() {
	c.server = nil
	live.Delete(c)
}

// Reload makes the server read its configuration again.
func (c *Cluster) Reload(t T) {
	t.Helper()
	c.Exec(t, "SELECT pg_reload_conf()")
}

// Promote promotes a standby, as pg_ctl promote does, and waits until it
// accepts writes. It does not wait for the checkpoint that follows.
func (c *Cluster) Promote(t T) {
	t.Helper()
	pid := c.PID()
	if pid == 0 {
		t.Fatalf("%s does not run, so it cannot be promoted", c.Name)
	}
	if err := os.WriteFile(filepath.Join(c.Dir, "promote"), nil, 0o600); err != nil {
		t.Fatalf("promote %s: %v", c.Name, err)
	}
	if err := process.Promote(pid); err != nil {
		t.Fatalf("promote %s: %v", c.Name, err)
	}
	query, end := c.polling(t, "SELECT pg_is_in_recovery()")
	defer end()
	c.waitFor(t, "the promotion", func() (bool, string) {
		in := query()[0][0]
		return in == "f", "pg_is_in_recovery() is " + in
	})
}

func (c *Cluster) logSize() int64 {
	info, err := os.Stat(c.LogFile)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Log is everything that the servers of this cluster logged.
func (c *Cluster) Log() string { return c.logSince(0) }

func (c *Cluster) logSince(offset int64) string {
	text, err := os.ReadFile(c.LogFile)
	if err != nil || int64(len(text)) < offset {
		return ""
	}
	return string(text[offset:])
}

// LogTail is at most the last n lines of Log.
func (c *Cluster) LogTail(n int) string {
	lines := strings.SplitAfter(c.Log(), "\n")
	return strings.Join(lines[max(0, len(lines)-n-1):], "")
}
