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

// What can be wrong with telling a process that it is looked for.
var (
	errNoProcess   = errors.New("there is no such process")
	errOtherPeople = errors.New("the process is another user's")
)

// processes is what ServerPID must know of this machine.
type processes struct {
	self, parent int
	owner        bool                // this process's user has the data directory
	ask          func(pid int) error // nil for one that lives and is this user's
}

// ServerPID is the process that has the directory in use, going by
// postmaster.pid, or zero where none has. A file that names no living process
// was left by a crash, and so was one that names a process of somebody to whom the
// directory does not belong: no server runs on what is not its user's.
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

// mayServe tells a process that may be a server on the directory from one that
// cannot be, as a starting server does (CreateLockFile, utils/init/miscinit.c).
// After a reboot, or in a new container, the number may be anybody's. Who is not the
// directory's user cannot tell whose a process is that it may not signal.
func (p processes) mayServe(pid int) bool {
	if pid == p.self || pid == p.parent {
		return false
	}
	err := p.ask(pid)
	return !errors.Is(err, errNoProcess) && (!p.owner || !errors.Is(err, errOtherPeople))
}
