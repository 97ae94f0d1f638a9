package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// DieWithParent puts a server into a process group of its own, so that a
// terminal's interrupt does not reach it, and has the kernel shut it down when
// this process ends.
func DieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
}

// stat returns the fields of a process's /proc/PID/stat from the third on.
func stat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	// The second field is the program's name, which may contain anything.
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

// parents are the parents of all processes.
func parents() map[int]int {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	found := map[int]int{}
	for _, dir := range dirs {
		child, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if f := stat(child); len(f) > 1 {
			found[child], _ = strconv.Atoi(f[1])
		}
	}
	return found
}

// Title is the title of a process.
func Title(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return string(text)
}

// Frozen reports whether a process is stopped, or has ended.
func Frozen(pid int) bool {
	f := stat(pid)
	return len(f) == 0 || f[0] == "T" || f[0] == "Z"
}

// Gone reports whether a process has ended, even if it was not reaped: in a
// container there may be nobody to reap orphans.
func Gone(pid int) bool {
	f := stat(pid)
	return len(f) == 0 || f[0] == "Z" || f[0] == "X"
}

// RemoveSharedMemory removes the System V segment that a killed postmaster
// leaves; its number is the last word of line 7 of postmaster.pid.
func RemoveSharedMemory(datadir string) {
	text, err := os.ReadFile(filepath.Join(datadir, "postmaster.pid"))
	if err != nil {
		return
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 7 {
		return
	}
	words := strings.Fields(lines[6])
	if len(words) != 2 {
		return
	}
	if id, err := strconv.Atoi(words[1]); err == nil {
		const ipcRmid = 0
		_, _, _ = syscall.Syscall(syscall.SYS_SHMCTL, uintptr(id), ipcRmid, 0)
	}
}

// BecomeUser makes a command run as another user, and end with this process. A
// process group of its own keeps a terminal's interrupt from reaching it twice.
func BecomeUser(cmd *exec.Cmd, uid, gid int) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
		Setpgid:    true,
		Pdeathsig:  syscall.SIGKILL,
	}
}
