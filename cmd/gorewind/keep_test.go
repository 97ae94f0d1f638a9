package main

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// obstacle is something on one side that prevents a rewind.
type obstacle struct {
	name string
	put  func(t *testing.T, target, source string)
	says string // with what to do, where nothing is kept; empty where it is no obstacle
	keep string
}

func obstacles() []obstacle {
	put := func(t *testing.T, name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	closed := func(t *testing.T, name string) {
		require.NoError(t, os.MkdirAll(name, 0o700))
		require.NoError(t, os.Chmod(name, 0))
		t.Cleanup(func() { _ = os.Chmod(name, 0o700) })
	}
	linked := func(t *testing.T, name, to string) {
		require.NoError(t, os.RemoveAll(name))
		require.NoError(t, os.Symlink(to, name))
	}
	return []obstacle{
		{
			name: "lost+found that nobody may read, on both sides",
			put: func(t *testing.T, target, source string) {
				closed(t, filepath.Join(target, "lost+found"))
				closed(t, filepath.Join(source, "lost+found"))
			},
		},
		{
			name: "lost+found on the target only",
			put:  func(t *testing.T, target, _ string) { closed(t, filepath.Join(target, "lost+found")) },
		},
		{
			name: "a directory of the source that nobody may read", keep: "private", says: "Make it readable, or, if it holds no data, keep the target's own with --keep.",
			put: func(t *testing.T, _, source string) { closed(t, filepath.Join(source, "private")) },
		},
		{
			name: "a directory of the target that nobody may read", keep: "private", says: "Make it readable, or, if it holds no data, keep the target's own with --keep.",
			put: func(t *testing.T, target, source string) {
				put(t, filepath.Join(source, "private", "x"), "x")
				closed(t, filepath.Join(target, "private"))
			},
		},
		{
			name: "a file of the source that nobody may read", keep: "*.key", says: "Make it readable, or, if it holds no data, keep the target's own with --keep.",
			put: func(t *testing.T, target, source string) {
				put(t, filepath.Join(target, "server.key"), "own")
				put(t, filepath.Join(source, "server.key"), "one")
				require.NoError(t, os.Chmod(filepath.Join(source, "server.key"), 0))
			},
		},
		{
			name: "a directory that is a link on the target only", keep: "log", says: "make them the same, or keep the target's with --keep",
			put: func(t *testing.T, target, source string) {
				put(t, filepath.Join(source, "log", "x"), "x")
				linked(t, filepath.Join(target, "log"), t.TempDir())
			},
		},
		{
			name: "a directory that is a link on both sides",
			put: func(t *testing.T, target, source string) {
				linked(t, filepath.Join(target, "log"), t.TempDir())
				linked(t, filepath.Join(source, "log"), t.TempDir())
			},
		},
		{
			name: "configuration that is switched off", keep: "postgresql.auto.conf", says: "make them the same, or keep the target's with --keep",
			put: func(t *testing.T, target, source string) {
				put(t, filepath.Join(source, "postgresql.conf"), "")
				put(t, filepath.Join(source, "postgresql.auto.conf"), "restore_command = 'false'\n")
				linked(t, filepath.Join(target, "postgresql.auto.conf"), os.DevNull)
			},
		},
		{
			name: "files that can only be read", keep: "read.*", says: "Permission denied: make it writable, or keep it with --keep",
			put: func(t *testing.T, target, source string) {
				for _, dir := range []string{target, source} {
					put(t, filepath.Join(dir, "read.only"), dir)
					require.NoError(t, os.Chmod(filepath.Join(dir, "read.only"), 0o400))
				}
			},
		},
	}
}

// If keeping the target's own files avoids the obstacle, the error says so, and it works.
func TestWhatCanBeKeptIsSaidAndGotAround(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("root reads everything, and so does everybody on Windows: run this as an ordinary user of another system")
	}
	for _, o := range obstacles() {
		t.Run(o.name, func(t *testing.T) {
			target, source := restore(t)
			o.put(t, target, source)
			args := []string{"-N", "-D", target, "--source-pgdata", source}
			if o.says != "" {
				before := treeIfReadable(t, target)
				got := gorewind(t, args...)
				assert.Equal(t, 1, got.status, got.stderr)
				assert.Contains(t, got.stderr, o.says)
				assert.Equal(t, before, treeIfReadable(t, target))
				args = append(args, "--keep", o.keep)
			}
			got := gorewind(t, args...)
			assert.Equal(t, 0, got.status, got.stderr)
			assert.NotContains(t, got.stderr, "is not known")
		})
	}
}

// treeIfReadable is a digest of a directory, or nothing if some of it cannot be read.
func treeIfReadable(t *testing.T, dir string) any {
	tree, err := treeIn(dir)
	if os.IsPermission(err) {
		return nil
	}
	require.NoError(t, err)
	return tree
}

// The same if the source is a server, which lists nothing if there is something
// that it may not list, and lists links as their destinations.
func TestWhatCanBeKeptIsGotAroundOverSQL(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("root reads everything, and so does everybody on Windows: run this as an ordinary user of another system")
	}
	target, source := diverged(t, "18")
	for _, name := range []string{"lost+found", "private"} {
		dir := filepath.Join(source.Dir, name)
		require.NoError(t, os.Mkdir(dir, 0))
		t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	}
	key := filepath.Join(source.Dir, "server.key")
	require.NoError(t, os.WriteFile(key, []byte("one"), 0))
	for _, dir := range []string{target.Dir, source.Dir} {
		logs := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(logs, "today"), []byte(dir), 0o600))
		require.NoError(t, os.Symlink(logs, filepath.Join(dir, "log")))
	}
	auto := filepath.Join(target.Dir, "postgresql.auto.conf")
	require.NoError(t, os.Remove(auto))
	require.NoError(t, os.Symlink(os.DevNull, auto))

	args := []string{"-N", "-D", target.Dir, "--source-server", source.ConnString("postgres")}
	before := treeOf(t, target.Dir)
	for _, next := range []struct{ says, keep string }{
		{"Make it readable, or, if it holds no data, keep the target's own with --keep.", "private"},
		{"make them the same, or keep the target's with --keep", "log"},
		{"make them the same, or keep the target's with --keep", "postgresql.auto.conf"},
		{"Make it readable, or, if it holds no data, keep the target's own with --keep.", "*.key"},
	} {
		got := gorewind(t, args...)
		assert.Equal(t, 1, got.status, got.stderr)
		assert.Contains(t, got.stderr, next.says)
		assert.Empty(t, before.Diff(treeOf(t, target.Dir)))
		args = append(args, "--keep="+next.keep)
	}
	got := gorewind(t, args...)
	require.Equal(t, 0, got.status, got.stderr)
	to, err := os.Readlink(auto)
	require.NoError(t, err)
	assert.Equal(t, os.DevNull, to)
	mustHoldNewRows(t, target, source)
}
