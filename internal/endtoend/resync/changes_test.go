package resync_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
)

// summarizing returns options of a cluster that keeps little WAL, but summaries of
// it.
func summarizing(l *endtoend.Lab) pgtest.Options {
	o := recycling(l)
	o.Conf["summarize_wal"] = "on"
	return o
}

// withSummaries are the majors that have WAL summaries.
var withSummaries = []string{"17", "18"}

// rebuild makes changes for which summaries have limit blocks, and changes that are
// written file by file.
func rebuild(l *endtoend.Lab, c *pgtest.Cluster) {
	l.Helper()
	c.Exec(l, "DELETE FROM big WHERE i > 2000", "VACUUM big", "INSERT INTO big SELECT g, 'again' FROM generate_series(9001, 9500) g",
		"DROP TABLE only_old", "TRUNCATE few", "CREATE INDEX ON t (i)", "CREATE DATABASE copied")
}

func TestByTheChangesOfBothSides(t *testing.T) {
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "a standby that fell behind all WAL, by summaries", Majors: withSummaries, Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a := l.Primary(summarizing(l), someRows...)
				a.Exec(l, "CREATE TABLE only_old AS SELECT 1 AS i", "CREATE TABLE few AS SELECT 1 AS i")
				b := l.Standby(a)
				work(l, a, "before")
				a.Checkpoint(l)
				a.Exec(l, "INSERT INTO t VALUES (0)")
				l.CatchUp(a, b)
				b.Stop(l, pgtest.Fast) // flushes what was changed before the checkpoint
				work(l, a, "new")
				rebuild(l, a)
				forget(l, a)
				return endtoend.Ends{Target: b, Src: a, Opts: ifNeeded, Planned: by(report.ByChanges)}
			},
		},
		{
			Name: "a killed standby that fell behind all WAL, by summaries", Majors: withSummaries, Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a := l.Primary(summarizing(l), someRows...)
				b := l.Standby(a)
				work(l, a, "before")
				a.Checkpoint(l)
				l.CatchUp(a, b)
				b.Checkpoint(l)
				a.Exec(l, "UPDATE big SET filler = 'not yet written' WHERE i % 300 = 1")
				l.CatchUp(a, b)
				b.Kill(l)
				work(l, a, "new")
				forget(l, a)
				return endtoend.Ends{Target: b, Src: a, Opts: ifNeeded, Planned: by(report.ByChanges)}
			},
		},
		{
			Name: "an old primary, and the source has summaries but no WAL from where they diverged", Majors: withSummaries, Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a := l.Primary(summarizing(l), someRows...)
				a.Exec(l, "CREATE TABLE only_old AS SELECT 1 AS i", "CREATE TABLE few AS SELECT 1 AS i", "CREATE TABLE untouched AS SELECT generate_series(1, 1000) AS i")
				b := l.Standby(a)
				work(l, a, "both")
				l.CatchUp(a, b)
				l.Promote(b)
				a.Exec(l, "UPDATE untouched SET i = -i WHERE i % 300 = 1") // untouched by the source
				work(l, a, "lost")
				work(l, b, "new")
				rebuild(l, b)
				forget(l, b)
				a.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: a, Src: b, Opts: ifNeeded, Planned: by(report.ByChanges)}
			},
		},
		{
			Name: "two that were promoted at the same LSN, and the source has summaries but no WAL from there", Majors: withSummaries, Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				p := l.Primary(summarizing(l), someRows...)
				p.Exec(l, "CREATE TABLE differing (what text)")
				both := l.Standbys(p, 2)
				work(l, p, "both")
				l.CatchUp(p, both...)
				p.Stop(l, pgtest.Fast)
				l.Promote(both[0])
				l.Promote(both[1])
				for i, what := range []string{"one", "two"} { // of the same length
					both[i].Exec(l, "INSERT INTO differing VALUES ('"+what+"')", "INSERT INTO t SELECT generate_series(1, 100)")
				}
				both[0].Stop(l, pgtest.Fast)
				forget(l, both[1])
				return endtoend.Ends{Target: both[0], Src: both[1], Opts: ifNeeded, Planned: by(report.ByComparison)}
			},
		},
		{
			Name: "killed, and there is no server program", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := failedOver(l, pgtest.Options{})
				a.Start(l)
				work(l, a, "more")
				a.Kill(l)
				return endtoend.Ends{Target: a, Src: b, Opts: ifNeeded, Planned: by(report.ByChanges)}
			},
		},
		{
			Name: "a database was copied file by file, and its original changed", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a := l.Primary(pgtest.Options{}, someRows...)
				a.Exec(l, "CREATE DATABASE original")
				a.ExecIn(l, "original", "CREATE TABLE t AS SELECT generate_series(1, 5000) AS i")
				b := l.Standby(a)
				l.CatchUp(a, b)
				l.Promote(b)
				work(l, a, "old")
				sql := "CREATE DATABASE copied TEMPLATE original"
				if l.In.Version.WAL.DatabaseCreateWAL != 0 { // the server lets us choose
					sql += " STRATEGY file_copy"
				}
				b.Exec(l, sql)
				b.ExecIn(l, "original", "UPDATE t SET i = -i")
				b.Checkpoint(l)
				work(l, b, "new")
				a.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: a, Src: b, Opts: ifNeeded, Planned: func(l *endtoend.Lab, p *rewind.Plan) {
					by(report.ByChanges)(l, p)
					assert.NotZero(l, p.Lost.Committed)
				}}
			},
		},
	})
}
