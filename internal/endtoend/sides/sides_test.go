package sides_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewind"
)

var (
	thinly = []string{
		"CREATE TABLE t (i int, v int) WITH (fillfactor = 40)",
		"INSERT INTO t SELECT g, 0 FROM generate_series(1, 2000) g",
		"VACUUM FREEZE t",
	}
	noHints = pgtest.Options{NoChecksums: true, Conf: map[string]string{"wal_log_hints": "off"}}
)

// TestFilesThatLackWhatWasReceived is about standbys that have received more than
// they replayed: the last common checkpoint is after what their files contain.
func TestFilesThatLackWhatWasReceived(t *testing.T) {
	unreplayed := func(l *endtoend.Lab, hold func(c *pgtest.Cluster), stop pgtest.StopMode) endtoend.Ends {
		a := l.Primary(pgtest.Options{}, thinly...)
		both := l.Standbys(a, 2)
		b, c := both[0], both[1]
		l.CatchUp(a, b, c)
		c.Checkpoint(l)
		hold(c)
		// Common changes and a common checkpoint, which c receives.
		a.Exec(l, "DELETE FROM t WHERE i > 1990", "VACUUM t", "UPDATE t SET v = 1")
		a.Checkpoint(l)
		common := endtoend.ControlOf(l.T, a).CheckPointCopy.Redo
		a.Exec(l, "INSERT INTO t VALUES (5000, 1)")
		l.CatchUp(a, b)
		l.Promote(b)
		// a goes on, and c receives that, too.
		a.Exec(l, "INSERT INTO t SELECT g, 2 FROM generate_series(6001, 6100) g")
		a.SwitchWAL(l)
		end := a.FlushLSN(l)
		l.Until(c, l.In.Version.SQL.ReceiveLSN+"() >= '"+end.String()+"'")
		require.Less(l, c.ReplayLSN(l), common)
		c.Stop(l, stop)
		a.Stop(l, pgtest.Fast)
		return endtoend.Ends{Target: c, Src: b}
	}
	paused := func(l *endtoend.Lab) func(c *pgtest.Cluster) { return func(c *pgtest.Cluster) { c.PauseReplay(l) } }
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "a standby whose replay is paused is stopped cleanly", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends { return unreplayed(l, paused(l), pgtest.Fast) },
		},
		{
			Name: "a standby whose replay is paused is killed", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends { return unreplayed(l, paused(l), pgtest.Immediate) },
		},
		{
			Name: "a standby whose replay waits for a query is stopped cleanly", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return unreplayed(l, func(c *pgtest.Cluster) {
					query := c.Connect(l, "postgres")
					_, err := query.Exec(l.Context(), "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t")
					require.NoError(l, err)
				}, pgtest.Fast)
			},
		},
	})
}

// TestKilledPrimariesThatLostWAL is about killed primaries whose WAL ends before
// the fork, or at it: the others received more, and went on from there.
func TestKilledPrimariesThatLostWAL(t *testing.T) {
	snapshot := func(l *endtoend.Lab, lost string, after func(x *pgtest.Cluster)) endtoend.Ends {
		a := l.Primary(pgtest.Options{}, endtoend.Thousand...)
		b := l.Standby(a)
		a.Exec(l, "INSERT INTO t SELECT generate_series(1001, 1100)")
		l.CatchUp(a, b)
		a.Stop(l, pgtest.Immediate)
		x := a.CloneStopped(l)
		if lost != "" {
			a.Start(l)
			b.WaitStreaming(l, a)
			a.Exec(l, lost)
			l.CatchUp(a, b)
			a.Stop(l, pgtest.Immediate)
		}
		l.Promote(b)
		b.Exec(l, "INSERT INTO t SELECT generate_series(3001, 3010)")
		b.Checkpoint(l)
		after(x)
		return endtoend.Ends{Target: x, Src: b, Opts: l.Recovers()}
	}
	asItIs := func(*pgtest.Cluster) {}
	much := "INSERT INTO t SELECT generate_series(2001, 20000)"
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "its WAL ends before the fork", Want: endtoend.Left,
			Make: func(l *endtoend.Lab) endtoend.Ends { return snapshot(l, much, asItIs) },
		},
		{
			Name: "its WAL ends a transaction before the fork", Want: endtoend.Left,
			Make: func(l *endtoend.Lab) endtoend.Ends { return snapshot(l, "INSERT INTO t VALUES (2001)", asItIs) },
		},
		{
			Name: "its WAL ends at the fork", Want: endtoend.Left,
			Make: func(l *endtoend.Lab) endtoend.Ends { return snapshot(l, "", asItIs) },
		},
		{
			Name: "it was started for a moment and stopped cleanly", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return snapshot(l, much, func(x *pgtest.Cluster) { x.Start(l); x.Stop(l, pgtest.Fast) })
			},
		},
		{
			Name: "it was started for a moment and killed", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return snapshot(l, much, func(x *pgtest.Cluster) {
					x.Start(l)
					x.Exec(l, "UPDATE t SET i = -i WHERE i = 7", "CREATE TABLE own AS SELECT 1 AS x")
					x.Stop(l, pgtest.Immediate)
				})
			},
		},
	})
}

// TestSourcesThatAreBehind is about standbys as sources that lack WAL on which the
// rewind depends.
func TestSourcesThatAreBehind(t *testing.T) {
	// three returns a primary, a standby that will be the source, and another standby.
	three := func(l *endtoend.Lab) (a, s, c *pgtest.Cluster) {
		a = l.Primary(pgtest.Options{}, thinly...)
		both := l.Standbys(a, 2)
		s, c = both[0], both[1]
		l.CatchUp(a, s, c)
		s.Checkpoint(l)
		return a, s, c
	}
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "it ends before the target's last checkpoint before the fork",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, s, c := three(l)
				s.CutOff(l)
				a.Exec(l, "UPDATE t SET v = 1", "VACUUM FREEZE t", "CHECKPOINT", "CHECKPOINT")
				l.CatchUp(a, c)
				c.Checkpoint(l)
				l.Promote(c)
				c.Exec(l, "INSERT INTO t VALUES (7000, 7)")
				c.Stop(l, pgtest.Fast)
				a.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: c, Src: s}
			},
		},
		{
			Name: "it ends before the fork",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, s, c := three(l)
				a.Exec(l, "CHECKPOINT", "UPDATE t SET v = 1 WHERE i < 10")
				l.CatchUp(a, s, c)
				s.CutOff(l)
				a.Exec(l, "UPDATE t SET v = 2 WHERE i < 1000", "CREATE TABLE more AS SELECT * FROM t")
				l.CatchUp(a, c)
				l.Promote(c)
				c.Exec(l, "INSERT INTO t VALUES (7000, 7)")
				c.Stop(l, pgtest.Fast)
				a.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: c, Src: s}
			},
		},
		{
			Name: "it is on the timeline of its primary, which went on alone",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, s, _ := three(l)
				s.CutOff(l)
				a.Exec(l, "UPDATE t SET v = 2 WHERE i < 1000", "CREATE TABLE more AS SELECT * FROM t")
				a.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: a, Src: s}
			},
		},
		{
			Name: "its replay is behind and its WAL is not", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, s, c := three(l)
				a.Exec(l, "UPDATE t SET v = 1", "CHECKPOINT", "UPDATE t SET v = 2 WHERE i < 1000")
				l.CatchUp(a, s, c)
				s.Stop(l, pgtest.Fast)
				l.Promote(c)
				a.Exec(l, "UPDATE t SET v = 3", "CREATE TABLE lost AS SELECT * FROM t")
				a.Stop(l, pgtest.Fast)
				s.MakeStandbyOf(l, c)
				s.Start(l)
				s.WaitStreaming(l, c)
				c.Exec(l, "UPDATE t SET v = 4 WHERE i < 500")
				l.CatchUp(c, s)
				s.PauseReplay(l)
				c.Exec(l, "CHECKPOINT", "UPDATE t SET v = 5 WHERE i > 500", "CHECKPOINT")
				l.Until(s, l.In.Version.SQL.ReceiveLSN+"() >= '"+c.FlushLSN(l).String()+"'")
				return endtoend.Ends{Target: a, Src: s, Primary: c}
			},
		},
	})
}

// TestChecksumsOnOneSideOnly is about switching the checksums of all servers on or
// off, one server after the other.
func TestChecksumsOnOneSideOnly(t *testing.T) {
	one := func(l *endtoend.Lab, o pgtest.Options, on bool) endtoend.Ends {
		a := l.Primary(o, append(endtoend.Thousand, "CREATE TABLE u AS SELECT g, repeat('x', 500) AS p FROM generate_series(1, 3000) g")...)
		b := l.Standby(a)
		l.CatchUp(a, b)
		b.Stop(l, pgtest.Fast)
		l.Checksums(b, on)
		b.Start(l)
		b.WaitStreaming(l, a)
		l.Promote(b)
		a.Exec(l, "INSERT INTO t SELECT generate_series(1, 100)")
		b.Exec(l, "INSERT INTO t SELECT generate_series(1001, 1100)", "CHECKPOINT")
		a.Stop(l, pgtest.Fast)
		return endtoend.Ends{Target: a, Src: b}
	}
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "the source has them and the target does not", Want: endtoend.Refused,
			Make: func(l *endtoend.Lab) endtoend.Ends { return one(l, pgtest.Options{NoChecksums: true}, true) },
		},
		{
			Name: "the target has them and the source does not",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return one(l, pgtest.Options{Conf: map[string]string{"wal_log_hints": "on"}}, false)
			},
		},
	})
}

// TestHintBitsThatAreNotInWAL is about targets that did not log hint bits all the
// time. Hint bits of transactions that the source does not have could stay.
func TestHintBitsThatAreNotInWAL(t *testing.T) {
	hinted := func(l *endtoend.Lab, o pgtest.Options, before, after func(a *pgtest.Cluster)) endtoend.Ends {
		a := l.Primary(o, "CREATE TABLE t (i int)", "VACUUM")
		b := l.Standby(a)
		before(a)
		// The rows are in a block that nothing touches later.
		open := a.Connect(l, "postgres")
		_, err := open.Exec(l.Context(), "BEGIN; INSERT INTO t SELECT generate_series(1, 5)")
		require.NoError(l, err)
		a.Exec(l, "CHECKPOINT", "CHECKPOINT")
		l.CatchUp(a, b)
		l.Promote(b)
		_, err = open.Exec(l.Context(), "COMMIT")
		require.NoError(l, err)
		require.Equal(l, "5", a.QueryString(l, "SELECT count(*) FROM t"))
		a.Checkpoint(l)
		a.Stop(l, pgtest.Fast)
		after(a)
		return endtoend.Ends{Target: a, Src: b}
	}
	// held has a prepared transaction whose row is in a block that nothing touches later.
	held := func(l *endtoend.Lab) (a, b *pgtest.Cluster) {
		a = l.Primary(pgtest.Options{NoChecksums: true, WALSegSizeMB: l.In.SegSizeOr16(1)}, "CREATE TABLE t (i int)", "CREATE TABLE other (i int)")
		a.Exec(l, "VACUUM FREEZE", "BEGIN", "INSERT INTO t SELECT generate_series(1, 5)", "PREPARE TRANSACTION 'p'", "CHECKPOINT")
		return a, l.Standby(a)
	}
	committed := func(l *endtoend.Lab, a *pgtest.Cluster) {
		a.Exec(l, "COMMIT PREPARED 'p'")
		require.Equal(l, "5", a.QueryString(l, "SELECT count(*) FROM t"))
	}
	restart := func(l *endtoend.Lab, a *pgtest.Cluster, conf map[string]string) {
		a.Stop(l, pgtest.Fast)
		a.SetConf(l, conf)
		a.Start(l)
	}
	logHints := func(l *endtoend.Lab, a *pgtest.Cluster, value string) {
		a.SetConf(l, map[string]string{"wal_log_hints": value})
		a.Start(l)
		a.Stop(l, pgtest.Fast)
	}
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "wal_log_hints was switched on after the fork",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return hinted(l, noHints, func(*pgtest.Cluster) {}, func(a *pgtest.Cluster) { logHints(l, a, "on") })
			},
		},
		{
			Name: "checksums were switched on after the fork",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return hinted(l, noHints, func(*pgtest.Cluster) {}, func(a *pgtest.Cluster) { l.Checksums(a, true) })
			},
		},
		{
			Name: "wal_log_hints was off for a while",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				return hinted(l, pgtest.Options{NoChecksums: true}, func(a *pgtest.Cluster) {
					a.SetConf(l, map[string]string{"wal_log_hints": "off"})
					a.Stop(l, pgtest.Fast)
					a.Start(l)
				}, func(a *pgtest.Cluster) { logHints(l, a, "on") })
			},
		},
		{
			Name: "wal_log_hints was off for a while, after another change of settings",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := held(l)
				l.CatchUp(a, b)
				l.Promote(b)
				restart(l, a, map[string]string{"max_connections": "90"})
				restart(l, a, map[string]string{"wal_log_hints": "off"})
				committed(l, a)
				restart(l, a, map[string]string{"wal_log_hints": "on"})
				a.Stop(l, pgtest.Fast)
				b.Exec(l, "ROLLBACK PREPARED 'p'")
				return endtoend.Ends{Target: a, Src: b}
			},
		},
		{
			Name: "wal_log_hints was off at the fork, and on in earlier WAL that a standby as source must replay", Stopped: endtoend.Never,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := held(l)
				a.Checkpoint(l)
				l.CatchUp(a, b)
				b.Checkpoint(l)
				for range 3 { // the standby makes no restartpoints for these checkpoints
					a.Exec(l, "INSERT INTO other SELECT generate_series(1, 1000)", "CHECKPOINT", "SELECT count(*) FROM other")
					a.SwitchWAL(l)
				}
				restart(l, a, map[string]string{"wal_log_hints": "off"})
				b.WaitStreaming(l, a)
				a.Exec(l, "INSERT INTO other VALUES (1)")
				l.CatchUp(a, b)
				b.CutOff(l)
				committed(l, a)
				restart(l, a, map[string]string{"wal_log_hints": "on"})
				a.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: a, Src: b, After: func(l *endtoend.Lab, y *endtoend.Try) {
					y.Src.Exec(l, "ROLLBACK PREPARED 'p'")
					l.CatchUp(y.Src, y.Target)
					require.NoError(l, endtoend.SameRows(l, y.Src, y.Target))
				}}
			},
		},
	})
}

// TestSourcesWhoseControlFileHasAnOldTimeline is about standbys that followed a
// promotion and have made no restartpoint since.
func TestSourcesWhoseControlFileHasAnOldTimeline(t *testing.T) {
	followed := func(l *endtoend.Lab) (a, b, c *pgtest.Cluster) {
		a = l.Primary(pgtest.Options{}, endtoend.Thousand...)
		two := l.Copies(a, 2)
		b, c = two[0], two[1]
		l.Cascade(b, a)
		l.Cascade(c, b)
		l.CatchUp(a, b, c)
		b.Promote(l)
		b.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)")
		l.CatchUp(b, c)
		a.Exec(l, "INSERT INTO t SELECT generate_series(5001, 6000)", "CHECKPOINT")
		a.Stop(l, pgtest.Fast)
		require.EqualValues(l, 1, endtoend.ControlOf(l.T, c).CheckPointCopy.ThisTimeLineID)
		return a, b, c
	}
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "a live standby that streams from the new timeline", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b, c := followed(l)
				return endtoend.Ends{Target: a, Src: c, Primary: b}
			},
		},
		{
			Name: "a live standby, and the target is a killed standby of the old primary", Want: endtoend.Rewound, Stopped: endtoend.Never,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b, c := followed(l)
				a.Start(l)
				d := l.Standby(a)
				a.Exec(l, "UPDATE t SET i = -i")
				l.CatchUp(a, d)
				d.Stop(l, pgtest.Immediate)
				a.Stop(l, pgtest.Fast)
				require.Equal(l, controlfile.InArchiveRecovery, endtoend.ControlOf(l.T, d).State)
				return endtoend.Ends{Target: d, Src: c, Primary: b}
			},
		},
	})
}

// TestHintsOfAServerThatWasPromotedDuringARestartpoint is about hint bits that a server
// sets without WAL between its promotion and its first checkpoint: those in pages that
// are newer than the redo point of its last restartpoint.
func TestHintsOfAServerThatWasPromotedDuringARestartpoint(t *testing.T) {
	endtoend.TryEach(t, []endtoend.Situation{{
		Name: "a transaction that the promotion ended is committed by the source", Want: endtoend.Rewound,
		Majors: []string{"9.6", "13", "18"}, // from 19 on, a promotion waits for the process that this test stops
		Make: func(l *endtoend.Lab) endtoend.Ends {
			a := l.Primary(pgtest.Options{}, "CREATE TABLE t (i int)", "CREATE TABLE x (i int)")
			s := l.Standby(a)
			a.Checkpoint(l)
			l.CatchUp(a, s)
			s.Checkpoint(l)
			release := s.HoldCheckpoints(l)
			open := a.Connect(l, "postgres")
			_, err := open.Exec(l.Context(), "BEGIN; INSERT INTO x SELECT generate_series(1, 10)")
			require.NoError(l, err)
			a.Checkpoint(l)
			a.Exec(l, "INSERT INTO t VALUES (1)")
			l.CatchUp(a, s)
			s.Promote(l)
			require.Equal(l, "0", s.QueryString(l, "SELECT count(*) FROM x"))
			s.Exec(l, "INSERT INTO t VALUES (2)")
			release()
			s.Checkpoint(l)
			_, err = open.Exec(l.Context(), "COMMIT")
			require.NoError(l, err)
			a.Exec(l, "INSERT INTO t VALUES (3)")
			s.Stop(l, pgtest.Fast)
			return endtoend.Ends{Target: s, Src: a} // a has not read x, so its WAL has no image of it
		},
	}})
}

// TestWALFromBeforeTheLastCommonCheckpointIsMissingWAL is about a promoted target with
// hint bits of transactions that began long ago. Both sides have recycled the WAL of
// these transactions, and the error must say so.
func TestWALFromBeforeTheLastCommonCheckpointIsMissingWAL(t *testing.T) {
	pgtest.EachOf(t, endtoend.OldestMiddleNewest, func(t *testing.T, in *pgtest.Installation) {
		l := endtoend.NewLab(t, in)
		segment := in.SegSizeOr16(1)
		a := l.Primary(pgtest.Options{WALSegSizeMB: segment, Conf: l.Recycling(segment)}, endtoend.Thousand...)
		b := l.Standby(a)
		open := a.Connect(t, "postgres")
		_, err := open.Exec(t.Context(), "BEGIN; INSERT INTO t SELECT generate_series(1, 5)")
		require.NoError(t, err)
		for range 10 {
			a.Exec(t, "INSERT INTO t VALUES (1)", "CHECKPOINT")
			a.SwitchWAL(t)
			l.CatchUp(a, b)
			b.Checkpoint(t)
		}
		l.Promote(b)
		b.Exec(t, "INSERT INTO t VALUES (2)")
		b.Stop(t, pgtest.Fast)
		y := &endtoend.Try{Target: b, Src: a}
		o := y.Rewind(t)
		if o.Err == nil {
			require.NoError(t, y.Follow(t))
			return
		}
		require.NoError(t, o.Refusal())
		assert.Equal(t, rewind.MissingWAL, endtoend.ConditionOf(o.Err), "%v", o.Err)
	})
}
