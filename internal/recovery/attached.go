package recovery

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
)

// sharedMemory lists the System V segments of a Linux system. Other systems do not have
// the file, so nothing is checked there.
const sharedMemory = "/proc/sysvipc/shm"

// checkAttached finds processes of a server whose postmaster was killed: they can
// continue for a while, and write to the files. A starting server finds them by the
// shared memory that they are attached to (CreateLockFile, miscinit.c). This check is
// for cases in which no server is started.
func checkAttached(d *datadir.Dir) error {
	pid, err := d.ReadFile(pgdata.PostmasterPid)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	key, id, ok := segmentOf(string(pid))
	if !ok {
		return nil
	}
	list, err := os.ReadFile(sharedMemory)
	if err != nil {
		return nil //nolint:nilerr // not Linux, or hidden
	}
	if n := attachedTo(string(list), key, id); n != "0" {
		return fmt.Errorf("%w: its postmaster was killed, but %s of its processes still use shared memory segment %s of %q: end them",
			ErrRunning, n, id, d.Name())
	}
	return nil
}

// segmentOf returns the key and the ID of the segment that postmaster.pid names
// in its seventh line (LOCK_FILE_LINE_SHMEM_KEY, utils/pidfile.h).
func segmentOf(pidFile string) (key, id string, ok bool) {
	lines := strings.Split(pidFile, "\n")
	if len(lines) < 7 {
		return "", "", false
	}
	fields := strings.Fields(lines[6])
	if len(fields) != 2 {
		return "", "", false
	}
	return fields[0], fields[1], true
}

// attachedTo returns the number of processes that are attached to a segment, from a list
// with the columns key, shmid, perms, size, cpid, lpid, nattch and more.
func attachedTo(list, key, id string) string {
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) > 6 && f[0] == key && f[1] == id {
			return f[6]
		}
	}
	return "0"
}
