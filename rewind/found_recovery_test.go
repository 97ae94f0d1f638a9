package rewind_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// archiveOf makes settings for servers that share an archive, and what lets a
// target have its restore_command that has a recovery.conf.
func (l *lab) archiveOf(restore string) (conf map[string]string, dir string, give func(c *pgtest.Cluster)) {
	l.Helper()
	dir = l.TempDir()
	require.NoError(l, os.Chmod(dir, 0o755))
	if restore == "" {
		restore = fmt.Sprintf("cp %s/%%f %%p", dir)
	}
	restore = strings.ReplaceAll(restore, "ARCHIVE", dir)
	conf = map[string]string{"archive_mode": "on", "archive_command": fmt.Sprintf("test ! -f %[1]s/%%f && cp %%p %[1]s/.%%f && mv %[1]s/.%%f %[1]s/%%f", dir)}
	if !l.in.Version.RecoveryConf {
		conf["restore_command"] = restore
		return conf, dir, func(*pgtest.Cluster) {}
	}
	return conf, dir, func(c *pgtest.Cluster) {
		text := "restore_command = '" + restore + "'\nrecovery_target_timeline = 'latest'\n"
		require.NoError(l, os.WriteFile(filepath.Join(c.Dir, "recovery.done"), []byte(text), 0o600))
	}
}

// archived waits until a file is in an archive.
func (l *lab) archived(dir, name string) {
	l.Helper()
	require.Eventually(l, func() bool { return exists(filepath.Join(dir, name)) }, waitLong, tick, name)
}

// TestArchivesWithTimelinesThatWereGivenUp is about recovery that follows the newest
// timeline of which the archive has a history.
func TestArchivesWithTimelinesThatWereGivenUp(t *testing.T) {
	// promoted is a primary that went on, a standby that was promoted for a while, and
	// one that went on with the primary.
	promoted := func(l *lab) (a, b, c *pgtest.Cluster, give func(*pgtest.Cluster)) {
		conf, dir, give := l.archiveOf("")
		a = l.primary(pgtest.Options{Conf: conf}, thousand...)
		two := l.standbys(a, 2)
		b, c = two[0], two[1]
		l.catchUp(a, b, c)
		b.Promote(l)
		l.archived(dir, "00000002.history")
		b.Exec(l, "INSERT INTO t SELECT generate_series(6000, 7000)")
		b.SwitchWAL(l)
		a.Exec(l, "INSERT INTO t SELECT generate_series(8000, 9000)")
		b.Stop(l, pgtest.Fast)
		l.catchUp(a, c)
		return a, b, c, give
	}
	tryEach(t, []situation{
		{
			name: "what was promoted is to follow the primary again",
			make: func(l *lab) ends {
				a, b, _, give := promoted(l)
				give(b)
				return ends{target: b, src: a, asked: true}
			},
		},
		{
			name: "what was promoted is to follow a standby of the primary", stopped: never, // it would itself choose that timeline
			make: func(l *lab) ends {
				a, b, c, give := promoted(l)
				give(b)
				return ends{target: b, src: c, primary: a, asked: true}
			},
		},
		{
			name: "a standby that needs no rewind is to follow the primary",
			make: func(l *lab) ends {
				a, _, c, give := promoted(l)
				c.Stop(l, pgtest.Fast)
				a.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)")
				give(c)
				return ends{target: c, src: a, asked: true}
			},
		},
		{
			name: "a killed standby that needs no rewind is to follow the primary",
			make: func(l *lab) ends {
				a, _, c, give := promoted(l)
				c.Checkpoint(l)
				c.Stop(l, pgtest.Immediate)
				a.Exec(l, "INSERT INTO t SELECT generate_series(1, 10)")
				give(c)
				return ends{target: c, src: a, asked: true}
			},
		},
	})
}

// TestSettingsThatSteerRecovery is about what the source's configuration brings.
func TestSettingsThatSteerRecovery(t *testing.T) {
	made := func(conf map[string]string) func(l *lab) ends {
		return func(l *lab) ends {
			a := l.primary(pgtest.Options{}, thousand...)
			b := l.standby(a)
			l.catchUp(a, b)
			l.promote(b)
			a.Exec(l, "INSERT INTO t SELECT generate_series(6000, 7000)")
			b.Exec(l, "INSERT INTO t SELECT generate_series(6000, 6500)", "CHECKPOINT")
			a.Stop(l, pgtest.Fast)
			b.SetConf(l, conf)
			return ends{target: a, src: b, asked: true}
		}
	}
	settings := pgtest.Majors()
	settings = slices.DeleteFunc(settings, func(m string) bool {
		return pgdata.VersionByName(m).RecoveryConf || !slices.Contains(oldestMiddleNewest, m)
	})
	tryEach(t, []situation{
		{
			name: "a recovery target is left over", majors: settings,
			make: made(map[string]string{"recovery_target": "immediate", "recovery_target_action": "promote"}),
		},
		{
			name: "a recovery target that is long past is left over", majors: settings,
			make: made(map[string]string{"recovery_target_time": "2001-02-03 04:05:06", "recovery_target_action": "shutdown"}),
		},
		{
			name: "recovery stays on an old timeline", majors: settings,
			make: made(map[string]string{"recovery_target_timeline": "1"}),
		},
		{
			name: "recovery stays on the timeline of the start", majors: settings,
			make: made(map[string]string{"recovery_target_timeline": "current"}),
		},
		{
			name: "a slot is named that the source does not have", majors: settings, stopped: never, // whose slots nobody tells
			make: made(map[string]string{"primary_slot_name": "nobodys"}),
		},
	})
}

// TestBackupsThatDidNotEndAreNoSource is about a standby that was made from a base
// backup, and stopped before it had all WAL that belongs to that.
func TestBackupsThatDidNotEndAreNoSource(t *testing.T) {
	pgtest.EachOf(t, oldestMiddleNewest, func(t *testing.T, in *pgtest.Installation) {
		l := &lab{t, in}
		a := l.primary(pgtest.Options{}, thousand...)
		both := l.standbys(a, 2)
		b, c := both[0], both[1]
		l.catchUp(a, b, c)
		l.promote(c)
		c.Exec(l, "INSERT INTO t VALUES (1)")
		c.Stop(l, pgtest.Fast)
		b.Stop(l, pgtest.Fast)
		before := controlOf(t, b)
		require.Zero(t, before.BackupStartPoint)
		l.setControl(b, uint64(before.CheckPointCopy.Redo), 8, func() bool {
			d, err := controlAt(b.Dir)
			return err == nil && d.BackupStartPoint == before.CheckPointCopy.Redo && d.CheckPoint == before.CheckPoint && d.CheckPointCopy == before.CheckPointCopy
		})
		y := &try{target: c, src: b}
		o := y.rewind(l)
		require.Error(t, o.err, "the backup did not end")
		require.NoError(t, o.refusal())
		assert.Empty(t, o.changed)
		t.Log(o.err)
	})
}

// TestArchivedWALIsReadWhole damages, in the middle, a segment that only the archive
// has and that the rewound server's recovery reads.
func TestArchivedWALIsReadWhole(t *testing.T) {
	tryEach(t, []situation{{
		name: "recovery reads a segment of which only the archive has a copy, a damaged one", want: refused,
		make: func(l *lab) ends {
			conf, dir, give := l.archiveOf("")
			size := l.in.SegSizeOr16(1)
			a := l.primary(pgtest.Options{Conf: conf, WALSegSizeMB: size}, thousand...)
			b := l.standby(a)
			l.catchUp(a, b)
			l.promote(b)
			a.Exec(l, "INSERT INTO t SELECT generate_series(1, 100)")
			a.Stop(l, pgtest.Fast)
			var names []string
			for range 3 {
				b.Exec(l, "INSERT INTO t SELECT generate_series(1, 6000)")
				names = append(names, b.SwitchWAL(l))
			}
			l.archived(dir, names[2])
			b.Checkpoint(l)
			file := filepath.Join(dir, names[1])
			raw, err := os.ReadFile(file)
			require.NoError(l, err)
			copy(raw[100_000:], "damage")
			require.NoError(l, os.WriteFile(file, raw, 0o600))
			// The source has recycled it.
			require.NoError(l, os.Remove(filepath.Join(b.Dir, l.in.Version.WALDir, names[1])))
			give(a)
			return ends{target: a, src: b, asked: true, opts: rewind.Options{RestoreTargetWAL: true}}
		},
	}})
}

// TestOnlyWALThatIsNeededIsRestored counts for which segments restore_command is
// run.
func TestOnlyWALThatIsNeededIsRestored(t *testing.T) {
	pgtest.EachOf(t, oldestMiddleNewest, func(t *testing.T, in *pgtest.Installation) {
		l := &lab{t, in}
		conf, dir, give := l.archiveOf("echo %f >>ARCHIVE/asked; cp ARCHIVE/%f %p")
		a := l.primary(pgtest.Options{Conf: conf, WALSegSizeMB: in.SegSizeOr16(1)}, thousand...)
		b := l.standby(a)
		var names []string
		for range 8 {
			a.Exec(l, "INSERT INTO t SELECT generate_series(1, 1000)", "CHECKPOINT")
			names = append(names, a.SwitchWAL(l))
		}
		a.Exec(l, "CHECKPOINT")
		needed := a.QueryString(l, "SELECT "+in.Version.SQL.WALFileName+"('"+controlOf(t, a).CheckPointCopy.Redo.String()+"')")
		l.catchUp(a, b)
		l.promote(b)
		for range 3 {
			a.Exec(l, "INSERT INTO t SELECT generate_series(1, 1000)")
			names = append(names, a.SwitchWAL(l))
		}
		l.archived(dir, names[len(names)-1])
		a.Stop(l, pgtest.Fast)
		for _, name := range names {
			_ = os.Remove(filepath.Join(a.Dir, in.Version.WALDir, name))
		}
		give(a)
		y := &try{target: a, src: b, asked: true, opts: rewind.Options{RestoreTargetWAL: true}}
		_ = os.Remove(filepath.Join(dir, "asked"))
		o := y.rewind(l)
		require.NoError(t, o.err)
		asked, err := os.ReadFile(filepath.Join(dir, "asked"))
		require.NoError(t, err)
		for name := range strings.FieldsSeq(string(asked)) {
			if len(name) == 24 {
				assert.GreaterOrEqual(t, name, needed, "the last common checkpoint is in %s", needed)
			}
		}
		require.NoError(t, y.follow(l))
	})
}

// TestWALThatWaitsForTheArchiveIsSaved is about segments of before the fork that only
// the target has, for archiving failed.
func TestWALThatWaitsForTheArchiveIsSaved(t *testing.T) {
	pgtest.EachOf(t, oldestMiddleNewest, func(t *testing.T, in *pgtest.Installation) {
		l := &lab{t, in}
		size := in.SegSizeOr16(1)
		conf := l.recycling(size)
		conf["archive_mode"], conf["archive_command"] = "on", "false"
		a := l.primary(pgtest.Options{Conf: conf, WALSegSizeMB: size}, thousand...)
		b := l.standby(a)
		for n := range 6 {
			a.Exec(l, fmt.Sprintf("INSERT INTO t SELECT generate_series(%d, %d)", n*10000, n*10000+3000), "CHECKPOINT")
			a.SwitchWAL(l)
			l.catchUp(a, b)
			b.Checkpoint(l)
		}
		l.promote(b)
		a.Exec(l, "INSERT INTO t VALUES (99999)")
		a.Stop(l, pgtest.Fast)
		wal := func(c *pgtest.Cluster, name string) string { return filepath.Join(c.Dir, in.Version.WALDir, name) }
		waits, err := filepath.Glob(wal(a, "archive_status/*.ready"))
		require.NoError(t, err)
		var only []string
		for _, w := range waits {
			if name := strings.TrimSuffix(filepath.Base(w), ".ready"); !exists(wal(b, name)) {
				only = append(only, name)
			}
		}
		require.NotEmpty(t, only, "segments that only the target has")
		lost := filepath.Join(t.TempDir(), "lost")
		y := &try{target: a, src: b, opts: rewind.Options{SaveLost: lost}}
		o := y.rewind(l)
		require.NoError(t, o.err)
		var saved []string
		require.NoError(t, filepath.WalkDir(lost, func(_ string, d os.DirEntry, err error) error {
			saved = append(saved, d.Name())
			return err
		}))
		for _, name := range only {
			assert.True(t, exists(wal(a, name)) || slices.Contains(saved, name), "%s is kept or saved", name)
		}
		assert.True(t, slices.ContainsFunc(o.plan.Warnings, func(w string) bool { return strings.Contains(w, "archive") }), "a warning: %q", o.plan.Warnings)
		require.NoError(t, y.follow(l))
	})
}

// TestWALThatTheSourceRemovedMeanwhileComesFromTheArchive lets a source recycle WAL
// between the plan and the end of copying.
func TestWALThatTheSourceRemovedMeanwhileComesFromTheArchive(t *testing.T) {
	for _, inPlace := range []bool{false, true} {
		t.Run(map[bool]string{false: "staged", true: "in place"}[inPlace], func(t *testing.T) {
			t.Parallel()
			pgtest.EachOf(t, oldestMiddleNewest, func(t *testing.T, in *pgtest.Installation) {
				l := &lab{t, in}
				size := in.SegSizeOr16(1)
				conf, dir, give := l.archiveOf("")
				for name, value := range l.recycling(size) {
					conf[name] = value
				}
				conf["max_replication_slots"] = "0" // no slot keeps it
				a := l.primary(pgtest.Options{Conf: conf, WALSegSizeMB: size}, thousand...)
				b := l.standby(a)
				l.catchUp(a, b)
				l.promote(b)
				// Only the source is to remove WAL.
				a.Exec(l, fmt.Sprintf("ALTER SYSTEM SET %s = 64", in.Version.KeepWAL), "SELECT pg_reload_conf()")
				a.Exec(l, "INSERT INTO t VALUES (99999)")
				a.Stop(l, pgtest.Fast)
				give(a)
				b.Exec(l, "INSERT INTO t SELECT generate_series(1, 100)")
				first := b.SwitchWAL(l)
				l.archived(dir, first)

				y := &try{target: a, src: b, asked: true}
				ctx := context.Background()
				src, err := y.open(ctx)
				require.NoError(t, err)
				defer func() { _ = src.Close() }()
				r, err := rewind.Prepare(ctx, rewind.Options{
					TargetDir: a.Dir, Source: src, NoSync: true, InPlace: inPlace,
					PrimaryConnInfo: b.ConnString("postgres") + " application_name=" + a.Name,
				})
				require.NoError(t, err)
				defer func() { _ = r.Close() }()
				for range 8 {
					b.Exec(l, "INSERT INTO t SELECT generate_series(1, 1000)", "CHECKPOINT")
					last := b.SwitchWAL(l)
					l.archived(dir, last)
				}
				b.Checkpoint(l)
				require.NoFileExists(t, filepath.Join(b.Dir, in.Version.WALDir, first))
				require.NoError(t, r.Apply(ctx))
				require.NoError(t, y.follow(l))
			})
		})
	}
}
