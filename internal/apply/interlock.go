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

// ErrLocked says that another gorewind is working on the target.
var ErrLocked = errors.New("another gorewind is working on the target")

// ErrRunning says that a server is running on the target.
var ErrRunning = errors.New("the target server is running")

// RunningError is ErrRunning with the server's process.
type RunningError struct {
	PID int
	Dir string // the data directory
}

// Fact says what is wrong, but not what to do.
func (e *RunningError) Fact() string {
	return fmt.Sprintf("%v: process %d has %q in use", ErrRunning, e.PID, e.Dir)
}

func (e *RunningError) Error() string { return e.Fact() + ": stop it" }

// Unwrap returns ErrRunning.
func (e *RunningError) Unwrap() error { return ErrRunning }

// lockTries and lockPause are for locks that are held only for a moment: by
// `gorewind status`, or by a forked process, which has its parent's files open
// until it executes another program.
const (
	lockTries = 10
	lockPause = 20 * time.Millisecond
)

// errNoLock says that a file cannot be locked on this system.
var errNoLock = errors.New("the file system has no locks")

// takeLock makes sure that only one gorewind at a time works on a target. The lock is
// on PG_VERSION, which every cluster has and nobody replaces, and ends with the
// process. An incomplete cluster may lack that file, so the directory is locked, too,
// if the file system can do that. If neither can be locked, the file that keeps servers
// out still keeps two gorewinds from committing at the same time.
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

// lockFile locks a file. If it fails, it closes the file, unless the file cannot be
// locked at all.
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

// interlockMark is in a postmaster.pid of gorewind's where a server writes its
// port.
const interlockMark = "gorewind"

// lockOutServers keeps servers from starting, with the file that keeps two servers
// from running in one directory (CreateLockFile, miscinit.c). The file exists from
// before the last check of the target until no server can start on it any more. If
// this process dies meanwhile, the next server sees that and ignores the file.
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
		if err := t.remove(pgdata.PostmasterPid); err != nil { // a crashed server's
			return nil, err
		}
	}
}

// createInterlock makes postmaster.pid appear complete: a server does not start if
// the file is empty, even if the process that made it is dead.
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

// dropStaleInterlock removes a postmaster.pid of a gorewind that died. The caller
// must hold the lock.
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
