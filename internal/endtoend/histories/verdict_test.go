package histories_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
)

// A finding is a wrong outcome.
type finding struct {
	what    error
	context string
}

// try rewinds one node to another and judges the outcome.
func (w *world) try(r *rand.Rand) (verdict string, f *finding) {
	w.findCrashed()
	target := w.pick(r, func(n *node) bool { return !n.up })
	if target == nil || r.IntN(2) == 0 {
		target = w.pick(r, func(*node) bool { return true })
	}
	src := w.pick(r, func(n *node) bool { return n != target && n.up })
	if src == nil || r.IntN(3) == 0 {
		src = w.pick(r, func(n *node) bool { return n != target })
	}
	w.stop(r, target)
	if !src.up && (!src.clean && r.IntN(5) > 0 || r.IntN(2) == 0) {
		w.start(src)
	} else if src.up && r.IntN(5) == 0 {
		w.stopAs(src, pgtest.Fast)
	}
	if src.upstream == target { // they would follow each other
		src.upstream = nil
		if src.up {
			w.cut(src)
		}
	}
	// Keep WAL: if the source removes WAL after the rewind, that is not the rewind's
	// fault.
	src.c.SetConf(w, map[string]string{w.in.Version.KeepWAL: "1024"})
	if src.up {
		w.do(src, "postgres", "SELECT pg_reload_conf()")
	}
	y := &endtoend.Try{Target: target.c, Src: src.c, Primary: w.writer(r, src)}
	program, _ := w.in.Program("postgres")
	y.Opts = rewind.Options{
		EnsureShutdown: r.IntN(10) > 0, BinDir: filepath.Dir(program),
		InPlace: r.IntN(6) == 0, RestoreTargetWAL: w.archive != "" && r.IntN(2) == 0,
	}
	// An archive may contain timelines that a standby must not follow. The rewind must
	// see to that.
	y.Asked = w.archive != "" || r.IntN(3) == 0
	how := "live"
	if !src.up {
		how = "stopped"
	}
	context := w.controls(target, src)
	w.note(target, "is rewound to %s (%s), in place %v, recovery %v, restore %v, -R %v; %s", src.name, how, y.Opts.InPlace, y.Opts.EnsureShutdown, y.Opts.RestoreTargetWAL, y.Asked, target.name)
	o := y.Rewind(w)
	if o.Err != nil {
		w.note(target, "refused: %v", o.Err)
		if err := o.Refusal(); err != nil {
			return "", &finding{err, context}
		}
		var e *rewind.Error
		if errors.As(o.Err, &e) && e.CrashRecovered {
			target.clean = true
		}
		w.T.Logf("refused (%s): %v", endtoend.ConditionOf(o.Err), o.Err)
		return "refused: " + string(endtoend.ConditionOf(o.Err)), nil
	}
	context += describe(o.Plan)
	w.note(target, "rewind required %v %s %s; they diverged at %s", o.Plan.Required, o.Plan.Reason, o.Plan.Unproven, o.Plan.Divergence)
	w.renew(r, target)
	if err := w.follow(r, y, target, src); err != nil {
		if !o.Plan.Required && (!o.Plan.Proven || warnsOfFollowing(o.Plan)) {
			w.note(target, "does not follow, which was not promised: %v", err)
			w.Fatalf("a rewind was not required, with a warning or unproven, and the target does not follow")
		}
		return "", &finding{err, context + "then:\n" + w.controls(target, src)}
	}
	verdict = "rewound"
	if !o.Plan.Required {
		verdict = "not required"
	}
	if o.Plan.Evidence != report.ByWAL {
		verdict += " by " + string(o.Plan.Evidence)
	}
	return verdict + " (" + how + ")", nil
}

// warnsOfFollowing reports whether a plan says that the target will not be able to follow.
func warnsOfFollowing(p *rewind.Plan) bool {
	return slices.ContainsFunc(p.Warnings, func(warning string) bool { return strings.Contains(warning, rewind.ErrCannotFollow.Error()) })
}

// writer returns the primary whose WAL a standby receives, nil if there is none.
func (w *world) writer(r *rand.Rand, n *node) *pgtest.Cluster {
	if n.primary {
		return nil
	}
	root := n
	for !root.primary {
		if !root.attached() || !root.upstream.up {
			return nil
		}
		root = root.upstream
	}
	if !n.up { // start it for that, and stop it again
		return nil
	}
	mark := fmt.Sprintf("w%d", len(w.log))
	if _, err := root.query("postgres", "INSERT INTO marker VALUES ('"+mark+"')"); err != nil {
		return nil
	}
	w.calm(n)
	w.settle(n)
	if n.value("SELECT count(*) FROM marker WHERE x = '"+mark+"'") != "1" {
		return nil
	}
	w.note(n, "receives what %s writes", root.name)
	if r.IntN(3) == 0 { // but does not replay it yet
		n.c.PauseReplay(w)
		n.paused = true
		w.note(n, "replay is paused")
		w.write(r, root, "postgres", 1+r.IntN(3))
		w.do(root, "postgres", "CHECKPOINT")
	}
	return root.c
}

// calm lets a standby replay all its WAL.
func (w *world) calm(n *node) {
	if n.primary || !n.up {
		return
	}
	if n.delayed {
		n.c.SetConf(w, map[string]string{"recovery_min_apply_delay": "0"})
		w.do(n, "postgres", "SELECT pg_reload_conf()")
		n.delayed = false
		// Up to 14, a server finishes a delay that has begun, even if the setting
		// changes.
		w.stopAs(n, pgtest.Fast)
		if !w.start(n) {
			w.Fatalf("the source does not start again")
		}
	}
	n.c.ResumeReplay(w)
	n.paused = false
}

// follow checks what must be possible after a rewind.
func (w *world) follow(r *rand.Rand, y *endtoend.Try, target, src *node) error {
	if !src.up && !w.start(src) {
		w.Fatalf("the source does not start")
	}
	w.calm(src)
	if !w.in.Version.RecoveryConf {
		target.c.SetConf(w, map[string]string{"recovery_min_apply_delay": "0"})
	}
	target.delayed, target.c.StartTimeout = false, time.Minute
	err := y.Follow(w)
	target.up, target.primary, target.upstream, target.from = target.c.Running(), false, src, src.life
	if err != nil {
		return err
	}
	if y.Primary == nil && !src.primary {
		src.primary, src.upstream = true, nil
		w.note(src, "promoted, because no primary writes")
	}
	w.note(target, "follows %s, with its rows", src.name)
	if r.IntN(3) > 0 {
		return w.takeOver(r, y, target, src)
	}
	w.stopAs(target, pgtest.Fast)
	if err := endtoend.Sound(target.c.Dir); err != nil {
		return err
	}
	w.start(target)
	return nil
}

// takeOver promotes the rewound server in its source's place.
func (w *world) takeOver(r *rand.Rand, y *endtoend.Try, target, src *node) error {
	primary := src.c
	if y.Primary != nil {
		primary = y.Primary
	}
	ask := func(c *pgtest.Cluster, sql string) string { return strings.Join(c.QueryRows(w, sql)[0], " ") }
	const transactions = "SELECT coalesce(string_agg(gid, ' ' ORDER BY gid), 'none') FROM pg_prepared_xacts"
	gids, last := ask(primary, transactions), ask(primary, "SELECT nextval('t0_id_seq')")
	primary.Exec(w, "INSERT INTO marker VALUES ('flushes everything before it')")
	y.Target.WaitCaughtUp(w, primary)
	w.stop(r, src)
	if !w.promote(target) {
		return errors.New("it cannot be promoted")
	}
	if got := ask(target.c, transactions); got != gids {
		return fmt.Errorf("prepared transactions: %s, but the target has %s", gids, got)
	}
	if next := ask(target.c, "SELECT nextval('t0_id_seq') > "+last); next != "t" {
		return errors.New("the sequence t0_id_seq was set back")
	}
	if gids != "none" {
		for gid := range strings.FieldsSeq(gids) {
			if _, err := target.query("postgres", "COMMIT PREPARED '"+gid+"'"); err != nil {
				return fmt.Errorf("commit of the prepared transaction: %w", err)
			}
		}
	}
	if err := complete(target); err != nil {
		return err
	}
	w.stopAs(target, pgtest.Fast)
	if err := endtoend.Sound(target.c.Dir); err != nil {
		return err
	}
	w.start(target)
	w.note(target, "took over")
	return nil
}

// walOf lists a node's WAL files.
func (n *node) walOf() string {
	entries, err := os.ReadDir(filepath.Join(n.c.Dir, n.c.In.Version.WALDir))
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "WAL of %s:", n.name)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && !e.IsDir() {
			fmt.Fprintf(&b, " %s (%d)", e.Name(), info.ModTime().UnixMilli()%10000000)
		}
	}
	return b.String() + "\n"
}

// controls are the control files of both sides.
func (w *world) controls(target, src *node) string {
	var b strings.Builder
	for _, n := range []*node{target, src} {
		d, err := controlfile.Read(n.c.Dir)
		if err != nil {
			fmt.Fprintf(&b, "control file of %s: %v\n", n.name, err)
			continue
		}
		b.WriteString(n.walOf())
		fmt.Fprintf(&b, "control file of %s: %+v\n", n.name, d.Fields)
		fmt.Fprintf(&b, "  checkpoint %+v, hints %v, checksums %d, wal_level %v\n", d.CheckPointCopy, d.WALLogHints, d.DataChecksumVersion, d.WALLevel)
	}
	return b.String()
}

func describe(p *rewind.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "plan: required %v (%s), proven %v, resumes %v, diverged at %s on timeline %d, checkpoint %+v, scan %+v\n",
		p.Required, p.Reason, p.Proven, p.Resumes, p.Divergence, p.DivergenceTimeline, p.Checkpoint, p.Scan)
	for _, s := range []rewind.Side{p.Target, p.Source} {
		fmt.Fprintf(&b, "  side: timeline %d, history %+v, end of WAL %s\n", s.Timeline, s.History, s.EndOfWAL)
	}
	for _, n := range p.NeededWAL {
		fmt.Fprintf(&b, "  needs %+v\n", n)
	}
	for _, s := range p.Warnings {
		fmt.Fprintf(&b, "  warning: %s\n", s)
	}
	return b.String()
}
