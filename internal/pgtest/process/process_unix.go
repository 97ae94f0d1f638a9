//go:build unix

package process

import (
	"os"
	"os/exec"
	"syscall"
)

// IsRoot reports whether PostgreSQL would refuse to start.
func IsRoot() bool { return os.Geteuid() == 0 }

// Freeze stops a process without its noticing.
func Freeze(pid int) { _ = syscall.Kill(pid, syscall.SIGSTOP) }

// FreezeDescendants stops a process and all that it started, such as the shell of an
// archive_command, and lists the latter.
func FreezeDescendants(pid int) []int {
	var all []int
	frozen := map[int]bool{pid: true}
	Freeze(pid)
	for before := -1; before < len(all); {
		before = len(all)
		for child, parent := range parents() {
			if frozen[parent] && !frozen[child] {
				Freeze(child)
				frozen[child] = true
				all = append(all, child)
			}
		}
	}
	return all
}

// Children lists the live child processes of pid.
func Children(pid int) []int {
	var found []int
	for child, parent := range parents() {
		if parent == pid {
			found = append(found, child)
		}
	}
	return found
}

// Thaw ends Freeze.
func Thaw(pid int) { _ = syscall.Kill(pid, syscall.SIGCONT) }

// Promote makes a postmaster look for the file "promote".
func Promote(pid int) error { return syscall.Kill(pid, syscall.SIGUSR1) }

// KillGroup makes the end of a command's context kill its child processes, too.
func KillGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
