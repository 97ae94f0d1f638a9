package histories_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/scratch"
)

// A world is the servers of one history and the log of what happened to them. It is
// the harness's T: a failure to set something up ends the history, not the test.
type world struct {
	*testing.T
	in  *pgtest.Installation
	rnd *rand.Rand

	segmentMB  int
	checksums  bool
	archive    string // empty if nothing is archived
	unsettled  bool   // settings change during the history
	summarizes bool   // servers keep WAL summaries
	nodes      []*node
	names      int
	log        []string
}

// A node is a server as the history knows it. Its real state may differ: a standby
// may be stuck, or may have stopped by itself.
type node struct {
	c        *pgtest.Cluster
	name     string
	up       bool
	primary  bool
	clean    bool  // it was stopped cleanly
	upstream *node // of a standby; nil if it has none
	from     int   // upstream.life when this node became its standby
	life     int   // is incremented when its files no longer continue their earlier state
	delayed  bool
	paused   bool
	minimal  bool
	open     []*pgx.Conn // transactions that stay open
	own      endtoend.Session
}

// endedEarly is why a history ended early.
type endedEarly struct{ why string }

func (w *world) Fatalf(format string, args ...any) { panic(endedEarly{fmt.Sprintf(format, args...)}) }
func (w *world) Logf(format string, args ...any)   { w.note(nil, format, args...) }

// note logs what happened, and the server's position afterwards.
func (w *world) note(n *node, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if n != nil {
		line = fmt.Sprintf("%s: %s%s", n.name, line, n.at())
	}
	w.log = append(w.log, line)
}

// at returns the position of a server in words.
func (n *node) at() string {
	if !n.c.Running() {
		d, err := controlfile.Read(n.c.Dir)
		if err != nil {
			return ""
		}
		return fmt.Sprintf(" [%s, timeline %d, checkpoint %s redo %s, minimum %s]", d.State, d.Timeline(), d.CheckPoint, d.CheckPointCopy.Redo, d.MinRecoveryPoint)
	}
	v := n.c.In.Version.SQL
	rows, err := n.query("postgres", fmt.Sprintf(`SELECT CASE WHEN pg_is_in_recovery() THEN concat('replayed ', %s(), ', received ', %s()) ELSE concat('at ', %s()) END`,
		v.ReplayLSN, v.ReceiveLSN, v.FlushLSN))
	if err != nil || len(rows) != 1 {
		return " [does not answer]"
	}
	return " [" + rows[0][0] + "]"
}

// query uses a connection that is kept, because connecting is slow. Other databases
// than postgres get a new one each time: a database to be dropped, moved or copied
// must have no connections.
func (n *node) query(db, sql string) ([][]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if db != "postgres" {
		return n.c.TryQuery(ctx, db, sql)
	}
	return n.own.Query(ctx, n.c, sql)
}

// value returns the single value of a query, empty if it fails.
func (n *node) value(sql string) string {
	rows, err := n.query("postgres", sql)
	if err != nil || len(rows) != 1 || len(rows[0]) != 1 {
		return ""
	}
	return rows[0][0]
}

// do runs SQL on a node. A failure is part of the history.
func (w *world) do(n *node, db, sql string) bool {
	statements := []string{sql}
	if !strings.HasPrefix(sql, "BEGIN") && !strings.HasPrefix(sql, "DO") { // otherwise each statement is a transaction
		statements = strings.Split(sql, "; ")
	}
	for _, s := range statements {
		if _, err := n.query(db, s); err != nil {
			w.note(n, "in %s: %s: %v", db, s, err)
			return false
		}
	}
	w.note(n, "in %s: %s", db, sql)
	return true
}

// pick chooses one of the nodes for which a condition holds, nil if there is none.
func (w *world) pick(r *rand.Rand, holds func(n *node) bool) *node {
	var all []*node
	for _, n := range w.nodes {
		if holds(n) {
			all = append(all, n)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[r.IntN(len(all))]
}

func isUp(n *node) bool        { return n.up }
func isDown(n *node) bool      { return !n.up }
func isPrimary(n *node) bool   { return n.up && n.primary }
func isStandby(n *node) bool   { return n.up && !n.primary }
func (n *node) attached() bool { return n.upstream != nil && n.upstream.life == n.from }

// below reports whether n is p or gets its WAL from p, directly or through other
// standbys.
func (n *node) below(p *node) bool {
	for n != p && !n.primary && n.attached() {
		n = n.upstream
	}
	return n == p
}

// add makes a cluster a node, with a name.
func (w *world) add(c *pgtest.Cluster) *node {
	n := &node{c: c, name: string(rune('a' + w.names)), clean: true}
	w.names++
	c.StartTimeout = 20 * time.Second
	c.Hopeless = endtoend.Hopeless
	w.nodes = append(w.nodes, n)
	return n
}

// start starts a node as a primary or a standby. A standby whose primary's files
// were replaced is started without a primary: how a server handles WAL that does
// not continue its own is not tested here.
func (w *world) start(n *node) bool {
	if n.up {
		return true
	}
	if !n.primary {
		if n.attached() {
			n.c.MakeStandbyOf(w, n.upstream.c)
		} else {
			n.c.MakeStandbyOfNobody(w)
		}
	}
	if err := n.c.TryStart(); err != nil {
		w.note(n, "does not start: %s", lastLines(err.Error(), 3))
		return false
	}
	n.up, n.clean, n.paused = true, false, false
	w.note(n, "started")
	return true
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " / ")
}

// stop stops a node, cleanly or not.
func (w *world) stop(r *rand.Rand, n *node) {
	switch r.IntN(3) {
	case 0:
		w.stopAs(n, pgtest.Immediate)
	default:
		w.stopAs(n, pgtest.Fast)
	}
}

func (w *world) stopAs(n *node, mode pgtest.StopMode) {
	if !n.up {
		return
	}
	w.forget(n)
	if !n.c.Running() {
		w.crashed(n)
		return
	}
	n.c.Stop(w, mode)
	n.up, n.clean = false, mode == pgtest.Fast
	w.note(n, "stopped (%s)", mode)
}

// forget drops the open transactions of a node.
func (w *world) forget(n *node) {
	for _, conn := range n.open {
		_ = conn.Close(context.Background())
	}
	n.open = nil
	n.own.Close()
}

// crashed records that a server stopped by itself.
func (w *world) crashed(n *node) {
	n.up, n.clean = false, false
	w.note(n, "stopped by itself: %s", lastLines(n.c.LogTail(4), 4))
	n.c.Stop(w, pgtest.Immediate)
}

// findCrashed finds the servers that stopped by themselves.
func (w *world) findCrashed() {
	for _, n := range w.nodes {
		if n.up && !n.c.Running() {
			w.crashed(n)
		}
	}
}

// renew is called before a node's files are replaced. It stops all standbys that
// follow the node.
func (w *world) renew(r *rand.Rand, n *node) {
	n.life++
	for _, d := range w.nodes {
		if d.up && d.upstream == n {
			w.stop(r, d)
		}
	}
}

// clone copies a stopped node to a new one.
func (w *world) clone(n *node) *node {
	m := w.add(n.c.CloneStopped(w))
	m.primary, m.clean, m.upstream, m.from, m.delayed, m.minimal = n.primary, n.clean, n.upstream, n.from, n.delayed, n.minimal
	return m
}

// settle waits until a standby has replayed all that its primary has, or makes no
// progress.
func (w *world) settle(n *node) {
	if !n.up || n.primary || n.paused || n.delayed || !n.attached() || !n.upstream.up {
		return
	}
	v := n.c.In.Version.SQL
	end := n.upstream.value(fmt.Sprintf("SELECT CASE WHEN pg_is_in_recovery() THEN %s() ELSE %s() END", v.ReplayLSN, v.FlushLSN))
	if end == "" {
		return
	}
	at, since := "", time.Now()
	for time.Since(since) < 2*time.Second {
		now := n.value(fmt.Sprintf("SELECT concat(%s() >= '%s', ' ', %s(), %s())", v.ReplayLSN, end, v.ReplayLSN, v.ReceiveLSN))
		if strings.HasPrefix(now, "t") {
			return
		}
		if now != at {
			at, since = now, time.Now()
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.note(n, "does not replay up to the end of %s, %s,", n.upstream.name, end)
}

// promote makes a standby a primary.
func (w *world) promote(n *node) bool {
	if _, err := n.query("postgres", "SELECT 1"); err != nil {
		w.note(n, "is not promoted, because it does not answer: %v", err)
		return false
	}
	n.c.ResumeReplay(w)
	n.paused = false
	n.c.Promote(w)
	n.primary, n.upstream = true, nil
	w.note(n, "promoted")
	if w.archive != "" { // the next promotion must know this timeline
		w.await(func() bool {
			name := n.value("SELECT " + n.c.In.Version.SQL.WALFileName + "('0/1000001')")
			return len(name) < 8 || endtoend.Exists(filepath.Join(w.archive, name[:8]+".history"))
		})
	}
	return true
}

// await waits for a condition, for a limited time.
func (w *world) await(done func() bool) bool {
	for since := time.Now(); time.Since(since) < 5*time.Second; time.Sleep(10 * time.Millisecond) {
		if done() {
			return true
		}
	}
	return false
}

// begin creates the first primary and its standbys.
func (w *world) begin() {
	w.segmentMB = 16
	if w.in.CanChooseWALSegSize() && w.rnd.IntN(3) > 0 {
		w.segmentMB = 1
	}
	w.checksums = w.rnd.IntN(3) > 0
	o := pgtest.Options{WALSegSizeMB: w.segmentMB, NoChecksums: !w.checksums, InMemory: true, Conf: map[string]string{}}
	for name, value := range endtoend.Quiet {
		o.Conf[name] = value
	}
	// Open transactions hold locks; no statement waits for those.
	o.Conf["lock_timeout"], o.Conf["statement_timeout"] = "300ms", "15s"
	keep := "256 MB of WAL is kept"
	if w.rnd.IntN(2) == 0 {
		keep = "no WAL is kept"
		o.Conf[w.in.Version.KeepWAL] = "0"
		o.Conf["min_wal_size"], o.Conf["max_wal_size"] = endtoend.PgSize(2*w.segmentMB), endtoend.PgSize(6*w.segmentMB)
	}
	if w.rnd.IntN(3) == 0 && !w.in.Version.RecoveryConf {
		w.archive = scratch.MemoryDir(w)
		o.Conf["archive_mode"] = "on"
		o.Conf["archive_command"] = fmt.Sprintf("test ! -f %[1]s/%%f && cp %%p %[1]s/.%%f && mv %[1]s/.%%f %[1]s/%%f", w.archive)
		o.Conf["restore_command"] = fmt.Sprintf("cp %s/%%f %%p 2>/dev/null", w.archive)
	}
	w.unsettled = w.rnd.IntN(5) == 0
	if w.in.SummarizesWAL() && w.rnd.IntN(2) == 0 {
		w.summarizes = true
		o.Conf["summarize_wal"] = "on"
	}
	a := w.add(w.in.InitCluster(w, o))
	a.primary = true
	w.log = append(w.log, fmt.Sprintf("PostgreSQL %s, checksums %v, WAL segments of %d MB, %s, archive %q, settings change %v, summaries %v", w.in, w.checksums, w.segmentMB, keep, w.archive, w.unsettled, w.summarizes))
	if !w.start(a) {
		w.Fatalf("the first server does not start")
	}
	for _, sql := range append(schema(w.in), "CREATE TABLE marker (x text)", "CREATE TABLESPACE side LOCATION '"+a.c.TablespaceDir(w, "side")+"'", "CREATE DATABASE two") {
		a.c.Exec(w, sql)
	}
	a.c.ExecIn(w, "two", schema(w.in)...)
	a.c.Checkpoint(w) // copies have other tablespace links, which replay must not recreate
	w.write(w.rnd, a, "postgres", 3)
	w.write(w.rnd, a, "two", 2)
	a.c.Checkpoint(w)
	w.stopAs(a, pgtest.Fast)
	upstream := a
	for i := range 2 + w.rnd.IntN(2) {
		n := w.clone(a)
		n.primary, n.upstream = false, upstream
		if i > 0 && w.rnd.IntN(3) == 0 {
			n.upstream = w.nodes[len(w.nodes)-2] // a cascade
		}
		w.note(n, "is a standby of %s", n.upstream.name)
	}
	for _, n := range w.nodes {
		if !w.start(n) {
			w.Fatalf("%s does not start", n.name)
		}
	}
	for _, n := range w.nodes[1:] {
		w.settle(n)
	}
	if !slices.ContainsFunc(w.nodes, isPrimary) {
		w.Fatalf("no server is left")
	}
}
