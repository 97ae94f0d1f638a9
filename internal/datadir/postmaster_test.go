package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
)

func openWithPid(t *testing.T, text string) *Dir {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "global"), 0o700))
	for name, text := range map[string]string{pgdata.ControlFilePath: "", pgdata.PostmasterPid: text} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	d, err := Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func TestWhoseTheNumberInPostmasterPidMayBe(t *testing.T) {
	const self, parent, other = 100, 90, 300
	for _, c := range []struct {
		name  string
		pid   int
		owner bool
		kill  error
		want  int
	}{
		{"a process of this user may be a server", other, true, nil, other},
		{"a process of this user may be a single-user server", -other, true, nil, other},
		{"a process that is gone is none", other, true, errNoProcess, 0},
		{"a process of another user cannot be one on this user's directory", other, true, errOtherPeople, 0},
		{"a process of another user may be one on that user's directory", other, false, errOtherPeople, other},
		{"a process that is gone is none on another user's directory", other, false, errNoProcess, 0},
		{"a process that cannot be looked for may be one", other, true, errors.New("no permission by a security module"), other},
		{"this process is none", self, true, nil, 0},
		{"this process's parent is none", parent, true, nil, 0},
		{"this process's parent is none, as a single-user server", -parent, true, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := openWithPid(t, fmt.Sprintf("%d\n/data\n", c.pid)).serverPID(processes{self, parent, c.owner, func(pid int) error {
				assert.Positive(t, pid, "a negative number would be a process group")
				return c.kill
			}})
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestTheFirstProcessIsNoServerOnOthersDirectories(t *testing.T) {
	if err := askProcess(1); !errors.Is(err, errOtherPeople) {
		t.Skipf("process 1 may be signalled (%v): run this as an ordinary user", err)
	}
	d := openWithPid(t, "1\n/data\n")
	require.True(t, d.isOwn())
	pid, err := d.ServerPID()
	require.NoError(t, err)
	assert.Zero(t, pid)
}

func TestProcessesAreAskedFor(t *testing.T) {
	assert.NoError(t, askProcess(os.Getpid()))
	const impossible = 1<<31 - 2 // more than there can be
	assert.ErrorIs(t, askProcess(impossible), errNoProcess)
}
