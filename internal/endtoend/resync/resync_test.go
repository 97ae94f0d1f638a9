package resync_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
)

// someRows creates a table with an index, both of many blocks, and a table of few.
var someRows = append([]string{
	"CREATE TABLE big (i int PRIMARY KEY, filler text)", "INSERT INTO big SELECT g, repeat('x', 200) FROM generate_series(1, 5000) g",
}, endtoend.Thousand...)

// work changes a few of many blocks, and creates a relation.
func work(l *endtoend.Lab, c *pgtest.Cluster, what string) {
	l.Helper()
	c.Exec(l, "UPDATE big SET filler = '"+what+"' WHERE i % 500 = 1", "INSERT INTO t SELECT generate_series(1, 100)",
		"CREATE TABLE only_"+what+" (i int)", "INSERT INTO only_"+what+" SELECT generate_series(1, 500)", "DELETE FROM t WHERE i < 10")
}

// failedOver returns an old primary, which kept writing and was stopped, and its
// successor, which wrote, too.
func failedOver(l *endtoend.Lab, o pgtest.Options) (old, successor *pgtest.Cluster) {
	l.Helper()
	old = l.Primary(o, someRows...)
	successor = l.Standby(old)
	l.CatchUp(old, successor)
	l.Promote(successor)
	work(l, old, "old")
	work(l, successor, "new")
	old.Stop(l, pgtest.Fast)
	return old, successor
}

// by checks that a plan has this kind of evidence.
func by(want report.Evidence) func(*endtoend.Lab, *rewind.Plan) {
	return func(l *endtoend.Lab, p *rewind.Plan) {
		l.Helper()
		assert.Equal(l, want, p.Evidence, "%v", p.PassedOver)
		assert.True(l, p.Proven, "%s", p.Unproven)
	}
}

var (
	// hintless are options of a cluster that does not log hint bits, the default
	// before 18.
	hintless = pgtest.Options{NoChecksums: true, Conf: map[string]string{"wal_log_hints": "off"}}

	ifNeeded = rewind.Options{Resync: rewind.ResyncIfNeeded}
	compare  = rewind.Options{Resync: rewind.ResyncCompare}
)

// segments are the WAL segments of a stopped cluster, oldest first.
func segments(l *endtoend.Lab, c *pgtest.Cluster) []string {
	l.Helper()
	all, err := filepath.Glob(filepath.Join(c.Dir, l.In.Version.WALDir, strings.Repeat("[0-9A-F]", 24)))
	require.NoError(l, err)
	require.NotEmpty(l, all)
	return all
}

func remove(l *endtoend.Lab, files ...string) {
	l.Helper()
	for _, f := range files {
		require.NoError(l, os.Remove(f))
	}
}

// overwrite writes over a part of a file.
func overwrite(l *endtoend.Lab, name string, at int64, b []byte) {
	l.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	require.NoError(l, err)
	_, err = f.WriteAt(b, at)
	require.NoError(l, err)
	require.NoError(l, f.Close())
}

// forget makes a server recycle all WAL that it does not need for starting.
func forget(l *endtoend.Lab, c *pgtest.Cluster, standbys ...*pgtest.Cluster) {
	l.Helper()
	g := endtoend.ControlOf(l.T, c).Geometry
	begin := g.WALFileName(1, g.SegNo(c.FlushLSN(l)))[8:] // on any timeline
	for range 8 {
		c.Exec(l, "INSERT INTO t SELECT generate_series(1, 50)")
		c.SwitchWAL(l)
		l.CatchUp(c, standbys...)
		c.Checkpoint(l)
	}
	// WAL that is not summarized yet is kept, and the summarizer works in the
	// background.
	require.Eventually(l, func() bool {
		c.Checkpoint(l)
		return !slices.ContainsFunc(segments(l, c), func(f string) bool { return filepath.Base(f)[8:] <= begin })
	}, endtoend.WaitLong, endtoend.Tick, "the WAL up to %s is gone", begin)
}

// recycling returns options of a cluster that keeps little WAL.
func recycling(l *endtoend.Lab) pgtest.Options {
	segment := l.In.SegSizeOr16(1)
	return pgtest.Options{WALSegSizeMB: segment, Conf: l.Recycling(segment)}
}

func TestWALThatIsGone(t *testing.T) {
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "all WAL of the target", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := failedOver(l, pgtest.Options{})
				remove(l, segments(l, a)...)
				return endtoend.Ends{Target: a, Src: b, Opts: ifNeeded, Planned: by(report.ByComparison)}
			},
		},
		{
			Name: "the common WAL of the target, which the source still has", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				segment := l.In.SegSizeOr16(1)
				a := l.Primary(pgtest.Options{WALSegSizeMB: segment}, someRows...)
				b := l.Standby(a)
				for range 4 {
					work(l, a, "more")
					a.Exec(l, "DROP TABLE only_more")
					a.SwitchWAL(l)
				}
				l.CatchUp(a, b)
				last := a.FlushLSN(l)
				l.Promote(b)
				work(l, a, "old")
				work(l, b, "new")
				a.Stop(l, pgtest.Fast)
				for _, f := range segments(l, a) {
					if filepath.Base(f) < endtoend.ControlOf(l.T, a).Geometry.WALFileName(1, endtoend.ControlOf(l.T, a).Geometry.SegNo(last-1)) {
						remove(l, f)
					}
				}
				return endtoend.Ends{Target: a, Src: b, Opts: ifNeeded, Planned: by(report.ByWAL)}
			},
		},
		{
			Name: "all WAL of the source since the fork", Want: endtoend.Rewound, Stopped: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := failedOver(l, recycling(l))
				forget(l, b)
				return endtoend.Ends{Target: a, Src: b, Opts: ifNeeded, Planned: by(report.ByComparison)}
			},
		},
		{
			Name: "the WAL of both, and the target is a standby that fell behind", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a := l.Primary(recycling(l), someRows...)
				b := l.Standby(a)
				l.CatchUp(a, b)
				b.Stop(l, pgtest.Fast)
				work(l, a, "new")
				forget(l, a)
				return endtoend.Ends{Target: b, Src: a, Opts: ifNeeded, Planned: by(report.ByComparison)}
			},
		},
		{
			Name: "the WAL of the source, and the archive lacks a segment after the next one", Majors: []string{"13", "18"}, Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				o := recycling(l)
				conf, dir, _ := l.ArchiveOf("")
				maps.Copy(o.Conf, conf)
				a := l.Primary(o, someRows...)
				b := l.Standby(a)
				l.CatchUp(a, b)
				end := a.FlushLSN(l)
				b.Stop(l, pgtest.Fast)
				work(l, a, "new")
				forget(l, a)
				g := endtoend.ControlOf(l.T, b).Geometry
				name := g.WALFileName(1, g.SegNo(end)+2)
				l.Archived(dir, name)
				remove(l, filepath.Join(dir, name))
				return endtoend.Ends{Target: b, Src: a, Opts: ifNeeded, Planned: func(l *endtoend.Lab, p *rewind.Plan) {
					require.NotEmpty(l, p.PassedOver)
					assert.Equal(l, rewind.CannotFollow, p.PassedOver[0].Condition)
				}}
			},
		},
		{
			Name: "the WAL of both, and a killed standby must follow another standby", Want: endtoend.Rewound, Stopped: endtoend.Never,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a := l.Primary(recycling(l), someRows...)
				both := l.Standbys(a, 2)
				l.CatchUp(a, both...)
				both[0].Kill(l)
				work(l, a, "new")
				forget(l, a, both[1])
				for range 3 {
					both[1].Checkpoint(l)
				}
				return endtoend.Ends{Target: both[0], Src: both[1], Primary: a, Opts: ifNeeded, Planned: by(report.ByComparison)}
			},
		},
	})
}

// damageWAL overwrites a part of the page before the latest checkpoint of a stopped cluster.
func damageWAL(l *endtoend.Lab, c *pgtest.Cluster) {
	l.Helper()
	g := endtoend.ControlOf(l.T, c)
	at := int64(g.CheckPoint) & int64(g.Geometry.WALSegSize-1)
	name := filepath.Join(c.Dir, l.In.Version.WALDir, g.Geometry.WALFileName(1, g.Geometry.SegNo(g.CheckPoint)))
	overwrite(l, name, at-at%8192-4096, make([]byte, 512))
}

func TestTargetsThatAreDamaged(t *testing.T) {
	control := func(c *pgtest.Cluster) string { return filepath.Join(c.Dir, "global/pg_control") }
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "WAL", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := failedOver(l, pgtest.Options{})
				damageWAL(l, a)
				return endtoend.Ends{Target: a, Src: b, Opts: ifNeeded, Planned: by(report.ByComparison)}
			},
		},
		{
			Name: "the control file", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := failedOver(l, pgtest.Options{})
				overwrite(l, control(a), 40, []byte("damaged"))
				return endtoend.Ends{Target: a, Src: b, Opts: compare, Planned: by(report.ByComparison)}
			},
		},
		{
			Name: "no control file", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := failedOver(l, pgtest.Options{})
				remove(l, control(a))
				return endtoend.Ends{Target: a, Src: b, Opts: compare, Planned: by(report.ByComparison)}
			},
		},
		{
			Name: "pages", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := failedOver(l, pgtest.Options{})
				a.Start(l)
				file := filepath.Join(a.Dir, a.QueryString(l, "SELECT pg_relation_filepath('big')"))
				a.Stop(l, pgtest.Fast)
				for i := range int64(20) {
					overwrite(l, file, i*8192+4000, []byte("flipped"))
				}
				return endtoend.Ends{Target: a, Src: b, Opts: compare, Planned: func(l *endtoend.Lab, p *rewind.Plan) {
					by(report.ByComparison)(l, p)
					if p.Target.Control.DataChecksumVersion != 0 {
						require.Len(l, p.Damaged, 1)
						for _, blocks := range p.Damaged {
							assert.GreaterOrEqual(l, blocks.Len(), 20)
						}
					}
				}}
			},
		},
	})
}

func TestWhatIsNotAWholeCluster(t *testing.T) {
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "an empty directory", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := failedOver(l, pgtest.Options{})
				return endtoend.Ends{Target: a, Src: b, Opts: ifNeeded, Planned: by(report.ByComparison), Spoil: func(l *endtoend.Lab, target *pgtest.Cluster) {
					entries, err := os.ReadDir(target.Dir)
					require.NoError(l, err)
					for _, e := range entries {
						require.NoError(l, os.RemoveAll(filepath.Join(target.Dir, e.Name())))
					}
				}}
			},
		},
		{
			Name: "a base backup that ended halfway", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := failedOver(l, pgtest.Options{})
				remove(l, filepath.Join(a.Dir, "global/pg_control"))
				require.NoError(l, os.WriteFile(filepath.Join(a.Dir, "backup_label"), []byte("START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n"), 0o600))
				for _, dir := range []string{"pg_xact", "pg_clog", "pg_multixact", "pg_subtrans"} {
					require.NoError(l, os.RemoveAll(filepath.Join(a.Dir, dir)))
				}
				databases, err := filepath.Glob(filepath.Join(a.Dir, "base/*"))
				require.NoError(l, err)
				require.NoError(l, os.RemoveAll(databases[0]))
				return endtoend.Ends{Target: a, Src: b, Opts: compare, Planned: by(report.ByComparison)}
			},
		},
		{
			Name: "a rewind by another tool that ended halfway", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := failedOver(l, pgtest.Options{})
				// Such a tool copies one file after the other, and the control file last.
				b.Checkpoint(l)
				files, err := filepath.Glob(filepath.Join(b.Dir, "base/*/*"))
				require.NoError(l, err)
				for i, f := range files {
					name, err := filepath.Rel(b.Dir, f)
					require.NoError(l, err)
					if raw, err := os.ReadFile(f); err == nil && i%3 == 0 {
						require.NoError(l, os.MkdirAll(filepath.Dir(filepath.Join(a.Dir, name)), 0o700))
						require.NoError(l, os.WriteFile(filepath.Join(a.Dir, name), raw, 0o600))
					}
				}
				return endtoend.Ends{Target: a, Src: b, Opts: compare, Planned: by(report.ByComparison)}
			},
		},
		{
			Name: "an old backup of a cluster that does not log hint bits", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a := l.Primary(hintless, someRows...)
				old := l.Copies(a, 1)[0]
				b := l.Standby(a)
				work(l, a, "both")
				l.CatchUp(a, b)
				l.Promote(b)
				work(l, b, "new")
				a.Stop(l, pgtest.Fast)
				return endtoend.Ends{Target: old, Src: b, Opts: compare, Planned: by(report.ByComparison)}
			},
		},
		{
			Name: "an old primary that does not log hint bits", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := failedOver(l, hintless)
				return endtoend.Ends{Target: a, Src: b, Opts: ifNeeded, Planned: by(report.ByComparison)}
			},
		},
	})
}
