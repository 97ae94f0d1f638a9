package recovery_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// TestArchivesWithAbandonedTimelines is about recovery that follows the newest
// timeline whose history is in the archive.
func TestArchivesWithAbandonedTimelines(t *testing.T) {
	// promoted returns a primary that went on, a standby that was promoted for a
	// while, and a standby that kept following the primary.
	promoted := func(l *endtoend.Lab) (a, b, c *pgtest.Cluster, give func(*pgtest.Cluster)) {
		conf, dir, give := l.ArchiveOf("")
		a = l.Primary(pgtest.Options{Conf: conf}, endtoend.Thousand...)
		two := l.Standbys(a, 2)
		b, c = two[0], two[1]
		l.CatchUp(a, b, c)
		b.Promote(l)
		l.Archived(dir, "00000002.history")
		b.Exec(l, "INSERT INTO t SELECT generate_series(6000, 7000)")
		b.SwitchWAL(l)
		a.Exec(l, "INSERT INTO t SELECT generate_series(8000, 9000)")
		b.Stop(l, pgtest.Fast)
		l.CatchUp(a, c)
		return a, b, c, give
	}
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "the promoted standby must follow the primary again", Resync: endtoend.Either,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b, _, give := promoted(l)
				give(b)
				return endtoend.Ends{Target: b, Src: a, Asked: true}
			},
		},
		{
			Name: "the promoted standby must follow a standby of the primary", Stopped: endtoend.Never, Resync: endtoend.Either, // the source itself would choose that timeline
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b, c, give := promoted(l)
				give(b)
				return endtoend.Ends{Target: b, Src: c, Primary: a, Asked: true}
			},
		},
		{
			Name: "a standby that needs no rewind must follow the primary", Resync: endtoend.Either,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, _, c, give := promoted(l)
				c.Stop(l, pgtest.Fast)
				a.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)")
				give(c)
				return endtoend.Ends{Target: c, Src: a, Asked: true}
			},
		},
		{
			Name: "a killed standby that needs no rewind must follow the primary", Resync: endtoend.Either,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, _, c, give := promoted(l)
				c.Checkpoint(l)
				c.Stop(l, pgtest.Immediate)
				a.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)")
				give(c)
				return endtoend.Ends{Target: c, Src: a, Asked: true}
			},
		},
	})
}

// TestSettingsThatControlRecovery is about settings that come with the source's
// configuration.
func TestSettingsThatControlRecovery(t *testing.T) {
	made := func(conf map[string]string) func(l *endtoend.Lab) endtoend.Ends {
		return func(l *endtoend.Lab) endtoend.Ends {
			a := l.Primary(pgtest.Options{}, endtoend.Thousand...)
			b := l.Standby(a)
			l.CatchUp(a, b)
			l.Promote(b)
			a.Exec(l, "INSERT INTO t SELECT generate_series(6000, 7000)")
			b.Exec(l, "INSERT INTO t SELECT generate_series(6000, 6500)", "CHECKPOINT")
			a.Stop(l, pgtest.Fast)
			b.SetConf(l, conf)
			return endtoend.Ends{Target: a, Src: b, Asked: true}
		}
	}
	settings := servers.Majors()
	settings = slices.DeleteFunc(settings, func(m string) bool {
		return pgdata.VersionByName(m).RecoveryConf || !slices.Contains(endtoend.OldestMiddleNewest, m)
	})
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "an old recovery target is still set", Majors: settings,
			Make: made(map[string]string{"recovery_target": "immediate", "recovery_target_action": "promote"}),
		},
		{
			Name: "a recovery target time long ago is still set", Majors: settings,
			Make: made(map[string]string{"recovery_target_time": "2001-02-03 04:05:06", "recovery_target_action": "shutdown"}),
		},
		{
			Name: "recovery stays on an old timeline", Majors: settings,
			Make: made(map[string]string{"recovery_target_timeline": "1"}),
		},
		{
			Name: "recovery stays on the current timeline", Majors: settings,
			Make: made(map[string]string{"recovery_target_timeline": "current"}),
		},
		{
			Name: "a slot is named that the source does not have", Majors: settings, Stopped: endtoend.Never, // a stopped source cannot list its slots
			Make: made(map[string]string{"primary_slot_name": "missing"}),
		},
	})
}

// TestUnfinishedBackupsAreNoSource is about a standby that was made from a base
// backup and stopped before it had all the WAL of that backup.
func TestUnfinishedBackupsAreNoSource(t *testing.T) {
	pgtest.EachOf(t, endtoend.OldestMiddleNewest, func(t *testing.T, in *pgtest.Installation) {
		l := endtoend.NewLab(t, in)
		a := l.Primary(pgtest.Options{}, endtoend.Thousand...)
		both := l.Standbys(a, 2)
		b, c := both[0], both[1]
		l.CatchUp(a, b, c)
		l.Promote(c)
		c.Exec(l, "INSERT INTO t VALUES (1)")
		c.Stop(l, pgtest.Fast)
		b.Stop(l, pgtest.Fast)
		before := endtoend.ControlOf(t, b)
		require.Zero(t, before.BackupStartPoint)
		l.SetControl(b, uint64(before.CheckPointCopy.Redo), 8, func() bool {
			d, err := controlfile.Read(b.Dir)
			return err == nil && d.BackupStartPoint == before.CheckPointCopy.Redo && d.CheckPoint == before.CheckPoint && d.CheckPointCopy == before.CheckPointCopy
		})
		y := &endtoend.Try{Target: c, Src: b}
		o := y.Rewind(l)
		require.Error(t, o.Err, "the backup did not end")
		require.NoError(t, o.Refusal())
		assert.Empty(t, o.Changed)
		t.Log(o.Err)
	})
}

// TestArchivedWALIsReadToItsEnd damages a segment in the middle. Only the archive
// has it, and the rewound server's recovery needs it.
func TestArchivedWALIsReadToItsEnd(t *testing.T) {
	endtoend.TryEach(t, []endtoend.Situation{{
		Name: "recovery needs a segment that only the archive has, and that is damaged", Want: endtoend.Refused,
		Make: func(l *endtoend.Lab) endtoend.Ends {
			conf, dir, give := l.ArchiveOf("")
			size := l.In.SegSizeOr16(1)
			a := l.Primary(pgtest.Options{Conf: conf, WALSegSizeMB: size}, endtoend.Thousand...)
			b := l.Standby(a)
			l.CatchUp(a, b)
			l.Promote(b)
			a.Exec(l, "INSERT INTO t SELECT generate_series(1, 100)")
			a.Stop(l, pgtest.Fast)
			var names []string
			for range 3 {
				b.Exec(l, "INSERT INTO t SELECT generate_series(1, 6000)")
				names = append(names, b.SwitchWAL(l))
			}
			l.Archived(dir, names[2])
			b.Checkpoint(l)
			file := filepath.Join(dir, names[1])
			raw, err := os.ReadFile(file)
			require.NoError(l, err)
			copy(raw[100_000:], "damage")
			require.NoError(l, os.WriteFile(file, raw, 0o600))
			// As if the source had recycled it.
			require.NoError(l, os.Remove(filepath.Join(b.Dir, l.In.Version.WALDir, names[1])))
			give(a)
			return endtoend.Ends{Target: a, Src: b, Asked: true, Opts: rewind.Options{RestoreTargetWAL: true}}
		},
	}})
}

// TestOnlyWALThatIsNeededIsRestored checks for which segments restore_command is
// run.
func TestOnlyWALThatIsNeededIsRestored(t *testing.T) {
	pgtest.EachOf(t, endtoend.OldestMiddleNewest, func(t *testing.T, in *pgtest.Installation) {
		l := endtoend.NewLab(t, in)
		conf, dir, give := l.ArchiveOf("echo %f >>ARCHIVE/asked; cp ARCHIVE/%f %p")
		a := l.Primary(pgtest.Options{Conf: conf, WALSegSizeMB: in.SegSizeOr16(1)}, endtoend.Thousand...)
		b := l.Standby(a)
		var names []string
		for range 8 {
			a.Exec(l, "INSERT INTO t SELECT generate_series(1, 1000)", "CHECKPOINT")
			names = append(names, a.SwitchWAL(l))
		}
		a.Exec(l, "CHECKPOINT")
		needed := a.QueryString(l, "SELECT "+in.Version.SQL.WALFileName+"('"+endtoend.ControlOf(t, a).CheckPointCopy.Redo.String()+"')")
		l.CatchUp(a, b)
		l.Promote(b)
		for range 3 {
			a.Exec(l, "INSERT INTO t SELECT generate_series(1, 1000)")
			names = append(names, a.SwitchWAL(l))
		}
		l.Archived(dir, names[len(names)-1])
		a.Stop(l, pgtest.Fast)
		for _, name := range names {
			_ = os.Remove(filepath.Join(a.Dir, in.Version.WALDir, name))
		}
		give(a)
		y := &endtoend.Try{Target: a, Src: b, Asked: true, Opts: rewind.Options{RestoreTargetWAL: true}}
		_ = os.Remove(filepath.Join(dir, "asked"))
		o := y.Rewind(l)
		require.NoError(t, o.Err)
		asked, err := os.ReadFile(filepath.Join(dir, "asked"))
		require.NoError(t, err)
		for name := range strings.FieldsSeq(string(asked)) {
			if len(name) == 24 {
				assert.GreaterOrEqual(t, name, needed, "the last common checkpoint is in %s", needed)
			}
		}
		require.NoError(t, y.Follow(l))
	})
}

// TestUnarchivedWALIsSaved is about segments from before the fork that only the
// target has, because archiving failed.
func TestUnarchivedWALIsSaved(t *testing.T) {
	pgtest.EachOf(t, endtoend.OldestMiddleNewest, func(t *testing.T, in *pgtest.Installation) {
		l := endtoend.NewLab(t, in)
		size := in.SegSizeOr16(1)
		conf := l.Recycling(size)
		conf["archive_mode"], conf["archive_command"] = "on", "false"
		a := l.Primary(pgtest.Options{Conf: conf, WALSegSizeMB: size}, endtoend.Thousand...)
		b := l.Standby(a)
		for n := range 6 {
			a.Exec(l, fmt.Sprintf("INSERT INTO t SELECT generate_series(%d, %d)", n*10000, n*10000+3000), "CHECKPOINT")
			a.SwitchWAL(l)
			l.CatchUp(a, b)
			b.Checkpoint(l)
		}
		l.Promote(b)
		a.Exec(l, "INSERT INTO t VALUES (99999)")
		a.Stop(l, pgtest.Fast)
		wal := func(c *pgtest.Cluster, name string) string { return filepath.Join(c.Dir, in.Version.WALDir, name) }
		waits, err := filepath.Glob(wal(a, "archive_status/*.ready"))
		require.NoError(t, err)
		var only []string
		for _, w := range waits {
			if name := strings.TrimSuffix(filepath.Base(w), ".ready"); !endtoend.Exists(wal(b, name)) {
				only = append(only, name)
			}
		}
		require.NotEmpty(t, only, "segments that only the target has")
		lost := filepath.Join(t.TempDir(), "lost")
		y := &endtoend.Try{Target: a, Src: b, Opts: rewind.Options{SaveLost: lost}}
		o := y.Rewind(l)
		require.NoError(t, o.Err)
		var saved []string
		require.NoError(t, filepath.WalkDir(lost, func(_ string, d os.DirEntry, err error) error {
			saved = append(saved, d.Name())
			return err
		}))
		for _, name := range only {
			assert.True(t, endtoend.Exists(wal(a, name)) || slices.Contains(saved, name), "%s is kept or saved", name)
		}
		assert.True(t, slices.ContainsFunc(o.Plan.Warnings, func(w string) bool { return strings.Contains(w, "archive") }), "a warning: %q", o.Plan.Warnings)
		require.NoError(t, y.Follow(l))
	})
}

// TestWALThatTheSourceRemovedMeanwhileComesFromTheArchive has the source recycle
// WAL between the plan and the end of copying.
func TestWALThatTheSourceRemovedMeanwhileComesFromTheArchive(t *testing.T) {
	for _, inPlace := range []bool{false, true} {
		t.Run(map[bool]string{false: "staged", true: "in place"}[inPlace], func(t *testing.T) {
			t.Parallel()
			pgtest.EachOf(t, endtoend.OldestMiddleNewest, func(t *testing.T, in *pgtest.Installation) {
				l := endtoend.NewLab(t, in)
				size := in.SegSizeOr16(1)
				conf, dir, give := l.ArchiveOf("")
				for name, value := range l.Recycling(size) {
					conf[name] = value
				}
				conf["max_replication_slots"] = "0" // no slot keeps it
				a := l.Primary(pgtest.Options{Conf: conf, WALSegSizeMB: size}, endtoend.Thousand...)
				b := l.Standby(a)
				l.CatchUp(a, b)
				l.Promote(b)
				// Only the source may remove WAL.
				a.Exec(l, fmt.Sprintf("ALTER SYSTEM SET %s = 64", in.Version.KeepWAL), "SELECT pg_reload_conf()")
				a.Exec(l, "INSERT INTO t VALUES (99999)")
				a.Stop(l, pgtest.Fast)
				give(a)
				b.Exec(l, "INSERT INTO t SELECT generate_series(1, 100)")
				first := b.SwitchWAL(l)
				l.Archived(dir, first)

				y := &endtoend.Try{Target: a, Src: b, Asked: true}
				ctx := context.Background()
				src, err := y.Open(ctx)
				require.NoError(t, err)
				defer func() { _ = src.Close() }()
				r, err := rewind.Prepare(ctx, rewind.Options{
					TargetDir: a.Dir, Source: src, NoSync: true, InPlace: inPlace, ArchivePause: time.Millisecond,
					PrimaryConnInfo: b.ConnString("postgres") + " application_name=" + a.Name,
				})
				require.NoError(t, err)
				defer func() { _ = r.Close() }()
				for range 8 {
					b.Exec(l, "INSERT INTO t SELECT generate_series(1, 1000)", "CHECKPOINT")
					last := b.SwitchWAL(l)
					l.Archived(dir, last)
				}
				b.Checkpoint(l)
				require.NoFileExists(t, filepath.Join(b.Dir, in.Version.WALDir, first))
				require.NoError(t, r.Apply(ctx))
				require.NoError(t, y.Follow(l))
			})
		})
	}
}
