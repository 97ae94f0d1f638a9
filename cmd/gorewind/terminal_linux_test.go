package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gorewind/gorewind/internal/pgtest/built"
)

// openTerminal opens a pseudo terminal; text closes it and returns what was
// written to it.
func openTerminal(t *testing.T) (terminal *os.File, text func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here, mount /dev/pts: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	all := make(chan string)
	go func() {
		b, _ := io.ReadAll(master) // ends with an error when the terminal is closed
		all <- string(b)
	}()
	return terminal, func() string {
		_ = terminal.Close()
		return <-all
	}
}

func TestRootIsRefused(t *testing.T) {
	target, source := restore(t)
	before := treeOf(t, target)
	cmd := exec.Command(built.Gorewind(t), "-D", target, "--source-pgdata", source)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Skipf("this takes user namespaces, which are switched off here (user.max_user_namespaces): %v", err)
	}
	assert.Equal(t, 1, cmd.ProcessState.ExitCode())
	assert.Equal(t, "gorewind: error: cannot be executed by \"root\"\ngorewind: hint: You must run gorewind as the PostgreSQL superuser.\n", string(out))
	assert.Empty(t, before.Diff(treeOf(t, target)))
}
