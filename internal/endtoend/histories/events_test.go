package histories_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gorewind/gorewind/internal/pgtest"
)

// An event may happen at any time. All its choices come from its r, so what one
// event finds does not change what the next one does.
type event struct {
	weight int
	do     func(w *world, r *rand.Rand)
}

const maxNodes = 6

var events = []event{
	{30, func(w *world, r *rand.Rand) {
		if n := w.pick(r, isPrimary); n != nil {
			w.write(r, n, []string{"postgres", "postgres", "two"}[r.IntN(3)], 1+r.IntN(4))
		}
	}},
	{8, func(w *world, r *rand.Rand) { // a lot of WAL
		if n := w.pick(r, isPrimary); n != nil {
			w.do(n, "postgres", fmt.Sprintf("INSERT INTO t0 (v, pad) SELECT g, repeat('w', 400) FROM generate_series(1, %d) g", 500+r.IntN(3000)))
		}
	}},
	{12, func(w *world, r *rand.Rand) {
		if n := w.pick(r, isUp); n != nil {
			w.do(n, "postgres", "CHECKPOINT")
		}
	}},
	{6, func(w *world, r *rand.Rand) {
		if n := w.pick(r, isPrimary); n != nil {
			n.c.SwitchWAL(w)
			w.note(n, "switched to a new segment")
		}
	}},
	{4, func(w *world, r *rand.Rand) {
		if n := w.pick(r, isPrimary); n != nil {
			w.recycle(r, n)
		}
	}},
	{8, func(w *world, r *rand.Rand) { // standbys catch up
		for _, n := range w.nodes {
			w.settle(n)
		}
	}},
	{7, func(w *world, r *rand.Rand) {
		n := w.pick(r, isStandby)
		if n == nil {
			return
		}
		if r.IntN(2) == 0 {
			n.c.PauseReplay(w)
			n.paused = true
			w.note(n, "replay is paused")
		} else {
			n.c.ResumeReplay(w)
			n.paused = false
			w.note(n, "replay goes on")
		}
	}},
	{3, delay},
	{6, cutOrMend},
	{5, func(w *world, r *rand.Rand) {
		if n := w.pick(r, isUp); n != nil {
			w.stop(r, n)
		}
	}},
	{5, func(w *world, r *rand.Rand) {
		if n := w.pick(r, isDown); n != nil {
			w.start(n)
		}
	}},
	{4, func(w *world, r *rand.Rand) {
		if n := w.pick(r, isUp); n != nil {
			w.stop(r, n)
			w.start(n)
		}
	}},
	{2, func(w *world, r *rand.Rand) { // SIGKILL
		if n := w.pick(r, func(n *node) bool { return n.up && n.c.Running() }); n != nil {
			w.forget(n)
			n.c.Kill(w)
			n.up, n.clean = false, false
			w.note(n, "killed")
		}
	}},
	{4, snapshot},
	{7, func(w *world, r *rand.Rand) {
		n := w.pick(r, isStandby)
		if n == nil {
			return
		}
		if r.IntN(2) == 0 {
			w.settle(n)
		}
		w.promote(n)
	}},
	{3, promoteTwo},
	{2, byHand},
	{3, startBriefly},
	{6, open},
	{6, finish},
	{3, prepared},
	{4, databases},
	{3, settings},
	{2, loseArchived},
}

// happen makes one random event happen.
func (w *world) happen() {
	total := 0
	for _, e := range events {
		total += e.weight
	}
	at := w.rnd.IntN(total)
	r := rand.New(rand.NewPCG(w.rnd.Uint64(), 0))
	w.findCrashed()
	for _, e := range events {
		if at -= e.weight; at < 0 {
			e.do(w, r)
			return
		}
	}
}

// recycle makes a primary write some segments, so that it recycles old ones.
func (w *world) recycle(r *rand.Rand, n *node) {
	for range 2 + r.IntN(3) {
		if _, err := n.query("postgres", "INSERT INTO t1 VALUES (1, '{1}'); CHECKPOINT"); err != nil {
			return
		}
		n.c.SwitchWAL(w)
		for _, s := range w.nodes {
			if s.upstream == n {
				w.settle(s)
			}
		}
	}
	w.note(n, "wrote some segments, with checkpoints")
	if s := w.pick(r, func(s *node) bool { return s.up && s.upstream == n }); s != nil {
		w.do(s, "postgres", "CHECKPOINT")
	}
}

func delay(w *world, r *rand.Rand) {
	n := w.pick(r, isStandby)
	if n == nil || w.in.Version.RecoveryConf { // there, the setting needs a restart
		return
	}
	n.delayed = !n.delayed
	value := "0"
	if n.delayed {
		value = "1h"
	}
	n.c.SetConf(w, map[string]string{"recovery_min_apply_delay": value})
	w.do(n, "postgres", "SELECT pg_reload_conf()")
	w.note(n, "recovery_min_apply_delay is %s", value)
}

// cutOrMend disconnects a standby from its primary, or connects it again.
func cutOrMend(w *world, r *rand.Rand) {
	n := w.pick(r, isStandby)
	if n == nil {
		return
	}
	if r.IntN(2) == 0 {
		w.cut(n)
		return
	}
	if n.attached() && n.upstream.up {
		w.stop(r, n)
		if w.start(n) && r.IntN(2) == 0 {
			w.settle(n)
		}
	}
}

// cut leaves a running standby without a primary.
func (w *world) cut(n *node) {
	w.forget(n)
	if n.paused || n.delayed { // then its WAL receiver would go on
		n.upstream = nil
		w.stopAs(n, pgtest.Immediate)
		w.start(n)
	} else {
		n.c.CutOff(w)
	}
	w.note(n, "cut off")
}

// snapshot stops a node, copies it, and starts it again.
func snapshot(w *world, r *rand.Rand) {
	n := w.pick(r, func(n *node) bool { return n.up && (w.archive == "" || !n.primary) })
	if n == nil || len(w.nodes) >= maxNodes {
		return
	}
	w.stop(r, n)
	m := w.clone(n)
	w.note(m, "is a copy of %s", n.name)
	w.start(n)
}

// promoteTwo promotes two standbys of a cleanly stopped primary at the same LSN:
// both have all its WAL.
func promoteTwo(w *world, r *rand.Rand) {
	if w.archive != "" { // an archive cannot hold two timelines with the same number
		return
	}
	p := w.pick(r, isPrimary)
	if p == nil {
		return
	}
	var followers []*node
	for _, n := range w.nodes {
		if n.up && n.upstream == p && n.attached() {
			w.settle(n)
			followers = append(followers, n)
		}
	}
	if len(followers) < 2 {
		return
	}
	w.stopAs(p, pgtest.Fast)
	w.await(func() bool {
		return followers[0].value("SELECT "+w.in.Version.SQL.ReplayLSN+"()") == followers[1].value("SELECT "+w.in.Version.SQL.ReplayLSN+"()")
	})
	for _, n := range followers[:2] {
		w.promote(n)
	}
}

// byHand starts a standby as if it were a primary.
func byHand(w *world, r *rand.Rand) {
	n := w.pick(r, func(n *node) bool { return !n.primary })
	if n == nil || w.archive != "" {
		return
	}
	w.stop(r, n)
	for _, name := range []string{"standby.signal", "recovery.conf"} {
		_ = os.Remove(filepath.Join(n.c.Dir, name))
	}
	n.primary, n.upstream = true, nil
	w.note(n, "is about to be started by hand as a primary")
	w.start(n)
}

// startBriefly starts a stopped primary and stops it at once.
func startBriefly(w *world, r *rand.Rand) {
	n := w.pick(r, func(n *node) bool { return !n.up && n.primary })
	if n == nil {
		return
	}
	if w.start(n) {
		w.stop(r, n)
	}
}

// open makes changes in a transaction and leaves it open.
func open(w *world, r *rand.Rand) {
	n := w.pick(r, func(n *node) bool { return isPrimary(n) && len(n.open) < 3 })
	if n == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, n.c.ConnString("postgres"))
	if err != nil {
		w.note(n, "accepts no connection: %v", err)
		return
	}
	t := tables[r.IntN(5)]
	sql := "BEGIN; " + w.fill(t.insert, r.IntN(100000))
	if _, err := conn.Exec(ctx, sql); err != nil {
		w.note(n, "%s: %v", sql, err)
	} else {
		w.note(n, "a transaction stays open: %s", sql)
	}
	n.open = append(n.open, conn)
}

// finish ends an open transaction. Sometimes the rows are read afterwards, which
// sets hint bits.
func finish(w *world, r *rand.Rand) {
	n := w.pick(r, func(n *node) bool { return len(n.open) > 0 })
	if n == nil {
		return
	}
	how := []string{"COMMIT", "COMMIT", "ROLLBACK"}[r.IntN(3)]
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err := n.open[0].Exec(ctx, how)
	_ = n.open[0].Close(ctx)
	n.open = n.open[1:]
	w.note(n, "an open transaction ends: %s %v", how, err)
	if r.IntN(2) == 0 {
		w.do(n, "postgres", "SELECT count(*) FROM t0; SELECT count(*) FROM t1; SELECT count(*) FROM t2; SELECT count(*) FROM t3; SELECT count(*) FROM t4")
	}
}

func prepared(w *world, r *rand.Rand) {
	n := w.pick(r, isPrimary)
	if n == nil {
		return
	}
	if gid := n.value("SELECT gid FROM pg_prepared_xacts WHERE database = 'postgres' ORDER BY gid LIMIT 1"); gid != "" && r.IntN(2) == 0 {
		w.do(n, "postgres", []string{"COMMIT", "ROLLBACK"}[r.IntN(2)]+" PREPARED '"+gid+"'")
		return
	}
	if n.value("SELECT count(*) FROM pg_prepared_xacts") < "4" {
		number := r.IntN(100000)
		w.do(n, "postgres", fmt.Sprintf("BEGIN; INSERT INTO t1 VALUES (%[1]d, '{1}'); UPDATE t0 SET v = %[1]d WHERE id = %[1]d %% 50; PREPARE TRANSACTION 'p%[1]d'", number))
	}
}

// databases creates, drops and moves databases. A server that replays a copy of
// files twice can lose rows even without a rewind. So all standbys must replay it
// and make a restartpoint after it.
func databases(w *world, r *rand.Rand) {
	n := w.pick(r, isPrimary)
	if n == nil {
		return
	}
	var standbys []*node
	for _, s := range w.nodes {
		if s != n && s.below(n) {
			if !s.up || s.paused || s.delayed {
				return
			}
			standbys = append(standbys, s)
		}
	}
	defer func() {
		for _, s := range append([]*node{n}, standbys...) {
			w.settle(s)
			w.do(s, "postgres", "CHECKPOINT")
		}
	}()
	number, strategies := r.IntN(1000), []string{""}
	if w.in.Version.WAL.DatabaseCreateWAL != 0 {
		strategies = []string{" STRATEGY file_copy", " STRATEGY wal_log"}
	}
	strategy, place := strategies[r.IntN(len(strategies))], []string{"side", "pg_default"}[r.IntN(2)]
	switch r.IntN(5) {
	case 0, 1:
		w.do(n, "postgres", fmt.Sprintf("CREATE DATABASE d%d TEMPLATE two%s TABLESPACE %s", number, strategy, place))
	case 2:
		w.do(n, "postgres", "ALTER DATABASE two SET TABLESPACE "+place)
	default:
		if name := n.value("SELECT datname FROM pg_database WHERE datname LIKE 'd%' ORDER BY 1 LIMIT 1"); name != "" {
			w.do(n, "postgres", []string{"DROP DATABASE " + name, "ALTER DATABASE " + name + " SET TABLESPACE " + place}[r.IntN(2)])
		}
	}
}

// settings changes, in some histories, settings that a rewind depends on.
func settings(w *world, r *rand.Rand) {
	n := w.pick(r, isUp)
	if n == nil || !w.unsettled {
		return
	}
	conf := map[string]string{}
	switch r.IntN(5) {
	case 0, 1:
		conf["wal_log_hints"] = []string{"on", "off"}[r.IntN(2)]
	case 2:
		conf["full_page_writes"] = []string{"on", "off"}[r.IntN(2)]
	case 3:
		conf["max_connections"] = fmt.Sprint(40 + 10*r.IntN(4))
	default:
		n.minimal = !n.minimal && n.primary && w.archive == ""
		conf["wal_level"], conf["max_wal_senders"] = "replica", "8"
		if n.minimal {
			conf["wal_level"], conf["max_wal_senders"] = "minimal", "0"
		}
		if w.summarizes {
			conf["summarize_wal"] = map[bool]string{true: "off", false: "on"}[n.minimal]
		}
	}
	n.c.SetConf(w, conf)
	w.note(n, "settings: %v", conf)
	w.stop(r, n)
	w.start(n)
	if n.minimal {
		w.do(n, "postgres", "BEGIN; CREATE TABLE m"+fmt.Sprint(r.IntN(1000))+" AS SELECT g FROM generate_series(1, 300) g; TRUNCATE t4; COPY t4 (id) FROM PROGRAM 'seq 70'; COMMIT")
	}
}

// loseArchived removes a segment from the archive.
func loseArchived(w *world, r *rand.Rand) {
	if w.archive == "" {
		return
	}
	entries, err := os.ReadDir(w.archive)
	if err != nil {
		w.Fatalf("%v", err)
	}
	var segments []string
	for _, e := range entries {
		if len(e.Name()) == 24 && !strings.HasPrefix(e.Name(), ".") {
			segments = append(segments, e.Name())
		}
	}
	if len(segments) > 0 {
		name := segments[r.IntN(len(segments))]
		w.note(nil, "the archive loses %s", name)
		_ = os.Remove(filepath.Join(w.archive, name))
	}
}
