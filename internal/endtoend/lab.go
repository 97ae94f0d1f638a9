package endtoend

import (
	"context"
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

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/page"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// How long to wait for something that will certainly happen, and between two
// checks.
const (
	WaitLong = 2 * time.Minute
	Tick     = 20 * time.Millisecond
)

// Lab creates situations.
type Lab struct {
	*testing.T
	In *pgtest.Installation
}

// NewLab returns a Lab for tests that are not a Situation.
func NewLab(t *testing.T, in *pgtest.Installation) *Lab { return &Lab{t, in} }

// Quiet are settings with which a server does as little as possible by itself.
var Quiet = map[string]string{"bgwriter_lru_maxpages": "0", "max_standby_streaming_delay": "-1", "max_standby_archive_delay": "-1", "archive_timeout": "0"}

// Primary creates a running server.
func (l *Lab) Primary(o pgtest.Options, sql ...string) *pgtest.Cluster {
	l.Helper()
	conf := maps.Clone(Quiet)
	maps.Copy(conf, o.Conf)
	o.Conf, o.InMemory = conf, true
	p := l.In.InitCluster(l, o)
	p.Start(l)
	p.Exec(l, append([]string{"CREATE TABLE marker (x text)"}, sql...)...)
	p.Checkpoint(l)
	return p
}

// Thousand creates a table with a thousand rows.
var Thousand = []string{"CREATE TABLE t (i int)", "INSERT INTO t SELECT generate_series(1, 1000)"}

// Standbys creates streaming standbys of a running server.
func (l *Lab) Standbys(p *pgtest.Cluster, n int) []*pgtest.Cluster {
	l.Helper()
	all := l.Copies(p, n)
	for _, c := range all {
		c.MakeStandbyOf(l, p)
		c.Start(l)
	}
	for _, c := range all {
		c.WaitStreaming(l, p)
	}
	return all
}

// Standby creates one standby.
func (l *Lab) Standby(p *pgtest.Cluster) *pgtest.Cluster {
	l.Helper()
	return l.Standbys(p, 1)[0]
}

// Copies creates stopped copies of a running server.
func (l *Lab) Copies(p *pgtest.Cluster, n int) []*pgtest.Cluster {
	l.Helper()
	p.Stop(l, pgtest.Fast)
	var all []*pgtest.Cluster
	for range n {
		all = append(all, p.CloneStopped(l))
	}
	p.Start(l)
	return all
}

// Cascade starts a stopped copy as a standby of a standby.
func (l *Lab) Cascade(c, upstream *pgtest.Cluster) {
	l.Helper()
	c.MakeStandbyOf(l, upstream)
	c.Start(l)
	c.WaitStreaming(l, upstream)
}

// CatchUp waits until standbys have replayed everything that a server has.
func (l *Lab) CatchUp(p *pgtest.Cluster, standbys ...*pgtest.Cluster) {
	l.Helper()
	for _, s := range standbys {
		s.WaitCaughtUp(l, p)
	}
}

// Until waits until a query returns true on a server.
func (l *Lab) Until(c *pgtest.Cluster, sql string) {
	l.Helper()
	var s Session // a new connection for each check would cost more than the check
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), WaitLong)
	defer cancel()
	for {
		rows, err := s.Query(ctx, c, "SELECT "+sql)
		require.NoError(l, err, sql)
		if len(rows) == 1 && rows[0][0] == "t" {
			return
		}
		time.Sleep(Tick)
	}
}

// Level waits until two standbys whose primary is gone have the same WAL.
func (l *Lab) Level(a, b *pgtest.Cluster) {
	l.Helper()
	require.Eventually(l, func() bool {
		at := a.ReceiveLSN(l)
		return at == b.ReceiveLSN(l) && at <= a.ReplayLSN(l) && at <= b.ReplayLSN(l)
	}, WaitLong, Tick, "both have the same WAL")
}

// Promote promotes a standby and waits until its control file says so.
func (l *Lab) Promote(c *pgtest.Cluster) {
	l.Helper()
	c.Promote(l)
	c.Checkpoint(l)
}

// FailedOver creates a primary with a table and a standby, calls shared, if not nil, and
// promotes the standby. Then the old primary runs SQL of its own and is stopped.
func (l *Lab) FailedOver(shared func(old *pgtest.Cluster), own ...string) (old, successor *pgtest.Cluster) {
	l.Helper()
	old = l.Primary(pgtest.Options{}, Thousand...)
	successor = l.Standby(old)
	if shared != nil {
		shared(old)
	}
	l.CatchUp(old, successor)
	l.Promote(successor)
	old.Exec(l, own...)
	old.Stop(l, pgtest.Fast)
	return old, successor
}

// Settings changes settings of a running server.
func (l *Lab) Settings(c *pgtest.Cluster, conf map[string]string) {
	l.Helper()
	c.SetConf(l, conf)
	c.Reload(l)
	for name, value := range conf {
		l.Until(c, "current_setting('"+name+"') = '"+value+"'")
	}
}

// Recycling returns settings with which a server keeps little WAL.
func (l *Lab) Recycling(segment int) map[string]string {
	return map[string]string{
		l.In.Version.KeepWAL: "0",
		"min_wal_size":       PgSize(2 * segment),
		"max_wal_size":       PgSize(4 * segment),
	}
}

// PgSize is a size as settings have it.
func PgSize(mb int) string { return fmt.Sprintf("%dMB", mb) }

// Recovers lets Prepare complete the crash recovery of a target.
func (l *Lab) Recovers() rewind.Options {
	l.Helper()
	program, ok := l.In.Program("postgres")
	require.True(l, ok)
	return rewind.Options{EnsureShutdown: true, BinDir: filepath.Dir(program)}
}

// StartByHand starts a stopped standby as if it were a primary.
func (l *Lab) StartByHand(c *pgtest.Cluster) {
	l.Helper()
	for _, name := range []string{"standby.signal", "recovery.conf"} {
		_ = os.Remove(filepath.Join(c.Dir, name))
	}
	c.Start(l)
}

// Checksums switches the checksums of a stopped cluster on or off, as pg_checksums
// does. Not all majors have that program.
func (l *Lab) Checksums(c *pgtest.Cluster, on bool) {
	l.Helper()
	if _, ok := l.In.Program("pg_checksums"); ok {
		l.In.Output(l, "pg_checksums", "-D", c.Dir, map[bool]string{true: "--enable", false: "--disable"}[on])
		return
	}
	control := ControlOf(l.T, c)
	if on {
		require.NoError(l, EachPage(c.Dir, control, func(_ string, p []byte, block uint32) bool {
			if page.IsNew(p) {
				return false
			}
			binary.LittleEndian.PutUint16(p[8:], page.Checksum(p, block))
			return true
		}))
	}
	version := map[bool]uint32{true: 1}[on]
	l.SetControl(c, uint64(version), 4, func() bool {
		d, err := controlfile.Read(c.Dir)
		return err == nil && d.DataChecksumVersion == version
	})
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// SetControl writes a number into a stopped cluster's control file. It tries every
// position until says returns true.
func (l *Lab) SetControl(c *pgtest.Cluster, number uint64, size int, says func() bool) {
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
	require.FailNow(l, "no position in the control file has that field")
}
