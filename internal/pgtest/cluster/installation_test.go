package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestInspectRefusesWhatIsNoServer(t *testing.T) {
	_, err := Inspect(t.TempDir())
	assert.ErrorContains(t, err, "does not exist")

	dir := t.TempDir()
	say := func(text string) {
		for _, name := range []string{"postgres", "initdb", "pg_ctl"} {
			script := fmt.Sprintf("#!/bin/sh\necho '%s'\n", text)
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755))
		}
	}
	say("postgres (PostgreSQL) 9.5.25")
	_, err = Inspect(dir)
	assert.ErrorContains(t, err, "unknown major")
	say("postgres (PostgreSQL) 190.1")
	_, err = Inspect(dir)
	assert.ErrorContains(t, err, "unknown major")
	say("hello")
	_, err = Inspect(dir)
	assert.ErrorContains(t, err, "hello")

	say("postgres (PostgreSQL) 19beta1 (Some 19~beta1-1)")
	in, err := Inspect(dir)
	require.NoError(t, err)
	assert.Equal(t, "19", in.Version.Name)
	assert.Equal(t, "19beta1", in.String())
	_, ok := in.Program("pg_rewind")
	assert.False(t, ok)
}
