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

// Thaw ends Freeze.
func Thaw(pid int) { _ = syscall.Kill(pid, syscall.SIGCONT) }

// Promote makes a postmaster look for the file "promote".
func Promote(pid int) error { return syscall.Kill(pid, syscall.SIGUSR1) }

// KillGroup makes the end of a command's context kill its child processes, too.
func KillGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
