package files_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
)

// blocksOf is the size of a table's main fork.
func blocksOf(l *endtoend.Lab, c *pgtest.Cluster, table string) (file string, blocks int64) {
	l.Helper()
	file = filepath.Join(c.Dir, c.QueryString(l, "SELECT pg_relation_filepath('"+table+"')"))
	c.Checkpoint(l)
	info, err := os.Stat(file)
	require.NoError(l, err)
	return file, info.Size() / 8192
}

// TestRelationsThatEndInHalfABlock is about what a full disk leaves: a relation
// that grew by some blocks of zeros and half a block.
func TestRelationsThatEndInHalfABlock(t *testing.T) {
	endtoend.TryEach(t, []endtoend.Situation{{
		Name: "the source has a whole block there, an old one", Want: endtoend.Rewound,
		Make: func(l *endtoend.Lab) endtoend.Ends {
			// The last blocks are empty, and too few for VACUUM to cut them off.
			a := l.Primary(pgtest.Options{},
				"CREATE TABLE t (i int, p text)",
				"INSERT INTO t SELECT g, repeat('x', 700) FROM generate_series(1, 1100) g",
				"DELETE FROM t WHERE i > 1067",
				"VACUUM FREEZE t", "CHECKPOINT", "CHECKPOINT")
			b := l.Standby(a)
			l.CatchUp(a, b)
			l.Promote(b)
			_, before := blocksOf(l, b, "t")
			require.EqualValues(l, 100, before)
			a.Exec(l, "DELETE FROM t WHERE i > 800", "VACUUM t")
			file, after := blocksOf(l, a, "t")
			require.Less(l, after, int64(90))
			a.Stop(l, pgtest.Fast)
			require.NoError(l, os.Truncate(file, 98*8192+4096))
			return endtoend.Ends{Target: a, Src: b}
		},
	}})
}

// TestPreparedTransactionsThatRecoveryReplays is about state files of prepared
// transactions that replay also creates: recovery does not know these transactions when
// it begins.
func TestPreparedTransactionsThatRecoveryReplays(t *testing.T) {
	prepare := func(c *pgtest.Cluster, l *endtoend.Lab) {
		for i := range 5 { // the prepared transaction must be newer than the checkpoint's next XID
			c.Exec(l, fmt.Sprintf("INSERT INTO t VALUES (%d)", i))
		}
		c.Exec(l, "BEGIN", "INSERT INTO t SELECT 100000 FROM generate_series(1, 7)", "PREPARE TRANSACTION 'kept'")
	}
	kept := func(l *endtoend.Lab, y *endtoend.Try) {
		y.Src.Stop(l, pgtest.Fast)
		y.Target.Promote(l)
		require.Equal(l, [][]string{{"kept"}}, y.Target.QueryRows(l, "SELECT gid FROM pg_prepared_xacts"))
		y.Target.Exec(l, "COMMIT PREPARED 'kept'")
		assert.Equal(l, "7", y.Target.QueryString(l, "SELECT count(*) FROM t WHERE i = 100000"))
	}
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "one was prepared after the fork, and a checkpoint wrote its file", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := l.FailedOver(nil, "INSERT INTO t VALUES (1)")
				prepare(b, l)
				b.Checkpoint(l)
				return endtoend.Ends{Target: a, Src: b, After: kept}
			},
		},
		{
			Name: "one was prepared before the fork, and both have its file", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := l.FailedOver(func(a *pgtest.Cluster) { prepare(a, l) }, "INSERT INTO t VALUES (1)")
				return endtoend.Ends{Target: a, Src: b, After: kept}
			},
		},
		{
			Name: "one was prepared before the fork and committed by the source", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := l.FailedOver(func(a *pgtest.Cluster) { prepare(a, l) }, "INSERT INTO t VALUES (1)")
				b.Exec(l, "COMMIT PREPARED 'kept'")
				return endtoend.Ends{Target: a, Src: b}
			},
		},
	})
}

// TestDatabasesCopiedFileByFile is about WAL that says "copy this directory". When
// it is replayed, that directory may be gone or may have changed.
func TestDatabasesCopiedFileByFile(t *testing.T) {
	made := func(l *endtoend.Lab, onTarget []string, onSource func(b *pgtest.Cluster)) endtoend.Ends {
		a := l.Primary(pgtest.Options{}, endtoend.Thousand...)
		a.Exec(l, "CREATE TABLESPACE other LOCATION '"+a.TablespaceDir(l, "other")+"'", "CREATE DATABASE d")
		a.ExecIn(l, "d", "CREATE TABLE s AS SELECT g FROM generate_series(1, 2000) g", "VACUUM FREEZE s")
		b := l.Standby(a)
		l.CatchUp(a, b)
		l.Promote(b)
		a.Exec(l, "INSERT INTO t VALUES (1)")
		a.Exec(l, onTarget...)
		a.Stop(l, pgtest.Fast)
		onSource(b)
		b.Checkpoint(l)
		return endtoend.Ends{Target: a, Src: b}
	}
	copied := func(in *pgtest.Installation) string {
		sql := "CREATE DATABASE x TEMPLATE d"
		if in.Version.WAL.DatabaseCreateWAL != 0 { // the server lets us choose
			sql += " STRATEGY file_copy"
		}
		return sql
	}
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "the source dropped the template",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return made(l, nil, func(b *pgtest.Cluster) { b.Exec(l, copied(l.In), "DROP DATABASE d") })
			},
		},
		{
			Name: "the source changed the template",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return made(l, nil, func(b *pgtest.Cluster) {
					b.Exec(l, copied(l.In))
					b.ExecIn(l, "d", "UPDATE s SET g = -g", "VACUUM FULL s")
					b.ExecIn(l, "x", "UPDATE s SET g = g + 1 WHERE g < 5")
				})
			},
		},
		{
			Name: "the source moved a database to another tablespace",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return made(l, nil, func(b *pgtest.Cluster) { b.Exec(l, "ALTER DATABASE d SET TABLESPACE other") })
			},
		},
		{
			Name: "the source moved a database to another tablespace and back",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return made(l, nil, func(b *pgtest.Cluster) {
					b.Exec(l, "ALTER DATABASE d SET TABLESPACE other")
					b.ExecIn(l, "d", "INSERT INTO s SELECT g FROM generate_series(1, 100) g")
					b.Exec(l, "ALTER DATABASE d SET TABLESPACE pg_default")
				})
			},
		},
		{
			Name: "the target moved a database to another tablespace", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return made(l, []string{"ALTER DATABASE d SET TABLESPACE other"}, func(b *pgtest.Cluster) { b.ExecIn(l, "d", "INSERT INTO s VALUES (0)") })
			},
		},
		{
			// No WAL record for the final tablespace tells what the target changed in the
			// other one.
			Name: "the target moved a database to another tablespace and back", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				e := made(l, nil, func(b *pgtest.Cluster) { b.ExecIn(l, "d", "INSERT INTO s VALUES (0)") })
				e.Target.Start(l)
				e.Target.Exec(l, "ALTER DATABASE d SET TABLESPACE other")
				e.Target.ExecIn(l, "d", "DELETE FROM s WHERE g % 10 = 0", "VACUUM FREEZE s")
				e.Target.Exec(l, "ALTER DATABASE d SET TABLESPACE pg_default")
				e.Target.Stop(l, pgtest.Fast)
				return e
			},
		},
		{
			Name: "the target copied a database and dropped it", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return made(l, []string{copied(l.In), "DROP DATABASE d"}, func(b *pgtest.Cluster) { b.ExecIn(l, "d", "INSERT INTO s VALUES (0)") })
			},
		},
		{
			Name: "both copied the same database",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return made(l, []string{copied(l.In)}, func(b *pgtest.Cluster) {
					b.Exec(l, copied(l.In))
					b.ExecIn(l, "x", "UPDATE s SET g = g + 1 WHERE g < 5")
				})
			},
		},
	})
}

// TestIndexPagesThatNoWALDescribes is about pages that say where an index
// continues, and whose changes are not in WAL.
func TestIndexPagesThatNoWALDescribes(t *testing.T) {
	endtoend.TryEach(t, []endtoend.Situation{{
		Name: "an SP-GiST index has pages only on the target", Want: endtoend.Rewound,
		Make: func(l *endtoend.Lab) endtoend.Ends {
			words := func(from, to int) string {
				return fmt.Sprintf("INSERT INTO w SELECT md5(g::text) || repeat('w', 60) FROM generate_series(%d, %d) g", from, to)
			}
			a := l.Primary(pgtest.Options{}, "CREATE TABLE w (s text)", "CREATE INDEX ON w USING spgist (s)", words(1, 500))
			b := l.Standby(a)
			l.CatchUp(a, b)
			l.Promote(b)
			a.Exec(l, words(1000, 9000))
			a.Stop(l, pgtest.Fast)
			b.Exec(l, "INSERT INTO w VALUES ('new')")
			return endtoend.Ends{Target: a, Src: b, After: func(l *endtoend.Lab, y *endtoend.Try) {
				y.Src.Stop(l, pgtest.Fast)
				y.Target.Promote(l)
				// Each row begins a branch of its own, which needs a page with free space.
				y.Target.Exec(l, "INSERT INTO w SELECT chr(g) || 'x' FROM generate_series(ascii('g'), ascii('z')) g")
				for _, how := range []string{"enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off", "enable_seqscan = off"} {
					assert.Equal(l, "521", y.Target.QueryString(l, "SET "+how+"; SELECT count(*) FROM w WHERE s >= ''"), how)
				}
			}}
		},
	}})
}

// TestRelationsTruncatedAfterTheFork is about relations that the target truncated
// and extended again by pages that no WAL describes: COPY adds these in advance.
func TestRelationsTruncatedAfterTheFork(t *testing.T) {
	endtoend.TryEach(t, []endtoend.Situation{{
		Name: "one grew again with pages that no WAL describes", Want: endtoend.Rewound,
		Make: func(l *endtoend.Lab) endtoend.Ends {
			a := l.Primary(pgtest.Options{}, "CREATE TABLE t (i int, f text)",
				"INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1, 40000) i", "VACUUM FREEZE t", "CHECKPOINT")
			b := l.Standby(a)
			l.CatchUp(a, b)
			l.Promote(b)
			_, before := blocksOf(l, b, "t")
			a.Exec(l, "DELETE FROM t WHERE i > 20000", "VACUUM t")
			_, cut := blocksOf(l, a, "t")
			require.Less(l, cut, before)
			var rows strings.Builder
			for i := range 9000 {
				fmt.Fprintf(&rows, "%d\t%s\n", i, strings.Repeat("y", 140))
			}
			file := filepath.Join(l.TempDir(), "rows")
			require.NoError(l, os.WriteFile(file, []byte(rows.String()), 0o600))
			a.Exec(l, "COPY t FROM '"+file+"'")
			a.Stop(l, pgtest.Fast)
			b.Exec(l, "INSERT INTO t VALUES (-1, 'new')")
			return endtoend.Ends{Target: a, Src: b}
		},
	}})
}
