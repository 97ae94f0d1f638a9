package target

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/gorewind/gorewind/pgdata"
)

// ErrLocked says that another gorewind works on the target.
var ErrLocked = errors.New("another gorewind is working on the target")

// ErrRunning says that a server runs on the target.
var ErrRunning = errors.New("the target server is running")

// lockTries and lockPause: others have the lock for a moment, too, such as
// `gorewind status`, and a process that is being forked has all that its parent
// has until it becomes another program.
const (
	lockTries = 10
	lockPause = 20 * time.Millisecond
)

// takeLock makes sure that one gorewind at a time works on a target. The lock is
// on PG_VERSION, which every cluster has and nobody replaces, and goes with the
// process.
func (t *Target) takeLock() (f *os.File, taken bool, err error) {
	if f, err = t.OpenFile(pgdata.VersionPath, os.O_RDWR); err != nil {
		return nil, false, t.failed("open", pgdata.VersionPath, err)
	}
	for range lockTries {
		if taken, err = lock(f); taken || err != nil {
			break
		}
		time.Sleep(lockPause)
	}
	if err != nil {
		err = t.failed("lock", pgdata.VersionPath, err)
	}
	if !taken {
		_ = f.Close()
		return nil, false, err
	}
	return f, true, nil
}

// interlockMark is what a postmaster.pid of gorewind's has where a server writes
// its port.
const interlockMark = "gorewind"

// lockOutServers keeps servers from starting, by the file that keeps two servers
// from running in one directory (CreateLockFile, miscinit.c). It is there from
// before the last look at the target until no server can start on it any more;
// if this process dies meanwhile, the next server finds that and goes on.
func (t *Target) lockOutServers() (unlock func() error, err error) {
	text := fmt.Sprintf("%d\n%s\n%d\n%s\n", os.Getpid(), t.Name(), time.Now().Unix(), interlockMark)
	for {
		f, err := t.disk.Open(pgdata.PostmasterPid, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			if err := t.CheckNotRunning(); err != nil {
				return nil, err
			}
			if err := t.remove(pgdata.PostmasterPid); err != nil { // of a server that crashed
				return nil, err
			}
			continue
		}
		if err == nil {
			_, err = f.WriteAt([]byte(text), 0)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return nil, t.failed("create", pgdata.PostmasterPid, err)
		}
		return func() error { return t.remove(pgdata.PostmasterPid) }, nil
	}
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
	if len(lines) > 3 && lines[3] == interlockMark {
		return t.remove(pgdata.PostmasterPid)
	}
	return nil
}

// CheckNotRunning refuses a directory in which a server runs.
func (t *Target) CheckNotRunning() error {
	pid, err := t.ServerPID()
	if err == nil && pid != 0 {
		err = fmt.Errorf("%w: process %d has %q in use: stop it", ErrRunning, pid, t.Name())
	}
	return err
}
