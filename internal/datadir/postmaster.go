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

// ServerPID is the process that has the directory in use, going by
// postmaster.pid, or zero where none has. A file that names no living process
// was left by a crash.
func (d *Dir) ServerPID() (int, error) {
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
	// After a reboot the number may have become our own or our parent's; the
	// server tests for that in the same way (CreateLockFile, miscinit.c).
	if pid == os.Getpid() || pid == os.Getppid() || !alive(pid) {
		return 0, nil
	}
	return pid, nil
}
