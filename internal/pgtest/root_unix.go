//go:build unix

package pgtest

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
	"testing"
	"time"
)

// unprivilegedTest runs this test program again as an unprivileged user if it
// runs as root; done tells that it did. Fuzzing stays as it is.
func unprivilegedTest(*testing.M) (code int, done bool) {
	if !isRoot() {
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
	defer CleanUp()
	w, err := newRootWork()
	if err == nil {
		defer w.remove()
		w.installGenuine()
		code, err = w.rerun(testArgs)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest: run the tests as an unprivileged user, since PostgreSQL refuses root:", err)
		return 1, true
	}
	return code, true
}

// Unprivileged runs this program again as an unprivileged user if it runs as
// root, with the same arguments, and returns its exit status; done tells that
// it did. Call it first thing in main.
func Unprivileged() (code int, done bool, err error) { return UnprivilegedWith(Chores{}) }

// UnprivilegedWith is Unprivileged for a program that needs more than that.
func UnprivilegedWith(c Chores) (code int, done bool, err error) {
	if !isRoot() {
		return 0, false, nil
	}
	defer CleanUp()
	w, err := newRootWork()
	if err != nil {
		return 0, true, err
	}
	defer w.remove()
	if c.Genuine {
		w.installGenuine()
	}
	code, err = w.rerun(func(w *rootWork, args []string) ([]string, error) {
		for name, path := range c.Outputs {
			mine := filepath.Join(w.dir, "out", name)
			w.copyBack = append(w.copyBack, [2]string{mine, path})
			args = append(args, "-"+name+"="+mine) // the last one counts
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
	signals  chan os.Signal // taken from the start, so that nothing is left behind
	uid, gid int
	env      []string
	copyBack [][2]string // file or directory of the process → where root wants it
}

func newRootWork() (w *rootWork, err error) {
	w = &rootWork{uid: 65534, gid: 65534, signals: make(chan os.Signal, 4)}
	signal.Notify(w.signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)
	if nobody, err := user.Lookup("nobody"); err == nil {
		w.uid, _ = strconv.Atoi(nobody.Uid)
		w.gid, _ = strconv.Atoi(nobody.Gid)
	}
	temp := os.TempDir()
	if !reachable(temp) || len(temp) > maxTempDir-20 {
		temp = "/tmp"
	}
	scratch, err := newScratchDir(temp, "gorewind-root-")
	if err != nil {
		return nil, err
	}
	w.dir, w.unlock = scratch.path, scratch.unlock
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
		return slices.Contains([]string{
			"HOME", "TMPDIR", "XDG_CACHE_HOME", "USER", "LOGNAME", "PWD", envCache, envGorewind, envGorewindError,
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
	if path, err := buildGorewind(w.dir); err == nil {
		w.env = append(w.env, envGorewind+"="+path)
	} else {
		w.env = append(w.env, envGorewindError+"="+err.Error())
	}
	return w, nil
}

func (w *rootWork) mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return os.Lchown(dir, w.uid, w.gid)
}

// reachable tells whether everyone can pass through all directories of a path
// and into the last.
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
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	if !reachable(cache) {
		if os.Getenv(envCache) != "" {
			return fmt.Errorf("%s: other users cannot reach %s", envCache, cache)
		}
		_ = os.Remove(cache) // if it was made just now
		if cache, err = ownTempDir(); err != nil {
			return err
		}
		// This process installs the genuine programs there.
		if err := os.Setenv(envCache, cache); err != nil {
			return err
		}
		cacheDir = func() (string, error) { return cache, nil }
	}
	w.env = append(w.env, envCache+"="+cache)
	for _, name := range []string{"embedded", templateName(w.uid)} {
		if err := w.own(filepath.Join(cache, name)); err != nil {
			return err
		}
	}
	return nil
}

// own makes a directory of the cache the process's, with what root left there.
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

// installGenuine does what the process could not do itself if what it takes
// (Python's pip, say) is only root's. Failures show up where the programs are wanted.
// What one package's tests installed the others find, and do not even look at it.
func (w *rootWork) installGenuine() {
	for _, major := range missingGenuine() {
		_, _ = genuineMajor(context.Background(), major)
	}
}

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
	becomeUser(cmd, w.uid, w.gid)
	if console := openConsole(); console != nil {
		defer func() { _ = console.Close() }()
		cmd.ExtraFiles = []*os.File{console}
		cmd.Env = append(cmd.Env, envConsole+"=3")
	}

	select {
	case s := <-w.signals: // while the preparations were made
		return 0, fmt.Errorf("interrupted: %s", s)
	default:
	}
	runtime.LockOSThread() // see spawn
	defer runtime.UnlockOSThread()
	small := filepath.Join(w.dir, "small")
	if err := mountSmallDisk(small, w.uid, w.gid); err == nil { // for this thread and its children
		defer unmountSmallDisk(small)
		cmd.Env = append(cmd.Env, envSmallDisk+"="+small)
	} else {
		cmd.Env = append(cmd.Env, envSmallDiskError+"="+err.Error())
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

// workingDirectory is empty if the process can stay where it is. Otherwise it is
// the same place in a copy of the module.
func (w *rootWork) workingDirectory() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	module := here
	for {
		if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
			break
		}
		if module == filepath.Dir(module) {
			if reachable(here) {
				return "", nil
			}
			return w.dir, nil // a program that was started outside of a module
		}
		module = filepath.Dir(module)
	}
	if reachable(module) && readableByAll(module) {
		return "", nil
	}
	rel, err := filepath.Rel(module, here)
	if err != nil {
		return "", err
	}
	copied := filepath.Join(w.dir, "src")
	if err := copyModule(module, copied, w.uid, w.gid); err != nil {
		return "", err
	}
	return filepath.Join(copied, rel), nil
}

// walkModule visits what tests may read: all but hidden directories.
func walkModule(module string, visit func(rel string, info fs.FileInfo) error) error {
	return filepath.WalkDir(module, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != module && strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		rel, err := filepath.Rel(module, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return visit(rel, info)
	})
}

func readableByAll(module string) bool {
	return walkModule(module, func(_ string, info fs.FileInfo) error {
		perm := info.Mode().Perm()
		if info.IsDir() && perm&0o005 != 0o005 || info.Mode().IsRegular() && perm&0o004 == 0 {
			return fs.ErrPermission
		}
		return nil
	}) == nil
}

func copyModule(module, to string, uid, gid int) error {
	return walkModule(module, func(rel string, info fs.FileInfo) error {
		target := filepath.Join(to, rel)
		var err error
		switch {
		case info.IsDir():
			err = os.Mkdir(target, 0o700)
		case info.Mode().IsRegular():
			err = copyFile(filepath.Join(module, rel), target, info)
		case info.Mode()&fs.ModeSymlink != 0:
			var link string
			if link, err = os.Readlink(filepath.Join(module, rel)); err == nil {
				err = os.Symlink(link, target)
			}
		default:
			return nil
		}
		if err != nil {
			return err
		}
		return os.Lchown(target, uid, gid)
	})
}

func copyExecutable(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := copyFile(from, to, info); err != nil {
		return err
	}
	return os.Chmod(to, 0o755)
}

// outputFlags are the flags of test programs that name a file or directory to
// write.
var outputFlags = map[string]bool{
	"test.coverprofile": true, "test.gocoverdir": true, "test.cpuprofile": true, "test.memprofile": true,
	"test.blockprofile": true, "test.mutexprofile": true, "test.trace": true,
}

// testArgs changes the arguments of a test program so that it writes where it
// may. What it writes there is fetched afterwards. The log that lets go cache
// results is dropped: root's results are not cached.
func testArgs(w *rootWork, args []string) ([]string, error) {
	outputDir := ""
	if f := flag.Lookup("test.outputdir"); f != nil {
		outputDir = f.Value.String()
	}
	var adjusted []string
	for i, arg := range args {
		name, value, ok := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case arg == "--" || !strings.HasPrefix(arg, "-"):
			return append(adjusted, args[i:]...), nil // the test's own
		case !ok || value == "":
		case name == "test.testlogfile" || name == "test.outputdir":
			continue
		case outputFlags[name]:
			mine := filepath.Join(w.dir, "out", name)
			if name == "test.gocoverdir" {
				if err := w.mkdir(mine); err != nil {
					return nil, err
				}
			} else if outputDir != "" && !filepath.IsAbs(value) {
				value = filepath.Join(outputDir, value)
			}
			w.copyBack = append(w.copyBack, [2]string{mine, value})
			arg = "-" + name + "=" + mine
		}
		adjusted = append(adjusted, arg)
	}
	return adjusted, nil
}

func (w *rootWork) fetchOutputs() {
	for _, c := range w.copyBack {
		from, to := c[0], c[1]
		info, err := os.Lstat(from)
		if err != nil {
			continue // not written
		}
		if !info.IsDir() {
			err = replaceFile(from, to)
		} else {
			var files []os.DirEntry
			files, err = os.ReadDir(from)
			for _, f := range files {
				err = errors.Join(err, replaceFile(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())))
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
		}
	}
}

func replaceFile(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return copyFile(from, to, info)
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
