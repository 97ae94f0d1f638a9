//go:build unix

package scratch

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestScratchDirectoriesOfDeadProcessesAreRemoved(t *testing.T) {
	temp := t.TempDir()
	alive, err := New(temp, "x-")
	require.NoError(t, err)
	dead, err := New(temp, "x-")
	require.NoError(t, err)
	dead.Unlock()
	next, err := New(temp, "x-")
	require.NoError(t, err)
	assert.DirExists(t, alive.Path)
	assert.DirExists(t, next.Path)
	assert.NoDirExists(t, dead.Path)
}
