package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/gorewind/gorewind/pgdata"
)

// ErrLocked says that another gorewind works on the target.
var ErrLocked = errors.New("another gorewind is working on the target")

// ErrRunning says that a server runs on the target.
var ErrRunning = errors.New("the target server is running")

// RunningError is an ErrRunning with the process that it is about.
type RunningError struct {
	PID int
	Dir string // the data directory
}

// Fact is what is the matter, without what to do.
func (e *RunningError) Fact() string {
	return fmt.Sprintf("%v: process %d has %q in use", ErrRunning, e.PID, e.Dir)
}

func (e *RunningError) Error() string { return e.Fact() + ": stop it" }

// Unwrap gives ErrRunning.
func (e *RunningError) Unwrap() error { return ErrRunning }

// lockTries and lockPause: others have the lock for a moment, too, such as
// `gorewind status`, and a process that is being forked has all that its parent
// has until it becomes another program.
const (
	lockTries = 10
	lockPause = 20 * time.Millisecond
)

// errNoLock says that the system has no locks for a file.
var errNoLock = errors.New("the file system has no locks")

// takeLock makes sure that one gorewind at a time works on a target. The lock is on
// PG_VERSION, which every cluster has and nobody replaces, and goes with the process.
// What is not yet a cluster has none; so the directory is locked, too, where the file
// system can do that. Where it can lock neither, what keeps servers out keeps gorewinds
// from committing at one time.
func (t *Target) takeLock() (locks []*os.File, taken bool, err error) {
	f, err := t.OpenFile(pgdata.VersionPath, os.O_RDWR)
	if errors.Is(err, syscall.EROFS) {
		f, err = t.OpenFile(pgdata.VersionPath, os.O_RDONLY)
	}
	none := errors.Is(err, fs.ErrNotExist)
	if err != nil && !none {
		return nil, false, t.failed("open", pgdata.VersionPath, err)
	}
	if !none {
		if taken, err = t.lockFile(f); errors.Is(err, errNoLock) {
			t.unlocked = err
		} else if !taken {
			return nil, false, err
		}
		locks = append(locks, f)
	}
	if f, err = os.Open(t.Name()); err != nil {
		closeAll(locks)
		return nil, false, t.failed("open directory", ".", err)
	}
	switch taken, err = t.lockFile(f); {
	case taken:
		locks = append(locks, f)
	case err == nil:
		closeAll(locks)
		return nil, false, nil
	}
	if none && errors.Is(err, errNoLock) {
		t.unlocked = err
	}
	return locks, true, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// lockFile locks a file, or else closes it, unless it cannot be locked at all.
func (t *Target) lockFile(f *os.File) (taken bool, err error) {
	for range lockTries {
		if taken, err = lock(f); taken || err != nil {
			break
		}
		time.Sleep(lockPause)
	}
	if errors.Is(err, errNoLock) {
		return true, err
	}
	if err != nil {
		err = t.failed("lock", pgdata.VersionPath, err)
	}
	if !taken {
		_ = f.Close()
	}
	return taken, err
}

// interlockMark is what a postmaster.pid of gorewind's has where a server writes
// its port.
const interlockMark = "gorewind"

// lockOutServers keeps servers from starting, by the file that keeps two servers
// from running in one directory (CreateLockFile, miscinit.c). It is there from
// before the last look at the target until no server can start on it any more;
// if this process dies meanwhile, the next server finds that and goes on.
func (t *Target) lockOutServers() (unlock func() error, err error) {
	for {
		err := t.createInterlock()
		if err == nil {
			return func() error { return t.remove(pgdata.PostmasterPid) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, t.failed("create", pgdata.PostmasterPid, err)
		}
		if err := t.CheckNotRunning(); err != nil {
			return nil, err
		}
		if err := t.remove(pgdata.PostmasterPid); err != nil { // of a server that crashed
			return nil, err
		}
	}
}

// createInterlock makes postmaster.pid appear with its content: a server does
// not start beside an empty one, even if whoever made it is dead.
func (t *Target) createInterlock() error {
	text := fmt.Appendf(nil, "%d\n%s\n%d\n%s\n", os.Getpid(), t.Name(), time.Now().Unix(), interlockMark)
	temp := stagingDir + "/" + pgdata.PostmasterPid
	if err := t.writeFile(temp, text, 0o600, true); err != nil {
		return err
	}
	err := t.disk.Link(temp, pgdata.PostmasterPid)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// The file system cannot link.
	f, err := t.disk.Open(pgdata.PostmasterPid, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = t.disk.Remove(pgdata.PostmasterPid)
	}
	return err
}

// dropStaleInterlock removes a postmaster.pid of a gorewind that died. Only who
// has the lock may call it.
func (t *Target) dropStaleInterlock() error {
	b, err := t.ReadFile(pgdata.PostmasterPid)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) <= 3 || lines[3] != interlockMark || t.isReadOnly() {
		return nil
	}
	return t.remove(pgdata.PostmasterPid)
}

// CheckNotRunning refuses a directory in which a server runs.
func (t *Target) CheckNotRunning() error {
	pid, err := t.ServerPID()
	if err == nil && pid != 0 {
		err = &RunningError{PID: pid, Dir: t.Name()}
	}
	return err
}
