package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// Why a process cannot be signalled.
var (
	errNoProcess   = errors.New("there is no such process")
	errOtherPeople = errors.New("the process is another user's")
)

// processes is what ServerPID must know about this machine.
type processes struct {
	self, parent int
	owner        bool                // this process's user owns the data directory
	ask          func(pid int) error // returns nil for a live process of this user
}

// ServerPID is the process ID of the server that uses the directory according to
// postmaster.pid, or zero if there is none. If the file names no live process, a crash
// left it behind. The same is true if the process belongs to a user who does not own the
// directory: a server only runs as the owner of its directory.
func (d *Dir) ServerPID() (int, error) {
	return d.serverPID(processes{os.Getpid(), os.Getppid(), d.isOwn(), askProcess})
}

func (d *Dir) serverPID(p processes) (int, error) {
	b, err := d.ReadFile(pgdata.PostmasterPid)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid == 0 {
		return 0, fmt.Errorf("file %q does not begin with a process number: is a server about to start there?", d.Join(pgdata.PostmasterPid))
	}
	if pid < 0 {
		pid = -pid // a single-user server
	}
	if !p.mayServe(pid) {
		return 0, nil
	}
	return pid, nil
}

// mayServe reports whether a process may be a server on the directory, as a
// starting server does (CreateLockFile, utils/init/miscinit.c).
// After a reboot, or in a new container, the number may belong to any process. A user who
// does not own the directory cannot tell whose process it is if it may not be signalled.
func (p processes) mayServe(pid int) bool {
	if pid == p.self || pid == p.parent {
		return false
	}
	err := p.ask(pid)
	return !errors.Is(err, errNoProcess) && (!p.owner || !errors.Is(err, errOtherPeople))
}
