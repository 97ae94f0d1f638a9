package rows_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/lost/rows"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// schema has a trigger on every table that records, in the transaction itself, what it
// does to rows. This is the reference for the test.
var schema = []string{
	"CREATE TYPE mood AS ENUM ('sad', 'ok', 'very happy')",
	"CREATE TYPE pair AS (a integer, b text)",
	"CREATE DOMAIN label AS varchar(60)",
	"CREATE TABLE journal (seq bigserial, xid bigint, op text, rel text, old text, new text)",
	`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF TG_OP = 'INSERT' THEN
			INSERT INTO journal (xid, op, rel, new) VALUES (txid_current() % (1::bigint << 32), lower(TG_OP), TG_TABLE_NAME, NEW::text);
		ELSIF TG_OP = 'UPDATE' THEN
			INSERT INTO journal (xid, op, rel, old, new) VALUES (txid_current() % (1::bigint << 32), lower(TG_OP), TG_TABLE_NAME, OLD::text, NEW::text);
		ELSE
			INSERT INTO journal (xid, op, rel, old) VALUES (txid_current() % (1::bigint << 32), lower(TG_OP), TG_TABLE_NAME, OLD::text);
		END IF;
		RETURN NULL;
	END $$`,
	`CREATE TABLE things (id int PRIMARY KEY, n numeric, b boolean, t text, d timestamptz, m mood, a int[], j jsonb, p pair, l label, c "char", u uuid, f double precision) WITH (fillfactor = 70)`,
	"CREATE TABLE big (id int PRIMARY KEY, x text, y text, z text)",
	"ALTER TABLE big ALTER x SET STORAGE EXTERNAL",
	"CREATE TABLE nokey (a int, b text)",
	"CREATE TABLE parent (id int, s text)",
	"CREATE TABLE child () INHERITS (parent)",
}

func tables() []string { return []string{"things", "big", "nokey", "child"} }

// world is a number of sessions that do random things.
type world struct {
	t        *testing.T
	rng      *rand.Rand
	c        *pgtest.Cluster
	sessions []*session
	next     int // next primary key
	prepared []string
}

type session struct {
	conn  *pgconn.PgConn
	open  bool
	saved int // number of savepoints
	bad   bool
}

func (w *world) exec(s *session, sql string) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	_, err := s.conn.Exec(ctx, sql).ReadAll()
	return err
}

func (w *world) text(most int) string {
	n := w.rng.IntN(most + 1)
	if w.rng.IntN(2) == 0 {
		return fmt.Sprintf("repeat('%c', %d)", 'a'+w.rng.IntN(26), n)
	}
	return fmt.Sprintf("(SELECT coalesce(string_agg(md5((i * %d)::text), ''), '') FROM generate_series(1, %d) i)", w.rng.IntN(1e6), n/32)
}

func (w *world) pick(of ...string) string { return of[w.rng.IntN(len(of))] }

func (w *world) thing(id int) string {
	return fmt.Sprintf("(%d, %d.%d, %s, %s, '2020-01-01'::timestamptz + %d * interval '1 min', %s, %s, %s, %s, 'label %d', '%c', md5('%d')::uuid, %d / 4.0)",
		id, w.rng.IntN(1e6)-5e5, w.rng.IntN(100), w.pick("true", "false", "NULL"), w.text(w.pickInt(5, 50, 300)), w.rng.IntN(1e6),
		w.pick("'sad'", "'ok'", "'very happy'", "NULL"), w.pick("'{1,2,3}'", "'{}'", "NULL", "'{{1},{NULL}}'"),
		w.pick(`'{"a": [1, null, "x"]}'`, "NULL", "'5'"), w.pick(`ROW(1, 'a "b"')`, "NULL", "ROW(NULL, '')"), w.rng.IntN(1e5), 'a'+w.rng.IntN(26), w.rng.IntN(1e6), w.rng.IntN(1e6))
}

func (w *world) pickInt(of ...int) int { return of[w.rng.IntN(len(of))] }

// statement returns a random statement that changes rows.
func (w *world) statement() string {
	id := func() int { return 1 + w.rng.IntN(w.next) }
	switch w.rng.IntN(14) {
	case 0, 1:
		w.next++
		return "INSERT INTO things VALUES " + w.thing(w.next)
	case 2:
		var list []string
		for range 1 + w.rng.IntN(20) {
			w.next++
			list = append(list, w.thing(w.next))
		}
		return "INSERT INTO things VALUES " + strings.Join(list, ", ")
	case 3, 4:
		return fmt.Sprintf("UPDATE things SET %s WHERE id = %d", w.pick("n = n + 1", "b = NOT b", "t = t || 'x'", "t = "+w.text(200), "a = a || 1, j = '{}'", "m = 'ok', d = now()"), id())
	case 5:
		from := id()
		return fmt.Sprintf("UPDATE things SET n = n * 2 WHERE id BETWEEN %d AND %d", from, from+w.rng.IntN(30))
	case 6:
		return fmt.Sprintf("DELETE FROM things WHERE id = %d", id())
	case 7:
		w.next++
		return fmt.Sprintf("INSERT INTO things VALUES %s ON CONFLICT (id) DO UPDATE SET n = excluded.n, l = 'conflict'", w.thing(w.pickInt(w.next, id())))
	case 8:
		w.next++
		return fmt.Sprintf("INSERT INTO big VALUES (%d, %s, %s, %s)", w.next, w.text(9000), w.text(30000), w.text(100))
	case 9:
		return fmt.Sprintf("UPDATE big SET %s WHERE id %% 7 = %d", w.pick("z = 'changed '|| id", "x = x || 'more'", "y = "+w.text(20000), "x = NULL"), w.rng.IntN(7))
	case 10:
		return fmt.Sprintf("DELETE FROM big WHERE id %% 31 = %d", w.rng.IntN(31))
	case 11:
		return fmt.Sprintf("INSERT INTO nokey SELECT i, 'row ' || i FROM generate_series(1, %d) i", 1+w.rng.IntN(400))
	case 12:
		return w.pick("UPDATE nokey SET b = b || '.' WHERE a % 5 = 1", "DELETE FROM nokey WHERE a > 200", "INSERT INTO child VALUES (1, 'c')", "UPDATE parent SET s = 'd'", "SELECT * FROM things WHERE id % 9 = 1 FOR UPDATE", "SELECT * FROM things WHERE id % 9 = 1 FOR KEY SHARE")
	}
	return "COPY nokey FROM STDIN"
}

// step makes one session do something.
func (w *world) step() {
	if w.rng.IntN(25) == 0 {
		w.maintain()
		return
	}
	s := w.sessions[w.rng.IntN(len(w.sessions))]
	switch {
	case s.bad:
		require.NoError(w.t, w.exec(s, "ROLLBACK"))
		s.open, s.bad, s.saved = false, false, 0
	case !s.open && w.rng.IntN(3) == 0:
		s.bad = false
		w.do(s, w.statement())
	case !s.open:
		require.NoError(w.t, w.exec(s, "BEGIN"))
		s.open = true
	case w.rng.IntN(6) == 0:
		switch w.rng.IntN(8) {
		case 0:
			require.NoError(w.t, w.exec(s, "ROLLBACK"))
		case 1:
			name := fmt.Sprintf("p%d", w.rng.IntN(1e9))
			if w.do(s, "PREPARE TRANSACTION '"+name+"'") {
				w.prepared = append(w.prepared, name)
			}
			s.bad = false
		default:
			w.do(s, "COMMIT")
		}
		s.open, s.saved = false, 0
	case w.rng.IntN(6) == 0:
		if s.saved > 0 && w.rng.IntN(2) == 0 {
			if w.rng.IntN(3) > 0 {
				w.do(s, fmt.Sprintf("ROLLBACK TO s%d", s.saved))
			} else {
				w.do(s, fmt.Sprintf("RELEASE s%d", s.saved))
				s.saved--
			}
			return
		}
		s.saved++
		w.do(s, fmt.Sprintf("SAVEPOINT s%d", s.saved))
	default:
		w.do(s, w.statement())
	}
}

func (w *world) do(s *session, sql string) bool {
	var err error
	if strings.HasPrefix(sql, "COPY") {
		var lines strings.Builder
		for range 1 + w.rng.IntN(300) {
			fmt.Fprintf(&lines, "%d\tcopied %d\n", w.rng.IntN(300), w.rng.IntN(1e6))
		}
		_, err = s.conn.CopyFrom(w.t.Context(), strings.NewReader(lines.String()), sql)
	} else {
		err = w.exec(s, sql)
	}
	if err != nil { // mostly a lock, or a duplicate key
		s.bad = s.open
		return false
	}
	return true
}

func (w *world) maintain() {
	s := w.sessions[0]
	if s.open || s.bad {
		return
	}
	switch w.rng.IntN(5) {
	case 0:
		w.do(s, "CHECKPOINT")
	case 1:
		w.do(s, "VACUUM "+w.pick(tables()...))
	case 2:
		w.do(s, "VACUUM FREEZE things")
	case 3, 4:
		if len(w.prepared) > 0 {
			w.do(s, w.pick("COMMIT", "COMMIT", "ROLLBACK")+" PREPARED '"+w.prepared[0]+"'")
			w.prepared = w.prepared[1:]
		}
	}
}

func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("GOREWIND_TEST_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("GOREWIND_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// What sessions do at random after a point in the WAL is found, each transaction as it
// recorded it itself.
func TestLostRowsAreThoseThatTheTransactionsWroteDown(t *testing.T) {
	for _, level := range []string{"replica", "logical"} {
		t.Run(level, func(t *testing.T) {
			pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) { writtenDown(t, in, level) })
		})
	}
}

func writtenDown(t *testing.T, in *pgtest.Installation, level string) {
	rng := seeded(t)
	conf := map[string]string{"wal_level": level}
	if rng.IntN(2) == 0 {
		conf["wal_compression"] = "on"
	}
	c := in.InitCluster(t, pgtest.Options{Conf: conf, WALSegSizeMB: in.SegSizeOr16(1)})
	c.Start(t)
	c.Exec(t, schema...)
	if level == "logical" && rng.IntN(2) == 0 {
		c.Exec(t, "ALTER TABLE nokey REPLICA IDENTITY FULL")
	}
	for _, name := range tables() {
		c.Exec(t, fmt.Sprintf("CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE PROCEDURE note()", name))
	}
	w := &world{t: t, rng: rng, c: c, next: 1}
	for range 4 {
		conn, err := pgconn.Connect(t.Context(), c.ConnString("postgres"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		s := &session{conn: conn}
		require.NoError(t, w.exec(s, "SET lock_timeout = '20ms'"))
		w.sessions = append(w.sessions, s)
	}
	for range 150 {
		w.step()
	}
	fork := c.InsertLSN(t)
	snapshot := c.QueryString(t, "SELECT txid_current_snapshot()")
	for range 400 {
		w.step()
	}
	for _, s := range w.sessions[1:] {
		if !s.bad {
			w.do(s, "COMMIT")
		}
	}
	want := journal(t, c, snapshot)
	crashed := rng.IntN(2) == 0
	if crashed {
		c.Stop(t, pgtest.Immediate)
	} else {
		c.Stop(t, pgtest.Fast)
	}

	before := treeOf(t, c.Dir)
	got, summary, unknown := find(t, c, fork, nil)
	require.Equal(t, before, treeOf(t, c.Dir), "nothing of the target has changed")
	assert.False(t, summary.Incomplete)
	assert.Zero(t, summary.NotNamed)
	assert.Zero(t, summary.Unparsed)
	compareChanges(t, want, got)
	pgtest.Note(fmt.Sprintf("%s %s crashed=%v: %d lost rows, %d versions gone", in.Version, level, crashed, len(got), unknown))
}

// entry describes a change.
type entry struct {
	xid              string
	rel, op          string
	old, new         string
	oldGone, newGone bool
}

// journal returns what was recorded by transactions that had not committed at a
// snapshot.
func journal(t *testing.T, c *pgtest.Cluster, snapshot string) (list []entry) {
	t.Helper()
	for _, r := range c.QueryRows(t, fmt.Sprintf(`SELECT xid, rel, op, coalesce(old, ''), coalesce(new, '') FROM journal
		WHERE NOT txid_visible_in_snapshot(xid, '%s') ORDER BY seq`, snapshot)) {
		list = append(list, entry{xid: r[0], rel: r[1], op: r[2], old: r[3], new: r[4]})
	}
	return list
}

// find lists the lost rows of a stopped server.
func find(t *testing.T, c *pgtest.Cluster, fork pgdata.LSN, change func(*rows.Options)) (list []entry, _ rows.Summary, unknown int) {
	t.Helper()
	dir, err := datadir.Open(c.Dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, dir.Close()) }()
	o := options(t, c, dir, fork)
	o.SpillDir = t.TempDir()
	if change != nil {
		change(&o)
	}
	f, err := rows.Find(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	var last pgdata.LSN
	for ch, err := range f.Changes(t.Context()) {
		require.NoError(t, err)
		require.GreaterOrEqual(t, ch.CommitLSN, last, "in the order of commits")
		last = ch.CommitLSN
		if ch.Table.Name == "journal" {
			continue
		}
		e := entry{xid: fmt.Sprint(ch.XID), rel: ch.Table.Name, op: string(ch.Op)}
		if ch.Op != rows.Deleted {
			e.new, e.newGone = composite(ch.New), ch.New == nil || missing(ch.New)
		}
		if ch.Op != rows.Inserted {
			e.old, e.oldGone = composite(ch.Old), ch.Old == nil || missing(ch.Old)
		}
		if e.newGone || e.oldGone {
			unknown++
			require.True(t, ch.Why != "" || missing(ch.New) || missing(ch.Old), "a row that is not known says why")
		}
		list = append(list, e)
	}
	left, err := os.ReadDir(o.SpillDir)
	require.NoError(t, err)
	require.Empty(t, left, "nothing is left of what was spilled")
	return list, f.Summary(), unknown
}

func options(t *testing.T, c *pgtest.Cluster, dir *datadir.Dir, fork pgdata.LSN) rows.Options {
	t.Helper()
	wal, err := walreader.OpenDir(c.Dir)
	require.NoError(t, err)
	r := wal.Reader()
	defer func() { _ = r.Close() }()
	end, err := wal.End(t.Context())
	require.NoError(t, err)
	var recovery pgdata.LSN
	if !wal.Control.ShutDownCleanly() {
		recovery = wal.Control.CheckPointCopy.Redo
	}
	fork, err = r.FindNextRecord(t.Context(), fork)
	require.NoError(t, err)
	return rows.Options{WAL: wal, Format: wal.Format, Fork: fork, End: end.LSN, Recovery: recovery, Files: dir, Dollars: true}
}

// missing reports whether a value of a row is no longer available.
func missing(values []rows.Value) bool {
	return slices.ContainsFunc(values, func(v rows.Value) bool { return v.Missing })
}

// composite formats a row as the server casts it to text.
func composite(values []rows.Value) string {
	var fields []string
	for _, v := range values {
		switch {
		case v.Missing:
			fields = append(fields, "MISSING")
		case v.Null:
			fields = append(fields, "")
		case v.Text == "" || strings.ContainsAny(v.Text, "\"\\(), \t\n\r\v\f"):
			fields = append(fields, `"`+strings.NewReplacer(`"`, `""`, `\`, `\\`).Replace(v.Text)+`"`)
		default:
			fields = append(fields, v.Text)
		}
	}
	return "(" + strings.Join(fields, ",") + ")"
}

// compareChanges compares changes in order, by transaction and table.
func compareChanges(t *testing.T, want, got []entry) {
	t.Helper()
	key := func(e entry) string { return e.xid + " " + e.rel }
	group := func(list []entry) map[string][]entry {
		m := map[string][]entry{}
		for _, e := range list {
			m[key(e)] = append(m[key(e)], e)
		}
		return m
	}
	wanted, found := group(want), group(got)
	for k, list := range wanted {
		if !assert.Len(t, found[k], len(list), "changes of transaction and table %s", k) {
			for i := range max(len(list), len(found[k])) {
				var w, g entry
				if i < len(list) {
					w = list[i]
				}
				if i < len(found[k]) {
					g = found[k][i]
				}
				t.Logf("%s %.100s %.100s | %s %.100s %.100s", w.op, w.old, w.new, g.op, g.old, g.new)
			}
			return
		}
		// Within a statement, rows may be recorded in a different order if some are updated
		// and some inserted.
		for i, w := range list {
			g := found[k][i]
			if g.newGone {
				w.new, g.new = "", ""
			}
			if g.oldGone {
				w.old, g.old = "", ""
			}
			g.newGone, g.oldGone = false, false
			if !assert.Equal(t, w, g, "change %d of transaction and table %s", i, k) {
				return
			}
		}
	}
	for k := range found {
		if !assert.Contains(t, wanted, k, "nobody did this") {
			return
		}
	}
}

// treeOf returns all files of a directory, with their sizes and times.
func treeOf(t *testing.T, dir string) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		files = append(files, fmt.Sprint(p, info.Mode(), info.Size(), info.ModTime()))
		return nil
	}))
	slices.Sort(files)
	return files
}
