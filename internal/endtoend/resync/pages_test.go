package resync_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/report"
)

// alikeAgain are two that were promoted at one place, of which each was told something
// else, and which do the same after a switch of WAL segments: there they have pages that
// are the same, with their LSNs. The target has all its WAL since then, the source none.
func alikeAgain(l *endtoend.Lab, old, successor string) endtoend.Ends {
	l.Helper()
	o := summarizing(l)
	o.Conf["autovacuum"], o.Conf["max_wal_size"] = "off", "1GB" // nothing begins by itself, checkpoints neither
	p := l.Primary(o, someRows...)
	p.Exec(l, "CREATE TABLE told (what text)", "CREATE TABLE alike (i int)")
	both := l.Standbys(p, 2)
	work(l, p, "both")
	l.CatchUp(p, both...)
	p.Stop(l, pgtest.Fast)
	for i, told := range []string{old, successor} {
		l.Promote(both[i])
		both[i].SwitchWAL(l)
		both[i].Exec(l, told)
	}
	l.Settings(both[0], map[string]string{l.In.Version.KeepWAL: "64MB"})
	parted := true
	for range 5 { // a server may just have noted running transactions
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

// TestPagesThatAreTheSameAgainProveNothing has histories that parted before the newest
// pages that both have.
func TestPagesThatAreTheSameAgainProveNothing(t *testing.T) {
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "an older page tells, which each changed to something else", Majors: withSummaries, Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return alikeAgain(l, "INSERT INTO told VALUES ('one')", "INSERT INTO told VALUES ('two')")
			},
		},
		{
			Name: "an older page tells, which the source changed once more", Majors: withSummaries, Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return alikeAgain(l, "INSERT INTO told VALUES ('one')", "INSERT INTO told VALUES ('two'), ('three')")
			},
		},
	})
}
