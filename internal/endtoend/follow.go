package endtoend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
)

// Follow starts the target as a standby of the source, and the source if it is
// stopped. The target must reach consistency, stream, receive what is written from
// then on, and have the primary's rows.
func (y *Try) Follow(t pgtest.T) error {
	t.Helper()
	if !y.Src.Running() {
		y.Src.Start(t)
	}
	if y.Src.InRecovery(t) {
		y.Src.ResumeReplay(t)
	}
	if !y.Asked {
		y.Target.MakeStandbyOf(t, y.Src)
	}
	logged := len(y.Target.Log())
	y.Target.Hopeless = Hopeless
	defer y.own.Close()
	if err := y.Target.TryStart(); err != nil {
		return fmt.Errorf("it does not come up as a standby: %w", err)
	}
	primary := y.Primary
	if primary == nil {
		primary = y.Src
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
	err := SameRows(t, primary, y.Target)
	if err != nil && y.Src != primary {
		if own := SameRows(t, primary, y.Src); own != nil {
			t.Fatalf("the source itself does not have its primary's rows: %v", own)
		}
	}
	return err
}

// promoteSource promotes a source that is a standby, after the target has the
// same rows.
func (y *Try) promoteSource(t pgtest.T, logged int) error {
	t.Helper()
	if !y.Src.InRecovery(t) {
		return nil
	}
	if err := y.sameAsStandbys(t, logged); err != nil {
		return fmt.Errorf("as a standby of a standby: %w", err)
	}
	y.Src.Promote(t)
	return nil
}

// sameAsStandbys compares the rows of two standbys, one of which follows the other. They are
// comparable only while both have replayed the same WAL: a standby passes on WAL that it has not
// replayed itself, and its settings may delay its replay. If it does not catch up, the comparison
// after its promotion, which replays everything, must be enough.
func (y *Try) sameAsStandbys(t pgtest.T, logged int) error {
	t.Helper()
	var still stillness
	for {
		at := y.Src.ReplayLSN(t)
		still.look(at.String())
		if err := y.wait(logged, "what its source replayed", func() (bool, error) {
			lsn, err := y.replayed()
			return lsn >= at, err
		}); err != nil {
			return err
		}
		level := func() bool {
			lsn, err := y.replayed()
			return err == nil && lsn == at && y.Src.ReplayLSN(t) == at
		}
		if level() {
			if err := SameRows(t, y.Src, y.Target); err == nil || level() {
				return err
			}
		}
		if still.lasts(1) {
			t.Logf("%s stays at %s, and its standby is ahead of it: they are compared after its promotion", y.Src.Name, at)
			return nil
		}
		time.Sleep(Tick)
	}
}

// replayed is the end of what the target has replayed.
func (y *Try) replayed() (pgdata.LSN, error) {
	text, err := y.ask("SELECT coalesce(" + y.Target.In.Version.SQL.ReplayLSN + "()::text, '0/0')")
	if err != nil {
		return 0, err
	}
	return pgdata.ParseLSN(text)
}

// ask runs a query with one value on the target.
func (y *Try) ask(sql string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	rows, err := y.own.Query(ctx, y.Target, sql)
	if err != nil || len(rows) != 1 || len(rows[0]) != 1 {
		return "", fmt.Errorf("%s: %q: %w", sql, rows, cmp.Or(err, errors.New("not one answer")))
	}
	return rows[0][0], nil
}

func (y *Try) answers(sql string) (bool, error) {
	a, err := y.ask(sql)
	return a == "t", err
}

// patience is how long a standby may make no progress, with nothing new in its log
// and no new WAL, before it counts as stuck. No correct standby waits that long. On a
// busy machine, where checks take long, the number of checks in that time counts
// instead.
const patience = 30 * time.Second

const looks = int(patience / (2 * Tick))

// stillness measures how long nothing has changed.
type stillness struct {
	state string
	since time.Time
	looks int
}

func (s *stillness) look(state string) {
	if s.looks++; s.looks == 1 || state != s.state {
		*s = stillness{state, time.Now(), 1}
	}
}

// lasts reports whether it has lasted for a part of patience.
func (s *stillness) lasts(part int) bool {
	return time.Since(s.since) > patience/time.Duration(part) && s.looks > looks/part
}

// wait waits for one condition after the other. It gives up when the target's log keeps
// repeating the same message, or when nothing changes any more.
func (y *Try) wait(logged int, what string, things ...func() (bool, error)) error {
	var still stillness
	for i, done := range things {
		for {
			ok, err := done()
			if err == nil && ok {
				break
			}
			log := y.Target.Log()[logged:]
			still.look(fmt.Sprint(len(log), y.position()))
			if y.nudge != nil && still.lasts(6) {
				y.nudge()
				y.nudge = nil
			}
			switch {
			case !y.Target.Running():
				return fmt.Errorf("its server ended: %s", complaint(log))
			case Hopeless(log) || still.lasts(1):
				return fmt.Errorf("it never receives %s (%d, %s; it is at %s): %s", what, i, fmt.Sprint(err), y.position(), complaint(log))
			}
			time.Sleep(Tick)
		}
	}
	return nil
}

// position is how far the target has received and replayed; empty if it does not
// answer.
func (y *Try) position() string {
	sql := y.Target.In.Version.SQL
	at, _ := y.ask(fmt.Sprintf("SELECT concat(%s(), ' ', %s())", sql.ReplayLSN, sql.ReceiveLSN))
	return at
}

// repeats is how often a standby logs the same message before it counts as hopeless.
// After that nothing else will happen.
const repeats = 30

// Hopeless reports whether a standby's log keeps repeating the same message. Its answers
// to clients that check whether it is ready, some fifty times a second, count only if
// nothing else is logged for seconds.
func Hopeless(log string) bool {
	said, asked := map[string]int{}, 0
	for line := range strings.Lines(log) {
		_, what, ok := strings.Cut(line, "] ")
		switch {
		case !ok:
		case strings.Contains(what, "the database system is starting up"):
			if asked++; asked == 10*repeats {
				return true
			}
		default:
			asked = 0
			if said[what]++; said[what] == repeats {
				return true
			}
		}
	}
	return false
}

// complaint is the last error in a server's log.
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
