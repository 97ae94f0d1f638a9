//go:build unix && !linux

package process

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// DieWithParent puts a server into a process group of its own, so that a
// terminal's interrupt does not reach it. Only Linux can do more.
func DieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// parents are the parents of all processes.
func parents() map[int]int {
	out, err := exec.Command("ps", "-axo", "pid=,ppid=").Output()
	if err != nil {
		return nil
	}
	found := map[int]int{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 2 {
			continue
		}
		if child, err := strconv.Atoi(f[0]); err == nil {
			found[child], _ = strconv.Atoi(f[1])
		}
	}
	return found
}

// Title is the title of a process.
func Title(pid int) string {
	out, _ := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return string(out)
}

// Frozen reports whether a process is stopped, or has ended.
func Frozen(pid int) bool {
	out, _ := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	return len(out) == 0 || out[0] == 'T' || out[0] == 'Z'
}

// Gone reports whether a process has ended.
func Gone(pid int) bool { return syscall.Kill(pid, 0) == syscall.ESRCH }

// RemoveSharedMemory does nothing: it is only implemented for Linux.
func RemoveSharedMemory(string) {}

// BecomeUser makes a command run as another user. A process group of its own
// keeps a terminal's interrupt from reaching it twice.
func BecomeUser(cmd *exec.Cmd, uid, gid int) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
		Setpgid:    true,
	}
}
