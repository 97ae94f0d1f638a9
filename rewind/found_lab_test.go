package rewind_test

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/page"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// A situation is one in which a rewind once went wrong.
type situation struct {
	name    string // says what is the matter
	majors  []string
	want    wish
	stopped wish // from a stopped source, where that is another
	make    func(l *lab) ends
}

// wish is which outcome is right.
type wish int

const (
	either  wish = iota + 1 // rewound or refused; where nothing is said
	rewound                 // no refusal
	refused                 // nothing but a refusal
	left                    // nothing is to be rewound: it follows, even if the rewind is refused
	never                   // is not to be tried
)

// ends are both sides of a situation. The source runs.
type ends struct {
	target, src *pgtest.Cluster
	primary     *pgtest.Cluster // of a source that stays a standby
	opts        rewind.Options
	asked       bool // the rewind itself makes the target a standby
	// after looks at a target that follows.
	after func(l *lab, y *try)
}

// oldestMiddleNewest are the majors on which situations are tried; make torture has the
// release to come, too, which not every machine can get.
var oldestMiddleNewest = func() []string {
	majors := []string{"9.6", "13", "18"}
	if torture > 0 {
		majors = append(majors, "19")
	}
	return majors
}()

// How long to wait for what is sure to come, and between two looks.
const (
	waitLong = 2 * time.Minute
	tick     = 20 * time.Millisecond
)

// lab makes situations.
type lab struct {
	*testing.T
	in *pgtest.Installation
}

// tryEach makes each situation on its majors, and rewinds from the running source
// and from its directory when it is stopped.
func tryEach(t *testing.T, situations []situation) {
	t.Helper()
	for _, s := range situations {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			majors := s.majors
			if majors == nil {
				majors = oldestMiddleNewest
			}
			pgtest.EachOf(t, majors, func(t *testing.T, in *pgtest.Installation) {
				l := &lab{t, in}
				s.tryBoth(l, s.make(l))
			})
		})
	}
}

func (s situation) tryBoth(l *lab, e ends) {
	l.Helper()
	second := e
	second.target = e.target.CloneStopped(l)
	first := &try{target: e.target, src: e.src, primary: e.primary, opts: e.opts, asked: e.asked}
	o := first.rewind(l)
	stopped := s.stopped != never
	if stopped { // what becomes of the target changes the source
		e.src.Stop(l, pgtest.Fast)
		second.src = e.src.CloneStopped(l)
		e.src.Start(l)
	}
	l.Run("live source", func(t *testing.T) { s.judge(&lab{t, l.in}, first, o, s.want, e.after) })
	e.target.Stop(l, pgtest.Immediate)
	e.src.Stop(l, pgtest.Immediate)
	if !stopped {
		return
	}
	l.Run("stopped source", func(t *testing.T) {
		y := &try{target: second.target, src: second.src, primary: second.primary, opts: second.opts, asked: e.asked}
		s.judge(&lab{t, l.in}, y, y.rewind(t), cmp.Or(s.stopped, s.want), e.after)
	})
}

func (s situation) judge(l *lab, y *try, o outcome, want wish, after func(l *lab, y *try)) {
	l.Helper()
	if o.err != nil {
		require.NoError(l, o.refusal())
		if want == rewound || y.opts.Resync != "" || os.Getenv("GOREWIND_TEST_RESYNC") != "" {
			l.Fatalf("it was refused: %v", o.err)
		}
		l.Logf("refused: %v", o.err)
		if want != left {
			return
		}
	} else {
		l.Logf("a rewind was required: %v %s; the two parted at %s", o.plan.Required, o.plan.Reason, o.plan.Divergence)
	}
	err := y.follow(l)
	if want == refused && os.Getenv("GOREWIND_TEST_RESYNC") == "" {
		l.Fatalf("it was not refused; as a standby: %v", err)
	}
	require.NoError(l, err, "the target, started as a standby")
	if after != nil {
		after(l, y)
	}
	y.target.Stop(l, pgtest.Fast)
	require.NoError(l, sound(y.target.Dir))
}

// quiet are settings with which as little as possible happens by itself.
var quiet = map[string]string{"bgwriter_lru_maxpages": "0", "max_standby_streaming_delay": "-1", "max_standby_archive_delay": "-1", "archive_timeout": "0"}

// primary makes a running server.
func (l *lab) primary(o pgtest.Options, sql ...string) *pgtest.Cluster {
	l.Helper()
	conf := maps.Clone(quiet)
	maps.Copy(conf, o.Conf)
	o.Conf, o.InMemory = conf, true
	p := l.in.InitCluster(l, o)
	p.Start(l)
	p.Exec(l, append([]string{"CREATE TABLE marker (x text)"}, sql...)...)
	p.Checkpoint(l)
	return p
}

// thousand is a table with so many rows.
var thousand = []string{"CREATE TABLE t (i int)", "INSERT INTO t SELECT generate_series(1, 1000)"}

// standbys of a running server; they stream.
func (l *lab) standbys(p *pgtest.Cluster, n int) []*pgtest.Cluster {
	l.Helper()
	all := l.copies(p, n)
	for _, c := range all {
		c.MakeStandbyOf(l, p)
		c.Start(l)
	}
	for _, c := range all {
		c.WaitStreaming(l, p)
	}
	return all
}

func (l *lab) standby(p *pgtest.Cluster) *pgtest.Cluster {
	l.Helper()
	return l.standbys(p, 1)[0]
}

// copies of a running server are stopped.
func (l *lab) copies(p *pgtest.Cluster, n int) []*pgtest.Cluster {
	l.Helper()
	p.Stop(l, pgtest.Fast)
	var all []*pgtest.Cluster
	for range n {
		all = append(all, p.CloneStopped(l))
	}
	p.Start(l)
	return all
}

// cascade starts a stopped copy as a standby of a standby.
func (l *lab) cascade(c, upstream *pgtest.Cluster) {
	l.Helper()
	c.MakeStandbyOf(l, upstream)
	c.Start(l)
	c.WaitStreaming(l, upstream)
}

func (l *lab) catchUp(p *pgtest.Cluster, standbys ...*pgtest.Cluster) {
	l.Helper()
	for _, s := range standbys {
		s.WaitCaughtUp(l, p)
	}
}

// until waits for something to be true on a server.
func (l *lab) until(c *pgtest.Cluster, sql string) {
	l.Helper()
	require.Eventually(l, func() bool { return c.QueryString(l, "SELECT "+sql) == "t" }, waitLong, tick, sql)
}

// level waits until two standbys whose primary is gone have the same WAL.
func (l *lab) level(a, b *pgtest.Cluster) {
	l.Helper()
	require.Eventually(l, func() bool {
		at := a.ReceiveLSN(l)
		return at == b.ReceiveLSN(l) && at <= a.ReplayLSN(l) && at <= b.ReplayLSN(l)
	}, waitLong, tick, "both have the same WAL")
}

// promote makes a standby a primary, and its control file says so.
func (l *lab) promote(c *pgtest.Cluster) {
	l.Helper()
	c.Promote(l)
	c.Checkpoint(l)
}

// settings changes settings of a running server.
func (l *lab) settings(c *pgtest.Cluster, conf map[string]string) {
	l.Helper()
	c.SetConf(l, conf)
	c.Reload(l)
	for name, value := range conf {
		l.until(c, "current_setting('"+name+"') = '"+value+"'")
	}
}

// recycling is settings with which little WAL is kept.
func (l *lab) recycling(segment int) map[string]string {
	return map[string]string{
		l.in.Version.KeepWAL: "0",
		"min_wal_size":       pgSize(2 * segment),
		"max_wal_size":       pgSize(4 * segment),
	}
}

func pgSize(mb int) string { return fmt.Sprintf("%dMB", mb) }

// recovers lets Prepare complete the crash recovery of a target.
func (l *lab) recovers() rewind.Options {
	l.Helper()
	program, ok := l.in.Program("postgres")
	require.True(l, ok)
	return rewind.Options{EnsureShutdown: true, BinDir: filepath.Dir(program)}
}

// startByHand starts a stopped standby as if it were a primary.
func (l *lab) startByHand(c *pgtest.Cluster) {
	l.Helper()
	for _, name := range []string{"standby.signal", "recovery.conf"} {
		_ = os.Remove(filepath.Join(c.Dir, name))
	}
	c.Start(l)
}

// checksums switches the checksums of a stopped cluster on or off, as pg_checksums
// does, which not all majors have.
func (l *lab) checksums(c *pgtest.Cluster, on bool) {
	l.Helper()
	if _, ok := l.in.Program("pg_checksums"); ok {
		l.in.Output(l, "pg_checksums", "-D", c.Dir, map[bool]string{true: "--enable", false: "--disable"}[on])
		return
	}
	control := controlOf(l.T, c)
	if on {
		require.NoError(l, eachPage(c.Dir, control, func(_ string, p []byte, block uint32) bool {
			if page.IsNew(p) {
				return false
			}
			binary.LittleEndian.PutUint16(p[8:], page.Checksum(p, block))
			return true
		}))
	}
	version := map[bool]uint32{true: 1}[on]
	l.setControl(c, uint64(version), 4, func() bool {
		d, err := controlAt(c.Dir)
		return err == nil && d.DataChecksumVersion == version
	})
}

// setControl writes a number to that place of a stopped cluster's control file with
// which it says what it should.
func (l *lab) setControl(c *pgtest.Cluster, number uint64, size int, says func() bool) {
	l.Helper()
	name := filepath.Join(c.Dir, pgdata.ControlFilePath)
	raw, err := os.ReadFile(name)
	require.NoError(l, err)
	end := 16
	for crc32.Checksum(raw[:end], castagnoli) != binary.LittleEndian.Uint32(raw[end:]) {
		end += 4
	}
	for at := 16; at+size <= end; at += size {
		b := slices.Clone(raw)
		copy(b[at:at+size], binary.LittleEndian.AppendUint64(nil, number))
		binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[:end], castagnoli))
		require.NoError(l, os.WriteFile(name, b, 0o600))
		if says() {
			return
		}
	}
	require.FailNow(l, "the control file does not have that")
}
