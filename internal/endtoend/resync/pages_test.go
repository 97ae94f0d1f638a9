package resync_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/report"
)

// alikeAgain returns two servers that were promoted at the same LSN. Each ran its own
// statement. After a WAL switch both did the same, so these pages are equal, with equal
// LSNs. The target has all its WAL since the promotion, the source none.
func alikeAgain(l *endtoend.Lab, onOld, onSuccessor string) endtoend.Ends {
	l.Helper()
	o := summarizing(l)
	o.Conf["autovacuum"], o.Conf["max_wal_size"] = "off", "1GB" // nothing runs by itself, not even checkpoints
	p := l.Primary(o, someRows...)
	p.Exec(l, "CREATE TABLE differing (what text)", "CREATE TABLE alike (i int)")
	both := l.Standbys(p, 2)
	work(l, p, "both")
	l.CatchUp(p, both...)
	p.Stop(l, pgtest.Fast)
	for i, sql := range []string{onOld, onSuccessor} {
		l.Promote(both[i])
		both[i].SwitchWAL(l)
		both[i].Exec(l, sql)
	}
	l.Settings(both[0], map[string]string{l.In.Version.KeepWAL: "64MB"})
	parted := true
	for range 5 { // a server may have logged its running transactions in between
		for _, c := range both {
			c.SwitchWAL(l)
			c.Exec(l, "INSERT INTO alike SELECT generate_series(1, 1000)")
		}
		if parted = both[0].FlushLSN(l) != both[1].FlushLSN(l); !parted {
			break
		}
	}
	require.False(l, parted)
	both[0].Stop(l, pgtest.Fast)
	forget(l, both[1])
	return endtoend.Ends{Target: both[0], Src: both[1], Opts: ifNeeded, Planned: by(report.ByComparison)}
}

// TestPagesThatAreTheSameAgainProveNothing has histories that diverged before the
// newest pages that both have.
func TestPagesThatAreTheSameAgainProveNothing(t *testing.T) {
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "an older page shows it, which each changed in its own way", Majors: withSummaries, Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return alikeAgain(l, "INSERT INTO differing VALUES ('one')", "INSERT INTO differing VALUES ('two')")
			},
		},
		{
			Name: "an older page shows it, which the source changed again", Majors: withSummaries, Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return alikeAgain(l, "INSERT INTO differing VALUES ('one')", "INSERT INTO differing VALUES ('two'), ('three')")
			},
		},
	})
}
