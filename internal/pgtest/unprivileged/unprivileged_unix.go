//go:build unix

package unprivileged

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest/built"
	"github.com/gorewind/gorewind/internal/pgtest/cache"
	"github.com/gorewind/gorewind/internal/pgtest/console"
	"github.com/gorewind/gorewind/internal/pgtest/process"
	"github.com/gorewind/gorewind/internal/pgtest/scratch"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/internal/pgtest/smalldisk"
)

// Tests runs this test program again as an unprivileged user if it
// runs as root; done reports whether it did. Fuzzing is not affected.
func Tests() (code int, done bool) {
	if !process.IsRoot() {
		return 0, false
	}
	if !flag.Parsed() {
		flag.Parse()
	}
	for _, name := range []string{"test.fuzz", "test.fuzzworker"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != f.DefValue {
			return 0, false
		}
	}
	defer scratch.CleanUp()
	w, err := newRootWork()
	if err == nil {
		defer w.remove()
		installGenuine()
		code, err = w.rerun(testArgs)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest: run the tests as an unprivileged user, since PostgreSQL refuses root:", err)
		return 1, true
	}
	return code, true
}

// Program runs this program again as an unprivileged user if it runs as
// root, with the same arguments, and returns its exit status; done reports whether
// it did. Call it first in main.
func Program() (code int, done bool, err error) { return ProgramWith(RootTasks{}) }

// ProgramWith is Program for a program that needs root to do more for it.
func ProgramWith(c RootTasks) (code int, done bool, err error) {
	if !process.IsRoot() {
		return 0, false, nil
	}
	defer scratch.CleanUp()
	w, err := newRootWork()
	if err != nil {
		return 0, true, err
	}
	defer w.remove()
	if c.Genuine {
		installGenuine()
	}
	code, err = w.rerun(func(w *rootWork, args []string) ([]string, error) {
		for name, path := range c.Outputs {
			mine := filepath.Join(w.dir, "out", name)
			w.copyBack = append(w.copyBack, [2]string{mine, path})
			args = append(args, "-"+name+"="+mine) // the last value counts
		}
		return args, nil
	})
	return code, true, err
}

// rootWork is what root prepares for the unprivileged process: a directory that
// is removed afterwards.
type rootWork struct {
	dir      string
	unlock   func()
	signals  chan os.Signal // handled from the start, so that nothing is left behind
	uid, gid int
	env      []string
	copyBack [][2]string // file or directory of the process → destination for root
}

func newRootWork() (w *rootWork, err error) {
	w = &rootWork{uid: 65534, gid: 65534, signals: make(chan os.Signal, 4)}
	signal.Notify(w.signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)
	if nobody, err := user.Lookup("nobody"); err == nil {
		w.uid, _ = strconv.Atoi(nobody.Uid)
		w.gid, _ = strconv.Atoi(nobody.Gid)
	}
	temp := os.TempDir()
	if !reachable(temp) || len(temp) > scratch.MaxTempDir-20 {
		temp = "/tmp"
	}
	made, err := scratch.New(temp, "gorewind-root-")
	if err != nil {
		return nil, err
	}
	w.dir, w.unlock = made.Path, made.Unlock
	defer func() {
		if err != nil {
			w.remove()
		}
	}()
	if err := os.Chmod(w.dir, 0o755); err != nil {
		return nil, err
	}
	for _, name := range []string{"home", "t", "out", "small"} {
		if err := w.mkdir(filepath.Join(w.dir, name)); err != nil {
			return nil, err
		}
	}
	w.env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return built.IsVariable(name) || slices.Contains([]string{
			"HOME", "TMPDIR", "XDG_CACHE_HOME", "USER", "LOGNAME", "PWD", cache.Env,
		}, name)
	})
	w.env = append(w.env,
		"HOME="+filepath.Join(w.dir, "home"),
		"TMPDIR="+filepath.Join(w.dir, "t"),
		"XDG_CACHE_HOME="+filepath.Join(w.dir, "home", ".cache"),
		"USER=nobody", "LOGNAME=nobody")
	if err := w.prepareCache(); err != nil {
		return nil, err
	}
	w.env = append(w.env, built.ForOthers(w.dir, servers.AreToBeFetched())...)
	return w, nil
}

func (w *rootWork) mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return os.Lchown(dir, w.uid, w.gid)
}

// reachable reports whether everyone can traverse all directories of a path,
// including the last.
func reachable(dir string) bool {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	for err == nil {
		var info fs.FileInfo
		if info, err = os.Stat(dir); err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
		dir = filepath.Dir(dir)
	}
	return false
}

// prepareCache gives the process a cache that outlives it: root's, if others
// can reach it. Downloads in it belong to the process's user, genuine programs to root.
func (w *rootWork) prepareCache() error {
	dir, err := cache.Dir()
	if err != nil {
		return err
	}
	if !reachable(dir) {
		if os.Getenv(cache.Env) != "" {
			return fmt.Errorf("%s: other users cannot reach %s", cache.Env, dir)
		}
		_ = os.Remove(dir) // if it was just created
		if dir, err = cache.OwnTempDir(); err != nil {
			return err
		}
		// This process installs the genuine programs there.
		if err := cache.MoveTo(dir); err != nil {
			return err
		}
	}
	w.env = append(w.env, cache.Env+"="+dir)
	for _, name := range []string{cache.Embedded(dir), cache.Templates(dir, w.uid)} {
		if err := w.own(name); err != nil {
			return err
		}
	}
	return nil
}

// own makes the process's user the owner of a directory of the cache and its content.
func (w *rootWork) own(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != 0 || !info.IsDir() {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, w.uid, w.gid)
	})
}

// installGenuine does what the process could not do itself if only root has the
// necessary tools (Python's pip, for example).
func installGenuine() { servers.InstallGenuine(context.Background()) }

// rerun runs this program as the unprivileged user and returns its status.
func (w *rootWork) rerun(adjust func(*rootWork, []string) ([]string, error)) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	program := filepath.Join(w.dir, filepath.Base(self))
	if err := copyExecutable(self, program); err != nil {
		return 0, err
	}
	args, err := adjust(w, os.Args[1:])
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = w.env, os.Stdin, os.Stdout, os.Stderr
	cmd.Dir, err = w.workingDirectory()
	if err != nil {
		return 0, err
	}
	process.BecomeUser(cmd, w.uid, w.gid)
	if out := console.Open(); out != nil {
		defer func() { _ = out.Close() }()
		cmd.ExtraFiles = []*os.File{out}
		cmd.Env = append(cmd.Env, console.Env+"=3")
	}

	select {
	case s := <-w.signals: // during the preparations
		return 0, fmt.Errorf("interrupted: %s", s)
	default:
	}
	runtime.LockOSThread() // see process.Spawn
	defer runtime.UnlockOSThread()
	small := filepath.Join(w.dir, "small")
	if err := smalldisk.Mount(small, w.uid, w.gid); err == nil { // for this thread and its children
		defer smalldisk.Unmount(small)
		cmd.Env = append(cmd.Env, smalldisk.Env+"="+small)
	} else {
		cmd.Env = append(cmd.Env, smalldisk.EnvError+"="+err.Error())
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		var kill <-chan time.Time
		for {
			select {
			case s := <-w.signals:
				_ = cmd.Process.Signal(s)
				if kill == nil {
					kill = time.After(10 * time.Second)
				}
			case <-kill:
				_ = cmd.Process.Kill()
			case <-ended:
				return
			}
		}
	}()
	err = cmd.Wait()
	w.fetchOutputs()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}

// remove waits for servers that still write while they shut down.
func (w *rootWork) remove() {
	defer w.unlock()
	var err error
	for range 50 {
		if err = os.RemoveAll(w.dir); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "pgtest:", err)
}
