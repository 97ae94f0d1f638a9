package resync_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
)

// killedWithDamage returns an old primary and its successor. The old primary was
// killed after pages from all its WAL had been written, and a record in the middle
// of that WAL is damaged.
func killedWithDamage(l *endtoend.Lab) (old, successor *pgtest.Cluster) {
	l.Helper()
	old = l.Primary(pgtest.Options{Conf: map[string]string{"shared_buffers": "1MB", "autovacuum": "off"}}, someRows...)
	successor = l.Standby(old)
	old.Exec(l, "VACUUM big", "VACUUM t") // so that no hint bits are left to set
	old.Checkpoint(l)
	l.CatchUp(old, successor)
	l.Promote(successor)
	old.Exec(l, "INSERT INTO t VALUES (-1)")
	at, err := pgdata.ParseLSN(old.QueryString(l, "SELECT "+currentLSN(l)))
	require.NoError(l, err)
	old.Exec(l, "INSERT INTO t VALUES (-2)", "UPDATE big SET filler = repeat('y', 200)", "UPDATE t SET i = -i")
	work(l, successor, "new")
	old.Kill(l)
	g := endtoend.ControlOf(l.T, old)
	name := filepath.Join(old.Dir, l.In.Version.WALDir, g.Geometry.WALFileName(1, g.Geometry.SegNo(at)))
	overwrite(l, name, int64(at)&int64(g.Geometry.WALSegSize-1)+40, []byte("damaged"))
	return old, successor
}

func currentLSN(l *endtoend.Lab) string {
	if l.In.Version.WALDir == "pg_xlog" {
		return "pg_current_xlog_location()"
	}
	return "pg_current_wal_lsn()"
}

func TestKilledWithDamagedWAL(t *testing.T) {
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "and there is no server program", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := killedWithDamage(l)
				return endtoend.Ends{Target: a, Src: b, Opts: ifNeeded, Planned: by(report.ByComparison)}
			},
		},
		{
			Name: "and crash recovery would end before the damage", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := killedWithDamage(l)
				o := l.Recovers()
				o.Resync = rewind.ResyncIfNeeded
				return endtoend.Ends{Target: a, Src: b, Opts: o, Planned: by(report.ByComparison)}
			},
		},
	})
}
