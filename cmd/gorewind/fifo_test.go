//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Opening a fifo waits for a writer, and signals are not handled in the meantime.
// So nothing is opened in a way that could block, wherever there is a fifo.
func TestNothingIsWaitedForWhereAFileBelongs(t *testing.T) {
	makeFifo := func(t *testing.T, name string) { require.NoError(t, syscall.Mkfifo(name, 0o600)) }
	makeSocket := func(t *testing.T, name string) { // whose path may be longer than bind takes
		require.NoError(t, syscall.Mknod(name, syscall.S_IFSOCK|0o600, 0))
	}
	toFifo := func(t *testing.T, name string) {
		fifo := filepath.Join(t.TempDir(), "fifo")
		makeFifo(t, fifo)
		require.NoError(t, os.Symlink(fifo, name))
	}
	for _, c := range []struct {
		name, path string
		side       string // only of the target or of the source; else of either
		put        func(*testing.T, string)
		says       string
		works      bool // it is not read, or does without
	}{
		{name: "control file", path: "global/pg_control", put: makeFifo, says: `pg_control" for reading: it is a fifo and no regular file: remove it`},
		{name: "control file, a socket", path: "global/pg_control", put: makeSocket, says: `pg_control" for reading: it is a socket and no regular file: remove it`},
		{name: "postmaster.pid", path: "postmaster.pid", put: makeFifo, says: `postmaster.pid" for reading: it is a fifo`},
		{name: "PG_VERSION", path: "PG_VERSION", side: "target", put: makeFifo, says: `PG_VERSION": it is a fifo`},
		{name: "WAL of the divergence", path: "pg_wal/00000001000000000000000A", side: "target", put: makeFifo, says: "00000001000000000000000A"},
		{name: "history", path: "pg_wal/00000002.history", side: "source", put: makeFifo, says: `00000002.history" for reading: it is a fifo`},
		{name: "WAL directory", path: "pg_wal", put: toFifo, says: ": Not a directory"},
		{name: "tablespace", path: "pg_tblspc/77777", put: toFifo, says: ": Not a directory"},
		{name: "configuration", path: "postgresql.conf", side: "target", put: makeFifo, works: true},
		{name: "configuration that is linked to one", path: "postgresql.conf", side: "target", put: toFifo, works: true},
		{name: "journal of nothing", path: "pgsql_tmp_gorewind/journal", side: "target", put: makeFifo, works: true},
		{name: "areas", path: "pgsql_tmp_gorewind/areas", side: "target", put: makeFifo, says: "it is a fifo"},
		{name: "staging area", path: "pgsql_tmp_gorewind", side: "target", put: makeFifo, says: "fifo"},
		{name: "a fifo of nobody's", path: "anything", put: makeFifo, works: true},
		{name: "a socket of nobody's", path: "anything", put: makeSocket, works: true},
	} {
		for _, side := range []string{"target", "source"} {
			if c.side != "" && c.side != side {
				continue
			}
			t.Run(c.name+" of the "+side, func(t *testing.T) {
				target, source := restore(t)
				name := filepath.Join(filepath.Dir(target), side, c.path)
				require.NoError(t, os.RemoveAll(name))
				require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
				c.put(t, name)
				for _, args := range [][]string{{"-n", "--keep=postgresql.conf", "-D", target, "--source-pgdata", source}, {"status", "-D", target}, {"diff", target, source}} {
					ended := make(chan result)
					go func() { ended <- gorewind(t, args...) }()
					select {
					case got := <-ended:
						if args[0] == "-n" && c.works {
							assert.Equal(t, 0, got.status, got.stderr)
						} else if args[0] == "-n" {
							assert.Equal(t, 1, got.status, got.stderr)
							assert.Contains(t, got.stderr, c.says)
						}
					case <-time.After(time.Minute):
						t.Fatalf("it waits: %q", args)
					}
				}
			})
		}
	}
}
