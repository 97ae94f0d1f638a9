package pgtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTreesOfDataDirectories(t *testing.T) {
	build := func(t *testing.T, conf string) string {
		t.Helper()
		dir, outside := t.TempDir(), t.TempDir()
		for _, d := range []string{"base/1", "pg_tblspc"} {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, d), 0o700))
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "base/1/1259"), make([]byte, 200_000), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "postgresql.conf"), []byte(conf), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(outside, "PG_VERSION"), []byte("17\n"), 0o600))
		require.NoError(t, os.Symlink(outside, filepath.Join(dir, "pg_tblspc/16400")))
		require.NoError(t, os.Symlink("postgresql.conf", filepath.Join(dir, "link")))
		return dir
	}
	tree := func(t *testing.T, dir string) Tree {
		t.Helper()
		tree, err := ComputeTree(dir)
		require.NoError(t, err)
		return tree
	}
	a := build(t, "port = 1")

	t.Run("equal content in other places has no difference", func(t *testing.T) {
		assert.Empty(t, tree(t, a).Diff(tree(t, build(t, "port = 1"))))
	})
	t.Run("files behind tablespace links are included and other links are not followed", func(t *testing.T) {
		got := tree(t, a)
		assert.Contains(t, got, "pg_tblspc/16400/PG_VERSION")
		assert.Equal(t, "link to postgresql.conf", got["link"])
	})
	t.Run("content, permissions, presence and absence are told by path", func(t *testing.T) {
		b := build(t, "port = 2")
		require.NoError(t, os.Chmod(filepath.Join(b, "base"), 0o750))
		require.NoError(t, os.Remove(filepath.Join(b, "base/1/1259")))
		require.NoError(t, os.WriteFile(filepath.Join(b, "new"), nil, 0o600))
		diff := tree(t, a).Diff(tree(t, b))
		require.Len(t, diff, 4)
		assert.Equal(t, "base: directory 0700, directory 0750", diff[0])
		assert.Regexp(t, `^base/1/1259: file 0600 200000 bytes \w+, nothing$`, diff[1])
		assert.Regexp(t, `^new: nothing, file 0600 0 bytes`, diff[2])
		assert.Regexp(t, `^postgresql.conf: file`, diff[3])
	})
	t.Run("what is left out is left out with all below", func(t *testing.T) {
		got := tree(t, a).Without(func(path string) bool { return path == "base" || path == "pg_tblspc/16400" })
		assert.Len(t, got, 3)
		assert.NotContains(t, got, "base/1/1259")
	})
	t.Run("a copy is equal, with zeros at its end and links kept", func(t *testing.T) {
		copied := filepath.Join(t.TempDir(), "copy")
		require.NoError(t, copyTree(a, copied))
		assert.Empty(t, tree(t, a).Diff(tree(t, copied)))
	})
}

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

func TestTheSummaryGroupsWhatIsMissingByReason(t *testing.T) {
	used.Lock()
	servers, missing := used.servers, used.missing
	used.servers = map[*Installation]bool{}
	used.missing = map[string]error{
		"9.6":             fmt.Errorf("PostgreSQL 9.6 is %w: %w", ErrUnavailable, errors.New("no network")),
		"10":              fmt.Errorf("PostgreSQL 10 is %w: %w", ErrUnavailable, errors.New("no network")),
		"pg_rewind of 13": errors.New("no apt"),
	}
	used.Unlock()
	got := summary()
	used.Lock()
	used.servers, used.missing = servers, missing
	used.Unlock()
	assert.Equal(t, "pgtest: without pg_rewind of 13 (no apt), 10, 9.6 (no network)", got)
}
