package rewind_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/page"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// A try is a rewind that is judged by nothing but what comes of it: the rows.
// What goes wrong with the situation fails the T, what goes wrong with the rewind
// is an error.
type try struct {
	target, src *pgtest.Cluster // the source may run or not
	// primary writes what the target is to get. Without it the source does, and is
	// promoted for that if it is a standby.
	primary *pgtest.Cluster
	opts    rewind.Options // but for the two sides
	asked   bool           // the rewind itself makes the target a standby

	own session // with the target
	// nudge writes more WAL. A standby that has the beginning of a record which its
	// new timeline does not go on with waits, whatever else comes, until there is as
	// much as that record would have needed.
	nudge func()
}

// An outcome is what a rewind said, and what it did to a target that it refused.
type outcome struct {
	plan    *rewind.Plan
	err     error
	changed []string
}

// rewind prepares and applies.
func (y *try) rewind(t pgtest.T) (o outcome) {
	t.Helper()
	ctx := context.Background()
	before, err := pgtest.ComputeTree(y.target.Dir)
	if err != nil {
		t.Fatalf("%v", err)
	}
	src, err := y.open(ctx)
	if err != nil {
		t.Fatalf("open the source: %v", err)
	}
	defer func() { _ = src.Close() }()
	opts := y.opts
	opts.TargetDir, opts.Source, opts.NoSync = y.target.Dir, src, true
	if resync := rewind.Resync(os.Getenv("GOREWIND_TEST_RESYNC")); resync != "" {
		opts.Resync = resync
	}
	if y.asked {
		opts.PrimaryConnInfo = y.src.ConnString("postgres") + " application_name=" + y.target.Name
	}
	r, err := rewind.Prepare(ctx, opts)
	if err == nil {
		o.plan = r.Plan()
		err = r.Apply(ctx)
		if cerr := r.Close(); cerr != nil {
			t.Fatalf("%v", cerr)
		}
	}
	if o.err = err; err == nil {
		return o
	}
	after, err := pgtest.ComputeTree(y.target.Dir)
	if err != nil {
		t.Fatalf("%v", err)
	}
	o.changed = before.Diff(after)
	return o
}

func (y *try) open(ctx context.Context) (source.Source, error) {
	if y.src.Running() {
		return pgsource.Open(ctx, y.src.ConnString("postgres"), pgsource.Options{})
	}
	return source.OpenDir(y.src.Dir)
}

// refusal is nil for a refusal as it should be: with a target that is as it was
// but for its crash recovery, where the error says so.
func (o outcome) refusal() error {
	var e *rewind.Error
	switch {
	case !errors.As(o.err, &e):
		return fmt.Errorf("it failed, and not with an *Error: %w", o.err)
	case !e.TargetUntouched:
		return fmt.Errorf("it failed in the middle: %w", o.err)
	case len(o.changed) > 0 && !e.CrashRecovered:
		return fmt.Errorf("it was refused (%w), but the target changed: %s", o.err, shortened(o.changed))
	}
	return nil
}

func shortened(list []string) string {
	if n := len(list); n > 8 {
		return strings.Join(list[:8], "; ") + fmt.Sprintf("; and %d more", n-8)
	}
	return strings.Join(list, "; ")
}

// follow starts the target as a standby of the source, and the source where it is
// stopped. The target has to reach consistency, stream, get what is written from
// now on, and have the rows that the primary has.
func (y *try) follow(t pgtest.T) error {
	t.Helper()
	if !y.src.Running() {
		y.src.Start(t)
	}
	if y.src.InRecovery(t) {
		y.src.ResumeReplay(t)
	}
	if !y.asked {
		y.target.MakeStandbyOf(t, y.src)
	}
	logged := len(y.target.Log())
	y.target.Hopeless = hopeless
	defer y.own.close()
	if err := y.target.TryStart(); err != nil {
		return fmt.Errorf("it does not come up as a standby: %w", err)
	}
	primary := y.primary
	if primary == nil {
		primary = y.src
		if err := y.promoteSource(t, logged); err != nil {
			return err
		}
	}
	marker := strconv.FormatInt(time.Now().UnixNano(), 36)
	primary.Exec(t, "CREATE TABLE IF NOT EXISTS marker (x text)", "INSERT INTO marker VALUES ('"+marker+"')")
	y.nudge = func() { primary.SwitchWAL(t) }
	if err := y.wait(logged, "what is written later", func() (bool, error) {
		return y.answers("SELECT count(*) > 0 FROM pg_class WHERE relname = 'marker'")
	}, func() (bool, error) {
		return y.answers("SELECT count(*) > 0 FROM marker WHERE x = '" + marker + "'")
	}, func() (bool, error) {
		return y.answers("SELECT count(*) > 0 FROM pg_stat_wal_receiver WHERE status = 'streaming'")
	}); err != nil {
		return err
	}
	err := sameRows(t, primary, y.target)
	if err != nil && y.src != primary {
		if own := sameRows(t, primary, y.src); own != nil {
			t.Fatalf("the source itself has not what its primary has: %v", own)
		}
	}
	return err
}

// promoteSource promotes a source that is a standby, after the target has the
// same rows.
func (y *try) promoteSource(t pgtest.T, logged int) error {
	t.Helper()
	if !y.src.InRecovery(t) {
		return nil
	}
	at := y.src.ReplayLSN(t)
	if err := y.wait(logged, "what its source replayed", func() (bool, error) {
		text, err := y.ask("SELECT coalesce(" + y.target.In.Version.SQL.ReplayLSN + "()::text, '0/0')")
		if err != nil {
			return false, err
		}
		lsn, err := pgdata.ParseLSN(text)
		return lsn >= at, err
	}); err != nil {
		return err
	}
	if err := sameRows(t, y.src, y.target); err != nil {
		return fmt.Errorf("as a standby of a standby: %w", err)
	}
	y.src.Promote(t)
	return nil
}

// ask puts a question with one answer to the target.
func (y *try) ask(sql string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	rows, err := y.own.query(ctx, y.target, sql)
	if err != nil || len(rows) != 1 || len(rows[0]) != 1 {
		return "", fmt.Errorf("%s: %q: %w", sql, rows, cmp.Or(err, errors.New("not one answer")))
	}
	return rows[0][0], nil
}

func (y *try) answers(sql string) (bool, error) {
	a, err := y.ask(sql)
	return a == "t", err
}

// patience is how long a standby may stand still, with nothing in its log and no
// WAL, before it is taken for stuck. Nothing that is right waits for that.
const patience = 30 * time.Second

// wait waits for one thing after the other. It gives up when the target's log says
// the same for ever, or when nothing happens any more.
func (y *try) wait(logged int, what string, things ...func() (bool, error)) error {
	state, since := "", time.Now()
	for i, done := range things {
		for {
			ok, err := done()
			if err == nil && ok {
				break
			}
			log := y.target.Log()[logged:]
			if now := fmt.Sprint(len(log), y.position()); now != state {
				state, since = now, time.Now()
			}
			if y.nudge != nil && time.Since(since) > patience/6 {
				y.nudge()
				y.nudge = nil
			}
			switch {
			case !y.target.Running():
				return fmt.Errorf("its server ended: %s", complaint(log))
			case hopeless(log) || time.Since(since) > patience:
				return fmt.Errorf("it never gets %s (%d, %s; it is at %s): %s", what, i, fmt.Sprint(err), y.position(), complaint(log))
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// position is how far the target has come, empty if it does not say so.
func (y *try) position() string {
	sql := y.target.In.Version.SQL
	at, _ := y.ask(fmt.Sprintf("SELECT concat(%s(), ' ', %s())", sql.ReplayLSN, sql.ReceiveLSN))
	return at
}

// repeats is how often a standby says the same thing before nothing else is to be
// expected of it.
const repeats = 30

func hopeless(log string) bool {
	said := map[string]int{}
	for line := range strings.Lines(log) {
		if _, what, ok := strings.Cut(line, "] "); ok {
			if said[what]++; said[what] == repeats {
				return true
			}
		}
	}
	return false
}

// complaint is the last that a server's log has to complain about.
func complaint(log string) string {
	last := ""
	for line := range strings.Lines(log) {
		_, what, ok := strings.Cut(line, "] ")
		if ok && !strings.HasPrefix(what, "LOG:  started streaming") && !strings.HasPrefix(what, "LOG:  waiting for WAL") {
			last = strings.TrimSpace(what)
		}
	}
	return last
}

// sameRows compares what two servers have in all databases. The one that follows
// is read first: a primary that is read sets hint bits, whose WAL would mend the
// other's pages.
func sameRows(t pgtest.T, want, got *pgtest.Cluster) error {
	t.Helper()
	g, gerr := rowsOf(got)
	w, err := rowsOf(want)
	if err != nil {
		t.Fatalf("%s cannot read its own rows: %v", want.Name, err)
	}
	if gerr != nil {
		return fmt.Errorf("its rows cannot be read: %w", gerr)
	}
	var diff []string
	all := maps.Clone(w)
	maps.Copy(all, g)
	for _, what := range slices.Sorted(maps.Keys(all)) {
		if w[what] != g[what] {
			diff = append(diff, fmt.Sprintf("%s: %q, but the target has %q", what, w[what], g[what]))
		}
	}
	if len(diff) > 0 {
		return fmt.Errorf("rows differ: %s", shortened(diff))
	}
	return nil
}

const (
	databasesQuery = "SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template0' ORDER BY 1"
	tablesQuery    = `SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE relkind IN ('r', 'm') AND relpersistence = 'p' AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1`
	relationsQuery = `SELECT count(*), md5(string_agg(oid || ':' || relname || ':' || relfilenode, '|' ORDER BY oid)) FROM pg_class`
)

// rowsOf is a digest of every table of every database that a standby can read.
// They are read one block after the other.
func rowsOf(c *pgtest.Cluster) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	all := map[string]string{}
	databases, err := c.TryQuery(ctx, "postgres", databasesQuery)
	if err != nil {
		return nil, err
	}
	for _, db := range databases {
		if err := databaseRows(ctx, c, db[0], all); err != nil {
			return nil, fmt.Errorf("database %s: %w", db[0], err)
		}
	}
	return all, nil
}

func databaseRows(ctx context.Context, c *pgtest.Cluster, db string, all map[string]string) error {
	conn, err := pgconn.Connect(ctx, c.ConnString(db))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := ask(ctx, conn, "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off"); err != nil {
		return err
	}
	tables, err := ask(ctx, conn, tablesQuery)
	if err != nil {
		return err
	}
	queries := map[string]string{"relations": relationsQuery}
	for _, t := range tables {
		queries[t[0]] = fmt.Sprintf("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM %s t", t[0])
	}
	for name, sql := range queries {
		rows, err := ask(ctx, conn, sql)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all[db+"."+name] = strings.Join(rows[0], " ")
	}
	return nil
}

// sound is nil if every page of a stopped cluster has the checksum that it should.
func sound(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, pgdata.ControlFilePath))
	if err != nil {
		return err
	}
	control, err := controlfile.Parse(raw)
	if err != nil {
		return err
	}
	if control.DataChecksumVersion == 0 {
		return nil
	}
	var bad []string
	err = eachPage(dir, control, func(file string, p []byte, block uint32) bool {
		if err := page.Verify(p, block); err != nil {
			bad = append(bad, fmt.Sprintf("%s: %v", file, err))
		}
		return false
	})
	if err == nil && len(bad) > 0 {
		err = fmt.Errorf("pages are damaged: %s", shortened(bad))
	}
	return err
}

// eachPage calls do with every page of every permanent relation, by its number in
// the relation, and writes those back of which do says that it changed them.
func eachPage(dir string, control *controlfile.Data, do func(file string, p []byte, block uint32) bool) error {
	size := int(control.Geometry.BlockSize)
	visit := func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !relationFile.MatchString(d.Name()) {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		first := uint32(0)
		if _, segment, ok := strings.Cut(d.Name(), "."); ok {
			n, err := strconv.ParseUint(segment, 10, 32)
			if err != nil {
				return err
			}
			first = uint32(n) * control.Geometry.RelSegBlocks
		}
		changed := false
		for i := 0; (i+1)*size <= len(data); i++ {
			changed = do(file, data[i*size:(i+1)*size], first+uint32(i)) || changed
		}
		if changed {
			return os.WriteFile(file, data, 0o600)
		}
		return nil
	}
	tops := []string{filepath.Join(dir, "base"), filepath.Join(dir, "global")}
	links, err := filepath.Glob(filepath.Join(dir, "pg_tblspc", "*"))
	if err != nil {
		return err
	}
	for _, link := range links {
		to, err := filepath.EvalSymlinks(link)
		if err != nil {
			return err
		}
		tops = append(tops, to)
	}
	for _, top := range tops {
		if err := filepath.WalkDir(top, visit); err != nil {
			return err
		}
	}
	return nil
}
