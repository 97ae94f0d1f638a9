//go:build unix

package archive

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

// shell runs a command as system(3) does. In a session of its own it has no
// terminal, so nothing can wait there for a password.
func shell(ctx context.Context, command string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

// isLink reports whether the file has other names, too.
func isLink(path string) bool {
	info, err := os.Lstat(path)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return info.Mode().Type() == fs.ModeSymlink || ok && stat.Nlink > 1
}
