package rewind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
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
// they replayed: the last common checkpoint is beyond what their files hold.
func TestFilesThatLackWhatWasReceived(t *testing.T) {
	unreplayed := func(l *lab, hold func(c *pgtest.Cluster), stop pgtest.StopMode) ends {
		a := l.primary(pgtest.Options{}, thinly...)
		both := l.standbys(a, 2)
		b, c := both[0], both[1]
		l.catchUp(a, b, c)
		c.Checkpoint(l)
		hold(c)
		// Common changes and a common checkpoint, which c receives.
		a.Exec(l, "DELETE FROM t WHERE i > 1990", "VACUUM t", "UPDATE t SET v = 1")
		a.Checkpoint(l)
		common := controlOf(l.T, a).CheckPointCopy.Redo
		a.Exec(l, "INSERT INTO t VALUES (5000, 1)")
		l.catchUp(a, b)
		l.promote(b)
		// a goes on, and c receives that, too.
		a.Exec(l, "INSERT INTO t SELECT g, 2 FROM generate_series(6001, 6100) g")
		a.SwitchWAL(l)
		end := a.FlushLSN(l)
		l.until(c, l.in.Version.SQL.ReceiveLSN+"() >= '"+end.String()+"'")
		require.Less(l, c.ReplayLSN(l), common)
		c.Stop(l, stop)
		a.Stop(l, pgtest.Fast)
		return ends{target: c, src: b}
	}
	paused := func(l *lab) func(c *pgtest.Cluster) { return func(c *pgtest.Cluster) { c.PauseReplay(l) } }
	tryEach(t, []situation{
		{
			name: "a standby whose replay is paused is stopped cleanly", want: rewound,
			make: func(l *lab) ends { return unreplayed(l, paused(l), pgtest.Fast) },
		},
		{
			name: "a standby whose replay is paused is killed", want: rewound,
			make: func(l *lab) ends { return unreplayed(l, paused(l), pgtest.Immediate) },
		},
		{
			name: "a standby whose replay waits for a query is stopped cleanly", want: rewound,
			make: func(l *lab) ends {
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
// the fork, or at it: the others have what they sent, and went on from there.
func TestKilledPrimariesThatLostWAL(t *testing.T) {
	snapshot := func(l *lab, lost string, after func(x *pgtest.Cluster)) ends {
		a := l.primary(pgtest.Options{}, thousand...)
		b := l.standby(a)
		a.Exec(l, "INSERT INTO t SELECT generate_series(1001, 1100)")
		l.catchUp(a, b)
		a.Stop(l, pgtest.Immediate)
		x := a.CloneStopped(l)
		if lost != "" {
			a.Start(l)
			b.WaitStreaming(l, a)
			a.Exec(l, lost)
			l.catchUp(a, b)
			a.Stop(l, pgtest.Immediate)
		}
		l.promote(b)
		b.Exec(l, "INSERT INTO t SELECT generate_series(3001, 3010)")
		b.Checkpoint(l)
		after(x)
		return ends{target: x, src: b, opts: l.recovers()}
	}
	asItIs := func(*pgtest.Cluster) {}
	much := "INSERT INTO t SELECT generate_series(2001, 20000)"
	tryEach(t, []situation{
		{
			name: "its WAL ends before the fork", want: left,
			make: func(l *lab) ends { return snapshot(l, much, asItIs) },
		},
		{
			name: "its WAL ends a transaction before the fork", want: left,
			make: func(l *lab) ends { return snapshot(l, "INSERT INTO t VALUES (2001)", asItIs) },
		},
		{
			name: "its WAL ends at the fork", want: left,
			make: func(l *lab) ends { return snapshot(l, "", asItIs) },
		},
		{
			name: "it was started for a moment and stopped cleanly", want: rewound,
			make: func(l *lab) ends {
				return snapshot(l, much, func(x *pgtest.Cluster) { x.Start(l); x.Stop(l, pgtest.Fast) })
			},
		},
		{
			name: "it was started for a moment and killed", want: rewound,
			make: func(l *lab) ends {
				return snapshot(l, much, func(x *pgtest.Cluster) {
					x.Start(l)
					x.Exec(l, "UPDATE t SET i = -i WHERE i = 7", "CREATE TABLE own AS SELECT 1 AS x")
					x.Stop(l, pgtest.Immediate)
				})
			},
		},
	})
}

// TestSourcesThatAreBehind is about standbys as sources that have less WAL than
// what decides on the rewind.
func TestSourcesThatAreBehind(t *testing.T) {
	// three is a primary with a standby that is about to be a source, and another.
	three := func(l *lab) (a, s, c *pgtest.Cluster) {
		a = l.primary(pgtest.Options{}, thinly...)
		both := l.standbys(a, 2)
		s, c = both[0], both[1]
		l.catchUp(a, s, c)
		s.Checkpoint(l)
		return a, s, c
	}
	tryEach(t, []situation{
		{
			name: "it ends before the target's last checkpoint of before the fork",
			make: func(l *lab) ends {
				a, s, c := three(l)
				s.CutOff(l)
				a.Exec(l, "UPDATE t SET v = 1", "VACUUM FREEZE t", "CHECKPOINT", "CHECKPOINT")
				l.catchUp(a, c)
				c.Checkpoint(l)
				l.promote(c)
				c.Exec(l, "INSERT INTO t VALUES (7000, 7)")
				c.Stop(l, pgtest.Fast)
				a.Stop(l, pgtest.Fast)
				return ends{target: c, src: s}
			},
		},
		{
			name: "it ends before the fork",
			make: func(l *lab) ends {
				a, s, c := three(l)
				a.Exec(l, "CHECKPOINT", "UPDATE t SET v = 1 WHERE i < 10")
				l.catchUp(a, s, c)
				s.CutOff(l)
				a.Exec(l, "UPDATE t SET v = 2 WHERE i < 1000", "CREATE TABLE more AS SELECT * FROM t")
				l.catchUp(a, c)
				l.promote(c)
				c.Exec(l, "INSERT INTO t VALUES (7000, 7)")
				c.Stop(l, pgtest.Fast)
				a.Stop(l, pgtest.Fast)
				return ends{target: c, src: s}
			},
		},
		{
			name: "it is on the timeline of its primary, which went on alone",
			make: func(l *lab) ends {
				a, s, _ := three(l)
				s.CutOff(l)
				a.Exec(l, "UPDATE t SET v = 2 WHERE i < 1000", "CREATE TABLE more AS SELECT * FROM t")
				a.Stop(l, pgtest.Fast)
				return ends{target: a, src: s}
			},
		},
		{
			name: "its replay is behind and its WAL is not", want: rewound,
			make: func(l *lab) ends {
				a, s, c := three(l)
				a.Exec(l, "UPDATE t SET v = 1", "CHECKPOINT", "UPDATE t SET v = 2 WHERE i < 1000")
				l.catchUp(a, s, c)
				s.Stop(l, pgtest.Fast)
				l.promote(c)
				a.Exec(l, "UPDATE t SET v = 3", "CREATE TABLE lost AS SELECT * FROM t")
				a.Stop(l, pgtest.Fast)
				s.MakeStandbyOf(l, c)
				s.Start(l)
				s.WaitStreaming(l, c)
				c.Exec(l, "UPDATE t SET v = 4 WHERE i < 500")
				l.catchUp(c, s)
				s.PauseReplay(l)
				c.Exec(l, "CHECKPOINT", "UPDATE t SET v = 5 WHERE i > 500", "CHECKPOINT")
				l.until(s, l.in.Version.SQL.ReceiveLSN+"() >= '"+c.FlushLSN(l).String()+"'")
				return ends{target: a, src: s, primary: c}
			},
		},
	})
}

// TestChecksumsOnOneSideOnly is about the middle of switching the checksums of all
// servers on or off, one after the other.
func TestChecksumsOnOneSideOnly(t *testing.T) {
	one := func(l *lab, o pgtest.Options, on bool) ends {
		a := l.primary(o, append(thousand, "CREATE TABLE u AS SELECT g, repeat('x', 500) AS p FROM generate_series(1, 3000) g")...)
		b := l.standby(a)
		l.catchUp(a, b)
		b.Stop(l, pgtest.Fast)
		l.checksums(b, on)
		b.Start(l)
		b.WaitStreaming(l, a)
		l.promote(b)
		a.Exec(l, "INSERT INTO t SELECT generate_series(1, 100)")
		b.Exec(l, "INSERT INTO t SELECT generate_series(1001, 1100)", "CHECKPOINT")
		a.Stop(l, pgtest.Fast)
		return ends{target: a, src: b}
	}
	tryEach(t, []situation{
		{
			name: "the source has them and the target has not", want: refused,
			make: func(l *lab) ends { return one(l, pgtest.Options{NoChecksums: true}, true) },
		},
		{
			name: "the target has them and the source has not",
			make: func(l *lab) ends {
				return one(l, pgtest.Options{Conf: map[string]string{"wal_log_hints": "on"}}, false)
			},
		},
	})
}

// TestHintBitsThatNoWALTells is about targets that did not log hint bits all the
// time: those of rows whose transaction the source does not have stay.
func TestHintBitsThatNoWALTells(t *testing.T) {
	hinted := func(l *lab, o pgtest.Options, before, after func(a *pgtest.Cluster)) ends {
		a := l.primary(o, "CREATE TABLE t (i int)", "VACUUM")
		b := l.standby(a)
		before(a)
		// The rows are in a block that nothing touches later.
		open := a.Connect(l, "postgres")
		_, err := open.Exec(l.Context(), "BEGIN; INSERT INTO t SELECT generate_series(1, 5)")
		require.NoError(l, err)
		a.Exec(l, "CHECKPOINT", "CHECKPOINT")
		l.catchUp(a, b)
		l.promote(b)
		_, err = open.Exec(l.Context(), "COMMIT")
		require.NoError(l, err)
		require.Equal(l, "5", a.QueryString(l, "SELECT count(*) FROM t"))
		a.Checkpoint(l)
		a.Stop(l, pgtest.Fast)
		after(a)
		return ends{target: a, src: b}
	}
	// held is a prepared transaction whose row lies in a block that nothing touches later.
	held := func(l *lab) (a, b *pgtest.Cluster) {
		a = l.primary(pgtest.Options{NoChecksums: true, WALSegSizeMB: l.in.SegSizeOr16(1)}, "CREATE TABLE t (i int)", "CREATE TABLE other (i int)")
		a.Exec(l, "VACUUM FREEZE", "BEGIN", "INSERT INTO t SELECT generate_series(1, 5)", "PREPARE TRANSACTION 'p'", "CHECKPOINT")
		return a, l.standby(a)
	}
	committed := func(l *lab, a *pgtest.Cluster) {
		a.Exec(l, "COMMIT PREPARED 'p'")
		require.Equal(l, "5", a.QueryString(l, "SELECT count(*) FROM t"))
	}
	restart := func(l *lab, a *pgtest.Cluster, conf map[string]string) {
		a.Stop(l, pgtest.Fast)
		a.SetConf(l, conf)
		a.Start(l)
	}
	logHints := func(l *lab, a *pgtest.Cluster, value string) {
		a.SetConf(l, map[string]string{"wal_log_hints": value})
		a.Start(l)
		a.Stop(l, pgtest.Fast)
	}
	tryEach(t, []situation{
		{
			name: "wal_log_hints was switched on after the fork",
			make: func(l *lab) ends {
				return hinted(l, noHints, func(*pgtest.Cluster) {}, func(a *pgtest.Cluster) { logHints(l, a, "on") })
			},
		},
		{
			name: "checksums were switched on after the fork",
			make: func(l *lab) ends {
				return hinted(l, noHints, func(*pgtest.Cluster) {}, func(a *pgtest.Cluster) { l.checksums(a, true) })
			},
		},
		{
			name: "wal_log_hints was off for a while",
			make: func(l *lab) ends {
				return hinted(l, pgtest.Options{NoChecksums: true}, func(a *pgtest.Cluster) {
					a.SetConf(l, map[string]string{"wal_log_hints": "off"})
					a.Stop(l, pgtest.Fast)
					a.Start(l)
				}, func(a *pgtest.Cluster) { logHints(l, a, "on") })
			},
		},
		{
			name: "wal_log_hints was off for a while, after another change of settings",
			make: func(l *lab) ends {
				a, b := held(l)
				l.catchUp(a, b)
				l.promote(b)
				restart(l, a, map[string]string{"max_connections": "90"})
				restart(l, a, map[string]string{"wal_log_hints": "off"})
				committed(l, a)
				restart(l, a, map[string]string{"wal_log_hints": "on"})
				a.Stop(l, pgtest.Fast)
				b.Exec(l, "ROLLBACK PREPARED 'p'")
				return ends{target: a, src: b}
			},
		},
		{
			name: "wal_log_hints was off at the fork, and on in earlier WAL that a standby as source has to replay", stopped: never,
			make: func(l *lab) ends {
				a, b := held(l)
				a.Checkpoint(l)
				l.catchUp(a, b)
				b.Checkpoint(l)
				for range 3 { // of these checkpoints the standby makes none
					a.Exec(l, "INSERT INTO other SELECT generate_series(1, 1000)", "CHECKPOINT", "SELECT count(*) FROM other")
					a.SwitchWAL(l)
				}
				restart(l, a, map[string]string{"wal_log_hints": "off"})
				b.WaitStreaming(l, a)
				a.Exec(l, "INSERT INTO other VALUES (1)")
				l.catchUp(a, b)
				b.CutOff(l)
				committed(l, a)
				restart(l, a, map[string]string{"wal_log_hints": "on"})
				a.Stop(l, pgtest.Fast)
				return ends{target: a, src: b, after: func(l *lab, y *try) {
					y.src.Exec(l, "ROLLBACK PREPARED 'p'")
					l.catchUp(y.src, y.target)
					require.NoError(l, sameRows(l, y.src, y.target))
				}}
			},
		},
	})
}

// TestSourcesWhoseControlFileIsOfAnOldTimeline is about standbys that followed a
// promotion and have made no restartpoint since.
func TestSourcesWhoseControlFileIsOfAnOldTimeline(t *testing.T) {
	followed := func(l *lab) (a, b, c *pgtest.Cluster) {
		a = l.primary(pgtest.Options{}, thousand...)
		two := l.copies(a, 2)
		b, c = two[0], two[1]
		l.cascade(b, a)
		l.cascade(c, b)
		l.catchUp(a, b, c)
		b.Promote(l)
		b.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)")
		l.catchUp(b, c)
		a.Exec(l, "INSERT INTO t SELECT generate_series(5001, 6000)", "CHECKPOINT")
		a.Stop(l, pgtest.Fast)
		require.EqualValues(l, 1, controlOf(l.T, c).CheckPointCopy.ThisTimeLineID)
		return a, b, c
	}
	tryEach(t, []situation{
		{
			name: "a live standby that streams from the new timeline", want: rewound,
			make: func(l *lab) ends {
				a, b, c := followed(l)
				return ends{target: a, src: c, primary: b}
			},
		},
		{
			name: "a live standby, and the target is a killed standby of the old primary", want: rewound, stopped: never,
			make: func(l *lab) ends {
				a, b, c := followed(l)
				a.Start(l)
				d := l.standby(a)
				a.Exec(l, "UPDATE t SET i = -i")
				l.catchUp(a, d)
				d.Stop(l, pgtest.Immediate)
				a.Stop(l, pgtest.Fast)
				require.Equal(l, controlfile.InArchiveRecovery, controlOf(l.T, d).State)
				return ends{target: d, src: c, primary: b}
			},
		},
	})
}

// TestHintsOfAServerThatWasPromotedInALateRestartpoint is about hints that a server puts
// into pages, and not into WAL, between its promotion and its first checkpoint: those in
// pages that are newer than the redo point of its last restartpoint.
func TestHintsOfAServerThatWasPromotedInALateRestartpoint(t *testing.T) {
	tryEach(t, []situation{{
		name: "a transaction that the promotion ended is committed by the source", want: rewound,
		majors: []string{"9.6", "13", "18"}, // from 19 on a promotion waits for a process that stands still
		make: func(l *lab) ends {
			a := l.primary(pgtest.Options{}, "CREATE TABLE t (i int)", "CREATE TABLE x (i int)")
			s := l.standby(a)
			a.Checkpoint(l)
			l.catchUp(a, s)
			s.Checkpoint(l)
			release := s.HoldCheckpoints(l)
			open := a.Connect(l, "postgres")
			_, err := open.Exec(l.Context(), "BEGIN; INSERT INTO x SELECT generate_series(1, 10)")
			require.NoError(l, err)
			a.Checkpoint(l)
			a.Exec(l, "INSERT INTO t VALUES (1)")
			l.catchUp(a, s)
			s.Promote(l)
			require.Equal(l, "0", s.QueryString(l, "SELECT count(*) FROM x"))
			s.Exec(l, "INSERT INTO t VALUES (2)")
			release()
			s.Checkpoint(l)
			_, err = open.Exec(l.Context(), "COMMIT")
			require.NoError(l, err)
			a.Exec(l, "INSERT INTO t VALUES (3)")
			s.Stop(l, pgtest.Fast)
			return ends{target: s, src: a} // which has not read x, and so has no image of it in its WAL
		},
	}})
}

// TestWALFromBeforeTheLastCommonCheckpointIsMissingWAL is about a target that was
// promoted, whose hints are of transactions that began long ago: what tells of them was
// recycled on both sides, which is to be said as what it is.
func TestWALFromBeforeTheLastCommonCheckpointIsMissingWAL(t *testing.T) {
	pgtest.EachOf(t, oldestMiddleNewest, func(t *testing.T, in *pgtest.Installation) {
		l := &lab{t, in}
		segment := in.SegSizeOr16(1)
		a := l.primary(pgtest.Options{WALSegSizeMB: segment, Conf: l.recycling(segment)}, thousand...)
		b := l.standby(a)
		open := a.Connect(t, "postgres")
		_, err := open.Exec(t.Context(), "BEGIN; INSERT INTO t SELECT generate_series(1, 5)")
		require.NoError(t, err)
		for range 10 {
			a.Exec(t, "INSERT INTO t VALUES (1)", "CHECKPOINT")
			a.SwitchWAL(t)
			l.catchUp(a, b)
			b.Checkpoint(t)
		}
		l.promote(b)
		b.Exec(t, "INSERT INTO t VALUES (2)")
		b.Stop(t, pgtest.Fast)
		y := &try{target: b, src: a}
		o := y.rewind(t)
		if o.err == nil {
			require.NoError(t, y.follow(t))
			return
		}
		require.NoError(t, o.refusal())
		assert.Equal(t, rewind.MissingWAL, conditionOf(o.err), "%v", o.err)
	})
}
