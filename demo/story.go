package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest/built"
	"github.com/gorewind/gorewind/internal/pgtest/cluster"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
)

// story is the demonstration. A is the primary at first, B the primary at last.
type story struct {
	*narrator
	in        *cluster.Installation
	gorewind  string // the program
	downloads string // the directory that keeps them
	a, b      *cluster.Cluster
	onA, onB  *load
}

// prepare gets PostgreSQL and builds gorewind.
func prepare(ctx context.Context, n *narrator, major string) *story {
	n.step("Getting ready")
	n.say("PostgreSQL %s: downloaded once, then kept", major)
	in, err := servers.Major(ctx, major)
	if err != nil {
		n.fail(oneLine(err) + "; the first run needs a network")
	}
	n.say("gorewind: built from the sources here")
	program, err := built.TryGorewind()
	if err != nil {
		n.fail("cannot build gorewind: " + err.Error())
	}
	return &story{narrator: n, in: in, gorewind: program, downloads: filepath.Join(in.BinDir, "../../..")}
}

// tell runs the whole story and reports whether both servers agree at the end.
func (s *story) tell() bool {
	s.primaryAndStandby()
	s.splitBrain()
	s.crash()
	s.lostRows()
	s.rewind()
	s.follow()
	return s.compare()
}

// Every payment records which side took it.
const (
	beforeTheSplit = "before the split"
	onlyOnA        = "A, after the split"
	onlyOnB        = "B, after the split"
)

func (s *story) primaryAndStandby() {
	s.step("A is the primary, B is its standby")
	s.writing(func() { s.a = s.in.InitCluster(s, cluster.Options{Name: "A", TCP: true}) })
	s.a.Start(s)
	s.a.Exec(s,
		"CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL, owner text)",
		fmt.Sprintf("INSERT INTO accounts SELECT id, 100, repeat('owner ' || id, 15) FROM generate_series(1, %d) id", accounts),
		"CREATE TABLE payments (id bigserial PRIMARY KEY, account int, amount int, taken_by text)",
		"INSERT INTO payments (account, amount, taken_by) SELECT id, 100, '"+beforeTheSplit+"' FROM accounts WHERE id <= 20000")
	s.writing(func() { s.b = s.a.Standby(s) })
	s.b.Name = "B"
	s.say("A: PostgreSQL %s on port %d, timeline 1, with %s accounts and 20,000 payments", s.in.Full, s.a.Port(), count(accounts))
	s.say("B: a copy on port %d that streams from A", s.b.Port())
}

func (s *story) splitBrain() {
	s.step("The network splits, and B is promoted while A lives: both take writes")
	s.b.Promote(s)
	s.onA, s.onB = startLoad(s.narrator, s.a, onlyOnA), startLoad(s.narrator, s.b, onlyOnB)
	s.a.Exec(s, "CREATE TABLE only_on_a AS SELECT generate_series(1, 30000) AS x")
	s.b.Exec(s, "CREATE TABLE only_on_b AS SELECT generate_series(1, 10000) AS x")
	s.onA.waitFor(1500)
	s.onB.waitFor(1500)
	s.say("A, on timeline 1: %s transactions, new table only_on_a", count(s.onA.committed.Load()))
	s.say("B, on timeline 2: %s transactions, new table only_on_b; its clients go on", count(s.onB.committed.Load()))
}

func (s *story) crash() {
	s.step("A dies in the middle of its work")
	pid := s.a.PID()
	s.a.Kill(s)
	s.onA.waitForCrash()
	s.command("kill", "-KILL", fmt.Sprint(pid))
	s.say("Now A should become B's standby. But it cannot simply follow: it has %s payments and a table that B never saw.",
		count(s.onA.committed.Load()))
}

// lostRows shows some of the rows that the rewind will discard.
func (s *story) lostRows() {
	s.step("Which payments will be lost? A's files still have them, and no server is needed")
	s.runGorewind("lost", "-D", "A/data", "--source-server", s.addressOfB(), "--table", "payments", "--output", "lost")
	file, err := os.Open(filepath.Join(filepath.Dir(filepath.Dir(s.a.Dir)), "lost", "postgres", "public.payments.csv"))
	if err != nil {
		s.fail(err.Error())
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for range 1 + 3 { // the header and three rows
		if !lines.Scan() {
			s.fail("there are no lost payments")
		}
		s.say("%s", lines.Text())
	}
}

func (s *story) rewind() {
	s.step("One command: crash recovery, rewind over SQL while B is under load, standby settings")
	before := s.onB.committed.Load()
	took := s.runGorewind("-D", "A/data", "--source-server", s.addressOfB()+" application_name=A", "-P", "-R", "--bindir", s.in.BinDir)
	s.say("It took %.1f s. Meanwhile B committed %s transactions.", took.Seconds(), count(s.onB.committed.Load()-before))
}

func (s *story) follow() {
	s.step("A starts as a standby of B")
	if s.in.Version.RecoveryConf {
		s.say("gorewind -R wrote recovery.conf: standby_mode = on, primary_conninfo = where B is")
	} else {
		s.say("gorewind -R made the file standby.signal and wrote to postgresql.auto.conf: primary_conninfo = where B is")
	}
	began := time.Now()
	s.a.Start(s)
	s.a.WaitStreaming(s, s.b)
	s.say("A streams from B, %.1f s after its start.", time.Since(began).Seconds())
	if err := s.onB.stop(); err != nil {
		s.fail("the load on B: " + err.Error())
	}
	s.say("B's clients stop, after %s transactions.", count(s.onB.committed.Load()))
}

// payments counts the payments that one side took.
func (s *story) payments(c *cluster.Cluster, takenBy string) int64 {
	var n int64
	text := c.QueryString(s, "SELECT count(*) FROM payments WHERE taken_by = '"+takenBy+"'")
	if _, err := fmt.Sscan(text, &n); err != nil {
		s.fail(err.Error())
	}
	return n
}

func (s *story) addressOfB() string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=postgres", s.b.Port())
}

// runGorewind runs gorewind in a directory where the data directory of A is A/data.
func (s *story) runGorewind(args ...string) time.Duration {
	home := filepath.Dir(s.a.Dir)
	short := filepath.Join(filepath.Dir(home), "A")
	if err := os.Symlink(home, short); err != nil && !errors.Is(err, os.ErrExist) {
		s.fail(err.Error())
	}
	cmd := exec.CommandContext(s.ctx, s.gorewind, args...)
	out := &quoted{n: s.narrator}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = filepath.Dir(short), cluster.Env(), out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	s.command(append([]string{"gorewind"}, args...)...)
	began := time.Now()
	s.writing(func() {
		if err := cmd.Run(); err != nil {
			s.fail("gorewind: " + err.Error())
		}
	})
	return time.Since(began)
}
