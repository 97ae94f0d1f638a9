package rewind_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
)

// readWAL returns what the segment that holds lsn has from there on.
func readWAL(l *lab, c *pgtest.Cluster, tli pgdata.TimelineID, lsn pgdata.LSN) []byte {
	l.Helper()
	g := controlOf(l.T, c).Geometry
	segment := g.SegNo(lsn)
	raw, err := os.ReadFile(filepath.Join(c.Dir, l.in.Version.WALDir, g.WALFileName(tli, segment)))
	require.NoError(l, err)
	return raw[lsn-g.SegStart(segment):]
}

// TestStaleRecordsAreNoWAL is about segments that were recycled, and still have
// records of their earlier life.
func TestStaleRecordsAreNoWAL(t *testing.T) {
	tryEach(t, []situation{{
		name: "one begins right behind a standby's last checkpoint", want: rewound,
		make: func(l *lab) ends {
			segment := l.in.SegSizeOr16(1)
			a := l.primary(pgtest.Options{WALSegSizeMB: segment, Conf: l.recycling(segment)}, thousand...)
			both := l.standbys(a, 2)
			b, c := both[0], both[1]
			for range 14 { // segments with the same records
				a.Checkpoint(l)
				a.SwitchWAL(l)
				l.catchUp(a, b, c)
				b.Checkpoint(l)
				c.Checkpoint(l)
			}
			a.Checkpoint(l)
			l.catchUp(a, b, c)
			a.Stop(l, pgtest.Immediate)
			c.Checkpoint(l)
			c.Stop(l, pgtest.Fast)
			control := controlOf(l.T, c)
			stale := readWAL(l, c, 1, control.MinRecoveryPoint)[:8]
			require.NotEqual(l, make([]byte, 8), stale, "the beginning of a record behind the end")
			l.promote(b)
			return ends{target: c, src: b}
		},
	}})
}

// TestFilesAmongWALThatAreNone is about what a promotion leaves in pg_wal.
func TestFilesAmongWALThatAreNone(t *testing.T) {
	partial := func(l *lab) ends {
		a := l.primary(pgtest.Options{Conf: map[string]string{"archive_mode": "on", "archive_command": "false"}}, thousand...)
		both := l.standbys(a, 2)
		b, c := both[0], both[1]
		a.Exec(l, "INSERT INTO t SELECT generate_series(1, 100)")
		l.catchUp(a, b, c)
		c.Stop(l, pgtest.Fast)
		a.Exec(l, "CREATE TABLE u AS SELECT g, repeat('y', 1000) FROM generate_series(1, 500) g")
		l.catchUp(a, b)
		a.Stop(l, pgtest.Immediate)
		l.promote(b)
		c.Start(l)
		l.promote(c)
		b.Exec(l, "INSERT INTO t SELECT generate_series(1, 7)", "CHECKPOINT")
		c.Exec(l, "INSERT INTO t SELECT generate_series(1, 9)", "CHECKPOINT")
		c.Stop(l, pgtest.Fast)
		var content [2][]byte
		for i, x := range []*pgtest.Cluster{b, c} {
			found, err := filepath.Glob(filepath.Join(x.Dir, l.in.Version.WALDir, "*.partial"))
			require.NoError(l, err)
			require.Len(l, found, 1)
			content[i], err = os.ReadFile(found[0])
			require.NoError(l, err)
		}
		require.False(l, bytes.Equal(content[0], content[1]), "they have the same name, and differ")
		return ends{target: c, src: b}
	}
	tryEach(t, []situation{
		{name: "both have a partial segment of one name", want: rewound, make: partial},
		{
			name: "both have a partial segment of one name, in place", want: rewound,
			make: func(l *lab) ends {
				e := partial(l)
				e.opts.InPlace = true
				return e
			},
		},
	})
}

// TestFullPageWritesOfTheWholeStretch is about settings that hold now, on the
// server that is asked, and did not when and where it matters.
func TestFullPageWritesOfTheWholeStretch(t *testing.T) {
	pair := func(l *lab, value string) (a, b *pgtest.Cluster) {
		a = l.primary(pgtest.Options{Conf: map[string]string{"full_page_writes": value}}, thousand...)
		b = l.standby(a)
		l.catchUp(a, b)
		l.promote(b)
		a.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)", "CHECKPOINT")
		a.Stop(l, pgtest.Fast)
		b.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)")
		return a, b
	}
	// change waits for its record in WAL.
	change := func(l *lab, b *pgtest.Cluster, value string) {
		before := b.InsertLSN(l)
		l.settings(b, map[string]string{"full_page_writes": value})
		require.Eventually(l, func() bool { return b.InsertLSN(l) > before }, waitLong, tick)
	}
	tryEach(t, []situation{
		{
			name: "they are on since a moment ago, without a checkpoint", want: refused, stopped: either,
			make: func(l *lab) ends {
				a, b := pair(l, "off")
				change(l, b, "on")
				require.False(l, controlOf(l.T, b).CheckPointCopy.FullPageWrites)
				return ends{target: a, src: b}
			},
		},
		{
			name: "they were off for a while",
			make: func(l *lab) ends {
				a, b := pair(l, "on")
				change(l, b, "off")
				b.Exec(l, "UPDATE t SET i = i + 1")
				change(l, b, "on")
				b.Exec(l, "CHECKPOINT")
				return ends{target: a, src: b}
			},
		},
		{
			name: "they are off on a source that is stopped: nothing changes while it is copied", want: refused, stopped: rewound,
			make: func(l *lab) ends {
				a, b := pair(l, "on")
				change(l, b, "off")
				b.Exec(l, "CHECKPOINT", "UPDATE t SET i = i + 1")
				return ends{target: a, src: b}
			},
		},
		{
			name: "they were off twice on the target, before the last common checkpoint and behind it", want: refused,
			make: func(l *lab) ends {
				a := l.primary(pgtest.Options{}, thousand...)
				b := l.standby(a)
				for range 2 {
					a.Checkpoint(l)
					change(l, a, "off")
					a.Exec(l, "UPDATE t SET i = i + 1")
					change(l, a, "on")
				}
				l.catchUp(a, b)
				l.promote(b)
				a.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)")
				a.Stop(l, pgtest.Fast)
				return ends{target: a, src: b}
			},
		},
		{
			name: "they are off on a standby as source, and on on its primary", want: rewound,
			make: func(l *lab) ends {
				a := l.primary(pgtest.Options{}, thousand...)
				two := l.copies(a, 2)
				b, c := two[0], two[1]
				l.cascade(b, a)
				c.SetConf(l, map[string]string{"full_page_writes": "off"})
				l.cascade(c, b)
				l.catchUp(a, b, c)
				l.promote(b)
				b.Checkpoint(l)
				l.catchUp(b, c)
				c.Checkpoint(l)
				require.EqualValues(l, 2, controlOf(l.T, c).CheckPointCopy.ThisTimeLineID)
				a.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)", "CHECKPOINT")
				a.Stop(l, pgtest.Fast)
				return ends{target: a, src: c, primary: b}
			},
		},
	})
}

// TestMinimalWALIsNotFollowed is about sources whose WAL lacks what they created.
func TestMinimalWALIsNotFollowed(t *testing.T) {
	minimal := map[string]string{"wal_level": "minimal", "max_wal_senders": "0"}
	made := func(l *lab) (a, b *pgtest.Cluster) {
		a = l.primary(pgtest.Options{}, thousand...)
		b = l.standby(a)
		l.catchUp(a, b)
		l.promote(b)
		b.Stop(l, pgtest.Fast)
		b.SetConf(l, minimal)
		b.Start(l)
		b.Exec(l, "BEGIN; CREATE TABLE m (i int); COPY m FROM PROGRAM 'seq 1000'; COMMIT", "CHECKPOINT")
		a.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)", "CHECKPOINT")
		a.Stop(l, pgtest.Fast)
		return a, b
	}
	tryEach(t, []situation{
		{
			name: "the source runs with wal_level minimal", want: refused,
			make: func(l *lab) ends {
				a, b := made(l)
				return ends{target: a, src: b}
			},
		},
		{
			name: "the source ran with wal_level minimal for a while",
			make: func(l *lab) ends {
				a, b := made(l)
				b.Stop(l, pgtest.Fast)
				b.SetConf(l, map[string]string{"wal_level": "replica", "max_wal_senders": "8"})
				b.Start(l)
				return ends{target: a, src: b}
			},
		},
		{
			name: "the target ran with wal_level minimal for a while",
			make: func(l *lab) ends {
				a := l.primary(pgtest.Options{}, thousand...)
				b := l.standby(a)
				l.catchUp(a, b)
				l.promote(b)
				b.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)")
				a.Stop(l, pgtest.Fast)
				a.SetConf(l, minimal)
				a.Start(l)
				a.Exec(l, "BEGIN; TRUNCATE t; COPY t FROM PROGRAM 'seq 7'; COMMIT", "BEGIN; CREATE TABLE m (i int); COPY m FROM PROGRAM 'seq 1000'; COMMIT")
				a.Stop(l, pgtest.Fast)
				return ends{target: a, src: b}
			},
		},
	})
}

// TestWALThatNoHistoryTellsApart is about two servers that wrote on one timeline.
func TestWALThatNoHistoryTellsApart(t *testing.T) {
	// level has two standbys of a primary that was shut down cleanly, with all its
	// WAL, and a stopped copy that is as old.
	level := func(l *lab) (b, c, older *pgtest.Cluster) {
		a := l.primary(pgtest.Options{}, append(thousand, "CREATE TABLE u (i int)")...)
		three := l.copies(a, 3)
		for _, x := range three[:2] {
			l.cascade(x, a)
		}
		l.catchUp(a, three[0], three[1])
		a.Stop(l, pgtest.Fast)
		l.level(three[0], three[1])
		return three[0], three[1], three[2]
	}
	both := func(l *lab, b, c *pgtest.Cluster) {
		l.promote(b)
		l.promote(c)
		b.Exec(l, "INSERT INTO t VALUES (111111)", "CHECKPOINT", "UPDATE t SET i = i + 1 WHERE i = 5")
		c.Exec(l, "INSERT INTO t VALUES (222222)", "CHECKPOINT")
	}
	tryEach(t, []situation{
		{
			name: "both were promoted at one LSN",
			make: func(l *lab) ends {
				b, c, _ := level(l)
				both(l, b, c)
				b.Stop(l, pgtest.Fast)
				return ends{target: b, src: c}
			},
		},
		{
			name: "both were promoted at one LSN, and the target is ahead",
			make: func(l *lab) ends {
				b, c, _ := level(l)
				both(l, b, c)
				b.Exec(l, "INSERT INTO u SELECT generate_series(1, 20000)")
				b.Stop(l, pgtest.Fast)
				return ends{target: b, src: c}
			},
		},
		{
			name: "both were promoted at one LSN, and the source was promoted once more",
			make: func(l *lab) ends {
				b, c, d := level(l)
				b.Promote(l)
				c.Promote(l)
				l.cascade(d, c)
				b.Exec(l, "UPDATE t SET i = i + 1 WHERE i = 5", "CHECKPOINT")
				c.Exec(l, "INSERT INTO t VALUES (222222)", "CHECKPOINT", "INSERT INTO t SELECT generate_series(10001, 20000)", "CHECKPOINT")
				l.catchUp(c, d)
				c.Stop(l, pgtest.Immediate)
				l.promote(d)
				b.Stop(l, pgtest.Fast)
				return ends{target: b, src: d}
			},
		},
		{
			// The target has no record at the fork of which the histories tell.
			name: "both were promoted at one LSN, the source was promoted once more, and the target is ahead of that", want: rewound,
			make: func(l *lab) ends {
				b, c, d := level(l)
				both(l, b, c)
				b.Exec(l, "CREATE TABLE other AS SELECT 'of another size'::text AS x")
				l.cascade(d, c)
				l.catchUp(c, d)
				l.promote(d)
				b.Exec(l, "INSERT INTO u SELECT generate_series(1, 20000)")
				fork := controlOf(l.T, d).CheckPointCopy.Redo
				require.Greater(l, b.FlushLSN(l), fork)
				b.Stop(l, pgtest.Fast)
				return ends{target: b, src: d}
			},
		},
		{
			name: "both were promoted at one LSN, and the target is a standby of one",
			make: func(l *lab) ends {
				b, c, d := level(l)
				both(l, b, c)
				l.cascade(d, b)
				l.catchUp(b, d)
				d.Stop(l, pgtest.Fast)
				return ends{target: d, src: c}
			},
		},
		{
			name: "a standby was started by hand as if it were a primary",
			make: func(l *lab) ends {
				a := l.primary(pgtest.Options{}, thousand...)
				b := l.standby(a)
				l.catchUp(a, b)
				b.Stop(l, pgtest.Fast)
				l.startByHand(b)
				b.Exec(l, "UPDATE t SET i = -i WHERE i < 10")
				a.Exec(l, "INSERT INTO t SELECT generate_series(8000, 9500)")
				b.Stop(l, pgtest.Fast)
				return ends{target: b, src: a}
			},
		},
		{
			name: "a standby was started by hand as if it were a primary, and is the source",
			make: func(l *lab) ends {
				a := l.primary(pgtest.Options{}, thousand...)
				b := l.standby(a)
				l.catchUp(a, b)
				b.Stop(l, pgtest.Fast)
				l.startByHand(b)
				b.Exec(l, "UPDATE t SET i = -i WHERE i < 10")
				a.Exec(l, "INSERT INTO t SELECT generate_series(8000, 9500)", "CHECKPOINT")
				a.Stop(l, pgtest.Fast)
				return ends{target: a, src: b}
			},
		},
	})
}

// TestRecordsOfWhichTheSourceHasTheBeginning is about a promotion when the last
// record has not come whole: the source goes on in the middle of what is a record on
// the target.
func TestRecordsOfWhichTheSourceHasTheBeginning(t *testing.T) {
	tryEach(t, []situation{{
		name: "a record of several pages ends with the first one on the source", want: rewound,
		make: func(l *lab) ends {
			a := l.primary(pgtest.Options{}, thousand...)
			b := l.standby(a)
			l.catchUp(a, b)
			b.Stop(l, pgtest.Fast)
			from := a.InsertLSN(l)
			a.Exec(l, "SELECT pg_logical_emit_message(false, 'torn', repeat('y', 30000))", "INSERT INTO t SELECT generate_series(1, 10)")
			a.Stop(l, pgtest.Fast)
			g := controlOf(l.T, a).Geometry
			name := g.WALFileName(1, g.SegNo(from))
			raw, err := os.ReadFile(filepath.Join(a.Dir, l.in.Version.WALDir, name))
			require.NoError(l, err)
			clear(raw[g.PageStart(from)+2*pgdata.LSN(g.WALBlockSize)-g.SegStart(g.SegNo(from)):])
			require.NoError(l, os.WriteFile(filepath.Join(b.Dir, l.in.Version.WALDir, name), raw, 0o600))
			b.MakeStandbyOfNobody(l)
			b.Start(l)
			l.promote(b)
			b.Exec(l, "INSERT INTO t SELECT generate_series(1, 7)")
			return ends{target: a, src: b}
		},
	}})
}
