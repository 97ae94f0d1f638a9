package wal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// readWAL returns the contents of the segment that contains lsn, from lsn on.
func readWAL(l *endtoend.Lab, c *pgtest.Cluster, tli pgdata.TimelineID, lsn pgdata.LSN) []byte {
	l.Helper()
	g := endtoend.ControlOf(l.T, c).Geometry
	segment := g.SegNo(lsn)
	raw, err := os.ReadFile(filepath.Join(c.Dir, l.In.Version.WALDir, g.WALFileName(tli, segment)))
	require.NoError(l, err)
	return raw[lsn-g.SegStart(segment):]
}

// TestStaleRecordsAreNoWAL is about recycled segments that still have old records.
func TestStaleRecordsAreNoWAL(t *testing.T) {
	endtoend.TryEach(t, []endtoend.Situation{{
		Name: "one begins right after a standby's last checkpoint", Want: endtoend.Rewound,
		Make: func(l *endtoend.Lab) endtoend.Ends {
			segment := l.In.SegSizeOr16(1)
			a := l.Primary(pgtest.Options{WALSegSizeMB: segment, Conf: l.Recycling(segment)}, endtoend.Thousand...)
			both := l.Standbys(a, 2)
			b, c := both[0], both[1]
			for range 14 { // segments with the same records
				a.Checkpoint(l)
				a.SwitchWAL(l)
				l.CatchUp(a, b, c)
				b.Checkpoint(l)
				c.Checkpoint(l)
			}
			a.Checkpoint(l)
			l.CatchUp(a, b, c)
			a.Stop(l, pgtest.Immediate)
			c.Checkpoint(l)
			c.Stop(l, pgtest.Fast)
			control := endtoend.ControlOf(l.T, c)
			stale := readWAL(l, c, 1, control.MinRecoveryPoint)[:8]
			require.NotEqual(l, make([]byte, 8), stale, "the beginning of a record after the end")
			l.Promote(b)
			return endtoend.Ends{Target: c, Src: b}
		},
	}})
}

// TestFilesInPgWALThatAreNoWAL is about what a promotion leaves in pg_wal.
func TestFilesInPgWALThatAreNoWAL(t *testing.T) {
	partial := func(l *endtoend.Lab) endtoend.Ends {
		a := l.Primary(pgtest.Options{Conf: map[string]string{"archive_mode": "on", "archive_command": "false"}}, endtoend.Thousand...)
		both := l.Standbys(a, 2)
		b, c := both[0], both[1]
		a.Exec(l, "INSERT INTO t SELECT generate_series(1, 100)")
		l.CatchUp(a, b, c)
		c.Stop(l, pgtest.Fast)
		a.Exec(l, "CREATE TABLE u AS SELECT g, repeat('y', 1000) FROM generate_series(1, 500) g")
		l.CatchUp(a, b)
		a.Stop(l, pgtest.Immediate)
		l.Promote(b)
		c.Start(l)
		l.Promote(c)
		b.Exec(l, "INSERT INTO t SELECT generate_series(1, 7)", "CHECKPOINT")
		c.Exec(l, "INSERT INTO t SELECT generate_series(1, 9)", "CHECKPOINT")
		c.Stop(l, pgtest.Fast)
		var content [2][]byte
		for i, x := range []*pgtest.Cluster{b, c} {
			found, err := filepath.Glob(filepath.Join(x.Dir, l.In.Version.WALDir, "*.partial"))
			require.NoError(l, err)
			require.Len(l, found, 1)
			content[i], err = os.ReadFile(found[0])
			require.NoError(l, err)
		}
		require.False(l, bytes.Equal(content[0], content[1]), "they have the same name, but differ")
		return endtoend.Ends{Target: c, Src: b}
	}
	endtoend.TryEach(t, []endtoend.Situation{
		{Name: "both have a partial segment of the same name", Want: endtoend.Rewound, Make: partial},
		{
			Name: "both have a partial segment of the same name, in place", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				e := partial(l)
				e.Opts.InPlace = true
				return e
			},
		},
	})
}

// TestFullPageWritesAllTheTime is about a setting that is on now, on the server
// that is asked, but was off when and where it matters.
func TestFullPageWritesAllTheTime(t *testing.T) {
	pair := func(l *endtoend.Lab, value string) (a, b *pgtest.Cluster) {
		a = l.Primary(pgtest.Options{Conf: map[string]string{"full_page_writes": value}}, endtoend.Thousand...)
		b = l.Standby(a)
		l.CatchUp(a, b)
		l.Promote(b)
		a.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)", "CHECKPOINT")
		a.Stop(l, pgtest.Fast)
		b.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)")
		return a, b
	}
	// change changes the setting and waits for its record in WAL.
	change := func(l *endtoend.Lab, b *pgtest.Cluster, value string) {
		before := b.InsertLSN(l)
		l.Settings(b, map[string]string{"full_page_writes": value})
		require.Eventually(l, func() bool { return b.InsertLSN(l) > before }, endtoend.WaitLong, endtoend.Tick)
	}
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "they were switched on a moment ago, without a checkpoint since", Want: endtoend.Refused, Resync: endtoend.Either, Stopped: endtoend.Either,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := pair(l, "off")
				change(l, b, "on")
				require.False(l, endtoend.ControlOf(l.T, b).CheckPointCopy.FullPageWrites)
				return endtoend.Ends{Target: a, Src: b}
			},
		},
		{
			Name: "they were off for a while",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := pair(l, "on")
				change(l, b, "off")
				b.Exec(l, "UPDATE t SET i = i + 1")
				change(l, b, "on")
				b.Exec(l, "CHECKPOINT")
				return endtoend.Ends{Target: a, Src: b}
			},
		},
		{
			Name: "they are off on a stopped source, which does not change while it is copied", Want: endtoend.Refused, Resync: endtoend.Either, Stopped: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := pair(l, "on")
				change(l, b, "off")
				b.Exec(l, "CHECKPOINT", "UPDATE t SET i = i + 1")
				return endtoend.Ends{Target: a, Src: b}
			},
		},
		{
			Name: "they were off twice on the target, before the last common checkpoint and after it", Want: endtoend.Refused,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a := l.Primary(pgtest.Options{}, endtoend.Thousand...)
				b := l.Standby(a)
				for range 2 {
					a.Checkpoint(l)
					change(l, a, "off")
					a.Exec(l, "UPDATE t SET i = i + 1")
					change(l, a, "on")
				}
				l.CatchUp(a, b)
				l.Promote(b)
				a.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)")
				a.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: a, Src: b}
			},
		},
		{
			Name: "they are off on a standby as source, but on on its primary", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a := l.Primary(pgtest.Options{}, endtoend.Thousand...)
				two := l.Copies(a, 2)
				b, c := two[0], two[1]
				l.Cascade(b, a)
				c.SetConf(l, map[string]string{"full_page_writes": "off"})
				l.Cascade(c, b)
				l.CatchUp(a, b, c)
				l.Promote(b)
				b.Checkpoint(l)
				l.CatchUp(b, c)
				c.Checkpoint(l)
				require.EqualValues(l, 2, endtoend.ControlOf(l.T, c).CheckPointCopy.ThisTimeLineID)
				a.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)", "CHECKPOINT")
				a.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: a, Src: c, Primary: b}
			},
		},
	})
}

// TestMinimalWALIsNotFollowed is about servers whose WAL lacks what they created.
func TestMinimalWALIsNotFollowed(t *testing.T) {
	minimal := map[string]string{"wal_level": "minimal", "max_wal_senders": "0"}
	made := func(l *endtoend.Lab) (a, b *pgtest.Cluster) {
		a = l.Primary(pgtest.Options{}, endtoend.Thousand...)
		b = l.Standby(a)
		l.CatchUp(a, b)
		l.Promote(b)
		b.Stop(l, pgtest.Fast)
		b.SetConf(l, minimal)
		b.Start(l)
		b.Exec(l, "BEGIN; CREATE TABLE m (i int); COPY m FROM PROGRAM 'seq 1000'; COMMIT", "CHECKPOINT")
		a.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)", "CHECKPOINT")
		a.Stop(l, pgtest.Fast)
		return a, b
	}
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "the source runs with wal_level minimal", Want: endtoend.Refused, Resync: endtoend.Refused,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := made(l)
				return endtoend.Ends{Target: a, Src: b}
			},
		},
		{
			Name: "the source ran with wal_level minimal for a while",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := made(l)
				b.Stop(l, pgtest.Fast)
				b.SetConf(l, map[string]string{"wal_level": "replica", "max_wal_senders": "8"})
				b.Start(l)
				return endtoend.Ends{Target: a, Src: b}
			},
		},
		{
			// The first record after the fork is the one that says so.
			Name: "the source ran with wal_level minimal from the fork on, in place", Want: endtoend.Refused,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a := l.Primary(pgtest.Options{}, endtoend.Thousand...)
				b := l.Standby(a)
				l.CatchUp(a, b)
				a.Stop(l, pgtest.Fast)
				last := endtoend.ControlOf(l.T, a).CheckPoint
				require.Eventually(l, func() bool { return b.ReplayLSN(l) > last }, endtoend.WaitLong, endtoend.Tick, "the shutdown record has arrived")
				l.Promote(b)
				b.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)")
				b.Stop(l, pgtest.Fast)
				a.SetConf(l, minimal)
				a.Start(l)
				a.Exec(l, "BEGIN; CREATE TABLE m (i int); COPY m FROM PROGRAM 'seq 1000'; COMMIT")
				a.Stop(l, pgtest.Fast)
				a.SetConf(l, map[string]string{"wal_level": "replica", "max_wal_senders": "8"})
				a.Start(l)
				return endtoend.Ends{Target: b, Src: a, Opts: rewind.Options{InPlace: true}} // it must know this before it begins
			},
		},
		{
			Name: "the target ran with wal_level minimal for a while",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a := l.Primary(pgtest.Options{}, endtoend.Thousand...)
				b := l.Standby(a)
				l.CatchUp(a, b)
				l.Promote(b)
				b.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)")
				a.Stop(l, pgtest.Fast)
				a.SetConf(l, minimal)
				a.Start(l)
				a.Exec(l, "BEGIN; TRUNCATE t; COPY t FROM PROGRAM 'seq 7'; COMMIT", "BEGIN; CREATE TABLE m (i int); COPY m FROM PROGRAM 'seq 1000'; COMMIT")
				a.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: a, Src: b}
			},
		},
	})
}

// startedByHand returns a primary, and its standby that was started as if it were a
// primary: both wrote on the same timeline.
func startedByHand(l *endtoend.Lab) (a, b *pgtest.Cluster) {
	l.Helper()
	a = l.Primary(pgtest.Options{}, endtoend.Thousand...)
	b = l.Standby(a)
	l.CatchUp(a, b)
	b.Stop(l, pgtest.Fast)
	l.StartByHand(b)
	b.Exec(l, "UPDATE t SET i = -i WHERE i < 10")
	a.Exec(l, "INSERT INTO t SELECT generate_series(8000, 9500)")
	return a, b
}

// TestWALOfTwoServersOnOneTimeline is about WAL that no timeline history tells
// apart.
func TestWALOfTwoServersOnOneTimeline(t *testing.T) {
	// level returns two standbys that have all the WAL of a cleanly stopped primary,
	// and a stopped copy that is older.
	level := func(l *endtoend.Lab) (b, c, older *pgtest.Cluster) {
		a := l.Primary(pgtest.Options{}, append(endtoend.Thousand, "CREATE TABLE u (i int)")...)
		three := l.Copies(a, 3)
		for _, x := range three[:2] {
			l.Cascade(x, a)
		}
		l.CatchUp(a, three[0], three[1])
		a.Stop(l, pgtest.Fast)
		l.Level(three[0], three[1])
		return three[0], three[1], three[2]
	}
	both := func(l *endtoend.Lab, b, c *pgtest.Cluster) {
		l.Promote(b)
		l.Promote(c)
		b.Exec(l, "INSERT INTO t VALUES (111111)", "CHECKPOINT", "UPDATE t SET i = i + 1 WHERE i = 5")
		c.Exec(l, "INSERT INTO t VALUES (222222)", "CHECKPOINT")
	}
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "both were promoted at the same LSN",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				b, c, _ := level(l)
				both(l, b, c)
				b.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: b, Src: c}
			},
		},
		{
			Name: "both were promoted at the same LSN, and the target is ahead",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				b, c, _ := level(l)
				both(l, b, c)
				b.Exec(l, "INSERT INTO u SELECT generate_series(1, 20000)")
				b.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: b, Src: c}
			},
		},
		{
			Name: "both were promoted at the same LSN, and the source was promoted again",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				b, c, d := level(l)
				b.Promote(l)
				c.Promote(l)
				l.Cascade(d, c)
				b.Exec(l, "UPDATE t SET i = i + 1 WHERE i = 5", "CHECKPOINT")
				c.Exec(l, "INSERT INTO t VALUES (222222)", "CHECKPOINT", "INSERT INTO t SELECT generate_series(10001, 20000)", "CHECKPOINT")
				l.CatchUp(c, d)
				c.Stop(l, pgtest.Immediate)
				l.Promote(d)
				b.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: b, Src: d}
			},
		},
		{
			// The target has no record where the histories say that they diverge.
			Name: "both were promoted at the same LSN, the source was promoted again, and the target is ahead of that", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				b, c, d := level(l)
				both(l, b, c)
				b.Exec(l, "CREATE TABLE other AS SELECT 'of another size'::text AS x")
				l.Cascade(d, c)
				l.CatchUp(c, d)
				l.Promote(d)
				b.Exec(l, "INSERT INTO u SELECT generate_series(1, 20000)")
				fork := endtoend.ControlOf(l.T, d).CheckPointCopy.Redo
				require.Greater(l, b.FlushLSN(l), fork)
				b.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: b, Src: d}
			},
		},
		{
			// Where the histories say that they diverge, the target is in the middle of a
			// record.
			Name: "both were promoted at the same LSN, the source was promoted again, and the target has a long record there", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				b, c, d := level(l)
				l.Promote(b)
				l.Promote(c)
				b.Exec(l, "SELECT pg_logical_emit_message(false, 'long', repeat('x', 1000000))", "INSERT INTO t VALUES (-1)")
				c.Exec(l, "INSERT INTO t VALUES (-2)")
				l.Cascade(d, c)
				l.CatchUp(c, d)
				l.Promote(d)
				b.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: b, Src: d}
			},
		},
		{
			Name: "both were promoted at the same LSN, and the target is a standby of one of them",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				b, c, d := level(l)
				both(l, b, c)
				l.Cascade(d, b)
				l.CatchUp(b, d)
				d.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: d, Src: c}
			},
		},
		{
			Name: "a standby was started by hand as if it were a primary",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := startedByHand(l)
				b.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: b, Src: a}
			},
		},
		{
			// At the fork in the target's history, the source has zeros.
			Name: "a standby was started by hand as if it were a primary, its standby was promoted, and the source switched to a new segment before that",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a := l.Primary(pgtest.Options{}, append(endtoend.Thousand, "CREATE TABLE u (i int)")...)
				two := l.Copies(a, 2)
				b, c := two[0], two[1]
				l.Cascade(b, a)
				l.CatchUp(a, b)
				b.Stop(l, pgtest.Fast)
				l.StartByHand(b)
				l.Cascade(c, b)
				b.Exec(l, "INSERT INTO u SELECT generate_series(1, 20000)", "UPDATE t SET i = -i WHERE i < 10")
				l.CatchUp(b, c)
				l.Promote(c)
				c.Exec(l, "INSERT INTO u VALUES (-1)")
				a.Exec(l, "INSERT INTO t SELECT generate_series(8000, 8100)")
				a.SwitchWAL(l)
				a.Exec(l, "INSERT INTO t SELECT generate_series(8000, 8100)")
				b.Stop(l, pgtest.Fast)
				c.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: c, Src: a}
			},
		},
		{
			Name: "a standby was started by hand as if it were a primary, and is the source",
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := startedByHand(l)
				a.Checkpoint(l)
				a.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: a, Src: b}
			},
		},
	})
}

// TestRecordsWhoseBeginningTheSourceHas is about a promotion before the last record
// had arrived completely: the source goes on in the middle of a record of the
// target.
func TestRecordsWhoseBeginningTheSourceHas(t *testing.T) {
	endtoend.TryEach(t, []endtoend.Situation{{
		Name: "a record of several pages ends with the first one on the source", Want: endtoend.Rewound,
		Make: func(l *endtoend.Lab) endtoend.Ends {
			a := l.Primary(pgtest.Options{}, endtoend.Thousand...)
			b := l.Standby(a)
			l.CatchUp(a, b)
			b.Stop(l, pgtest.Fast)
			from := a.InsertLSN(l)
			a.Exec(l, "SELECT pg_logical_emit_message(false, 'torn', repeat('y', 30000))", "INSERT INTO t SELECT generate_series(1, 10)")
			a.Stop(l, pgtest.Fast)
			g := endtoend.ControlOf(l.T, a).Geometry
			name := g.WALFileName(1, g.SegNo(from))
			raw, err := os.ReadFile(filepath.Join(a.Dir, l.In.Version.WALDir, name))
			require.NoError(l, err)
			clear(raw[g.PageStart(from)+2*pgdata.LSN(g.WALBlockSize)-g.SegStart(g.SegNo(from)):])
			require.NoError(l, os.WriteFile(filepath.Join(b.Dir, l.In.Version.WALDir, name), raw, 0o600))
			b.MakeStandbyOfNobody(l)
			b.Start(l)
			l.Promote(b)
			b.Exec(l, "INSERT INTO t SELECT generate_series(1, 7)")
			return endtoend.Ends{Target: a, Src: b}
		},
	}})
}
