package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
	"github.com/gorewind/gorewind/pgdata"
)

// scenario makes two clusters, both stopped in good order, of which the first
// can be rewound to the second. The README of testdata/clusters describes them.
type scenario struct {
	name   string
	majors []string // nil: all
	make   func(cluster.T, *cluster.Installation) (target, source *cluster.Cluster)
}

func (s scenario) has(major string) bool { return s.majors == nil || slices.Contains(s.majors, major) }

var scenarios = []scenario{
	{"basic", nil, basic},
	{"ladder", []string{"9.6", "14", "18", "19"}, ladder},
	{"standby-target", []string{"9.6", "14", "18", "19"}, standbyTarget},
	{"contrecord", []string{"14", "18", "19"}, contrecord},
	{rowsScenario, nil, rowsLost},
}

// primary starts a new one with the smallest WAL segments that its major has, and
// without the template databases, which are two thirds of an empty cluster.
func primary(t cluster.T, in *cluster.Installation) (c *cluster.Cluster, segment int) {
	o := cluster.Options{Conf: map[string]string{"wal_compression": "on", "wal_buffers": "64kB"}}
	segment = 16 << 20
	if in.CanChooseWALSegSize() {
		o.WALSegSizeMB, segment = 1, 1<<20
	}
	c = in.InitCluster(t, o)
	c.Start(t)
	c.Exec(t, "UPDATE pg_database SET datistemplate = false", "DROP DATABASE template0", "DROP DATABASE template1")
	return c, segment
}

// commonCheckpoint makes the checkpoint that is going to be the last common one,
// in a segment without older WAL.
func commonCheckpoint(t cluster.T, c *cluster.Cluster) {
	c.SwitchWAL(t)
	c.Checkpoint(t)
}

// message is SQL that writes a WAL record of a little more than that many bytes.
func message(bytes int) string {
	return fmt.Sprintf("SELECT pg_logical_emit_message(false, 'large', repeat('gorewind', %d))", bytes/8)
}

// basic: relations that change, grow, shrink, appear and vanish on both sides.
func basic(t cluster.T, in *cluster.Installation) (target, source *cluster.Cluster) {
	target, segment := primary(t, in)
	target.Exec(t,
		"CREATE TABLE kept (id int PRIMARY KEY, side text, filler text)",
		"INSERT INTO kept SELECT g, 'common', repeat('x', 400) FROM generate_series(1, 800) g",
		"CREATE TABLE grows AS SELECT g FROM generate_series(1, 1000) g",
		"CREATE TABLE shrinks AS SELECT g, repeat('s', 400) AS filler FROM generate_series(1, 400) g",
		"CREATE TABLE emptied AS SELECT g FROM generate_series(1, 1000) g",
		"CREATE TABLE dropped_by_source AS SELECT g FROM generate_series(1, 1000) g",
		"CREATE TABLE dropped_by_target AS SELECT g FROM generate_series(1, 1000) g",
		"CREATE UNLOGGED TABLE unlogged AS SELECT g FROM generate_series(1, 1000) g",
		"CREATE SEQUENCE counter",
	)
	source = target.Standby(t)
	target.Exec(t, "BEGIN", "INSERT INTO kept VALUES (0, 'prepared in common')", "PREPARE TRANSACTION 'common'")
	commonCheckpoint(t, target)
	target.Exec(t, "UPDATE kept SET side = 'before the fork' WHERE id % 100 = 0")
	source.WaitCaughtUp(t, target)
	source.Promote(t)

	target.Exec(t,
		"UPDATE kept SET side = 'lost' WHERE id % 40 = 0",
		"INSERT INTO grows SELECT g FROM generate_series(1, 50) g",
		"INSERT INTO shrinks SELECT g, repeat('l', 400) FROM generate_series(1, 400) g",
		"TRUNCATE emptied",
		"DROP TABLE dropped_by_target",
		message(segment+segment/4),
		"SET wal_compression = off",
		"UPDATE kept SET side = 'lost' WHERE id % 41 = 0",
		"SET wal_compression = on",
		"CREATE TABLE lost AS SELECT g FROM generate_series(1, 1000) g",
		"SELECT nextval('counter') FROM generate_series(1, 50)",
		"BEGIN", "INSERT INTO kept VALUES (-1, 'prepared, lost')", "PREPARE TRANSACTION 'lost'",
		"VACUUM kept",
	)
	target.SwitchWAL(t)
	target.Exec(t, "CHECKPOINT", "DELETE FROM kept WHERE id % 43 = 0")
	target.Stop(t, cluster.Fast)

	source.Exec(t,
		"INSERT INTO kept SELECT g, 'new', repeat('n', 400) FROM generate_series(1001, 1100) g",
		"INSERT INTO grows SELECT g FROM generate_series(1, 3000) g",
		"DELETE FROM shrinks WHERE g > 100",
		"VACUUM shrinks",
		"DROP TABLE dropped_by_source",
		"CREATE TABLE created AS SELECT g FROM generate_series(1, 1000) g",
		"COMMIT PREPARED 'common'",
		"BEGIN", "INSERT INTO kept VALUES (-2, 'prepared on the source')", "PREPARE TRANSACTION 'new'",
		"CHECKPOINT",
	)
	source.Stop(t, cluster.Fast)
	return target, source
}

// ladder: timelines 1, 2, 3 against 1, 2, 4. The last common checkpoint is of
// timeline 2.
func ladder(t cluster.T, in *cluster.Installation) (target, source *cluster.Cluster) {
	first, _ := primary(t, in)
	first.Exec(t, "CREATE TABLE t AS SELECT g, repeat('x', 100) AS filler FROM generate_series(1, 1000) g")
	second := first.Standby(t)
	target = first.Standby(t)
	source = first.Standby(t)
	second.WaitStreaming(t, first)
	commonCheckpoint(t, first)
	first.Exec(t, "UPDATE t SET g = -g WHERE g % 100 = 0")
	second.WaitCaughtUp(t, first)
	first.Stop(t, cluster.Fast)
	second.Promote(t)
	for _, c := range []*cluster.Cluster{target, source} {
		c.Stop(t, cluster.Fast)
		c.MakeStandbyOf(t, second)
		c.Start(t)
		c.WaitStreaming(t, second)
	}
	commonCheckpoint(t, second)
	second.Exec(t, "UPDATE t SET g = 0 WHERE g % 99 = 0")
	target.WaitCaughtUp(t, second)
	target.Promote(t)
	target.Exec(t, "DELETE FROM t WHERE g % 98 = 0", "CREATE TABLE lost AS SELECT g FROM generate_series(1, 1000) g",
		"CHECKPOINT", "DELETE FROM t WHERE g % 97 = 0")
	target.Stop(t, cluster.Fast)

	second.Exec(t, "INSERT INTO t SELECT g, repeat('2', 100) FROM generate_series(1, 500) g")
	source.WaitCaughtUp(t, second)
	// As an archive that both share would, so that the source does not take 3 too.
	three := filepath.Join(in.Version.WALDir, pgdata.HistoryFileName(3))
	data, err := os.ReadFile(filepath.Join(target.Dir, three))
	if err == nil {
		err = os.WriteFile(filepath.Join(source.Dir, three), data, 0o600)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	source.Promote(t)
	source.Exec(t, "INSERT INTO t SELECT g, repeat('4', 100) FROM generate_series(1, 500) g", "CHECKPOINT")
	source.Stop(t, cluster.Fast)
	return target, source
}

// standbyTarget: a standby, stopped as one, that replayed what the old primary
// wrote after the new one was promoted.
func standbyTarget(t cluster.T, in *cluster.Installation) (target, source *cluster.Cluster) {
	first, _ := primary(t, in)
	first.Exec(t, "CREATE TABLE t AS SELECT g, repeat('x', 100) AS filler FROM generate_series(1, 1000) g")
	source = first.Standby(t)
	target = first.Standby(t)
	source.WaitStreaming(t, first)
	commonCheckpoint(t, first)
	first.Exec(t, "UPDATE t SET g = -g WHERE g % 100 = 0")
	source.WaitCaughtUp(t, first)
	source.Promote(t)
	first.Exec(t, "UPDATE t SET g = 0 WHERE g % 99 = 0", "CREATE TABLE lost AS SELECT g FROM generate_series(1, 1000) g",
		"CHECKPOINT", "DELETE FROM t WHERE g % 98 = 0")
	target.WaitCaughtUp(t, first)
	target.Exec(t, "CHECKPOINT") // a restartpoint
	first.Exec(t, "DELETE FROM t WHERE g % 97 = 0")
	target.WaitCaughtUp(t, first)
	target.Stop(t, cluster.Fast)
	source.Exec(t, "INSERT INTO t SELECT g, repeat('n', 100) FROM generate_series(1, 500) g", "CHECKPOINT")
	source.Stop(t, cluster.Fast)
	return target, source
}

// contrecord: after the fork the target is killed while it writes a record that
// spans segments, and on its next start abandons what there is of that record.
func contrecord(t cluster.T, in *cluster.Installation) (target, source *cluster.Cluster) {
	target, segment := primary(t, in)
	target.Exec(t, "CREATE TABLE t AS SELECT g, repeat('x', 100) AS filler FROM generate_series(1, 1000) g")
	source = target.Standby(t)
	commonCheckpoint(t, target)
	target.Exec(t, "UPDATE t SET g = -g WHERE g % 100 = 0")
	source.WaitCaughtUp(t, target)
	source.Promote(t)
	target.Exec(t, "UPDATE t SET g = 0 WHERE g % 99 = 0")

	before := target.InsertLSN(t)
	ended := make(chan error, 1)
	go func() {
		_, err := target.TryQuery(context.Background(), "postgres", message(256<<20))
		ended <- err
	}()
	geo := pgdata.Geometry{WALSegSize: uint32(segment)}
	second := filepath.Join(target.Dir, in.Version.WALDir, geo.WALFileName(1, geo.SegNo(before)+2))
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if written(second) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the large record does not reach %s", second)
		}
	}
	target.Kill(t)
	if err := <-ended; err == nil {
		t.Fatalf("the large record was written before the server was killed: try again")
	}
	target.Start(t)
	target.Exec(t, "DELETE FROM t WHERE g % 98 = 0", "CREATE TABLE lost AS SELECT g FROM generate_series(1, 1000) g")
	target.Stop(t, cluster.Fast)
	source.Exec(t, "INSERT INTO t SELECT g, repeat('n', 100) FROM generate_series(1, 500) g", "CHECKPOINT")
	source.Stop(t, cluster.Fast)
	return target, source
}

// written tells whether a segment holds the message.
func written(segment string) bool {
	f, err := os.Open(segment)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, 4096)
	n, _ := f.ReadAt(b, 1024)
	return bytes.Contains(b[:n], []byte("gorewind"))
}
