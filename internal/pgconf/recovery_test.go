package pgconf_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
)

func load(t *testing.T, v *pgdata.Version, files map[string]string) *pgconf.Config {
	t.Helper()
	c, err := pgconf.Load(pgconf.Options{DataDir: writeConf(t, files["postgresql.conf"], files), Version: v})
	require.NoError(t, err)
	return c
}

func TestWhatRecoveryWillChooseBy(t *testing.T) {
	for _, c := range []struct {
		name    string
		version *pgdata.Version
		files   map[string]string
		want    pgconf.RecoveryChoice
		err     string
	}{
		{"is nothing where nothing is set", pg17, map[string]string{"postgresql.conf": "work_mem = 1MB"}, pgconf.RecoveryChoice{}, ""},
		{
			"comes from all files, of which the last counts", pg17,
			map[string]string{
				"postgresql.conf": "recovery_target = 'immediate'\nrestore_command = a\nprimary_conninfo = 'host=a'\nrecovery_target_timeline = current\n" +
					"include_if_exists x\nRECOVERY_TARGET_ACTION = shutdown",
				"x":                    "restore_command = 'b'\npromote_trigger_file = '/t'",
				"postgresql.auto.conf": "primary_slot_name = s\nrecovery_target_timeline = 3",
			},
			pgconf.RecoveryChoice{
				Targets: map[string]string{"recovery_target": "immediate"}, Action: "shutdown", Timeline: "3",
				PrimaryConnInfo: "host=a", PrimarySlotName: "s", RestoreCommand: "b", TriggerFile: "/t",
			},
			"",
		},
		{
			"has no target that was reset", pg17,
			map[string]string{
				"postgresql.conf": "recovery_target_xid = 5", "postgresql.auto.conf": "recovery_target_xid = ''\nrecovery_target_lsn = '0/3000000'",
			},
			pgconf.RecoveryChoice{Targets: map[string]string{"recovery_target_lsn": "0/3000000"}},
			"",
		},
		{
			"has two targets, with which no server starts", pg17,
			map[string]string{"postgresql.conf": "recovery_target_xid = 5\nrecovery_target_name = n"},
			pgconf.RecoveryChoice{Targets: map[string]string{"recovery_target_xid": "5", "recovery_target_name": "n"}},
			"recovery_target_name, recovery_target_xid",
		},
		{
			"stands in recovery.conf up to 11, where of two targets the last one counts", pg11,
			map[string]string{"recovery.conf": "recovery_target_time = t\nrecovery_target_xid = 5\ntrigger_file = '/t'\nrecovery_target_action = promote"},
			pgconf.RecoveryChoice{
				Targets: map[string]string{"recovery_target_time": "t", "recovery_target_xid": "5"}, Action: "promote", TriggerFile: "/t",
			},
			"",
		},
		{"is nothing for a server that was promoted", pg11, map[string]string{"recovery.done": "restore_command = a\nrecovery_target_xid = 5"}, pgconf.RecoveryChoice{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := load(t, c.version, c.files).RecoveryChoice()
			if c.err == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, c.err)
			}
			if c.want.Targets == nil {
				c.want.Targets = map[string]string{}
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestArchiveSettings(t *testing.T) {
	for _, c := range []struct{ name, conf, command, mode, library string }{
		{"are off by default", "", "", pgconf.ArchiveOff, ""},
		{"are as they are written", "archive_mode = on\narchive_command = 'cp %p /a/%f'", "cp %p /a/%f", pgconf.ArchiveOn, ""},
		{"have a mode in other words", "archive_mode = TRUE\narchive_library = 'basic_archive'", "", pgconf.ArchiveOn, "basic_archive"},
		{"have a mode for standbys", "archive_mode = Always", "", pgconf.ArchiveAlways, ""},
		{"can be off in other words", "archive_mode = 0", "", pgconf.ArchiveOff, ""},
		{"can be what no server takes", "archive_mode = tru", "", "tru", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := load(t, pg17, map[string]string{"postgresql.conf": c.conf})
			assert.Equal(t, []string{c.command, c.mode, c.library}, []string{conf.ArchiveCommand(), conf.ArchiveMode(), conf.ArchiveLibrary()})
		})
	}
}

// Servers say which words they take for which value.
func TestBooleansAreReadAsByTheServer(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		for _, word := range []string{
			"on", "off", "of", "o", "ON", "true", "t", "TRU", "truex", "yes", "y", "no", "n", "false", "fals", "f", "1", "0", "2", "00", "''", "' on'", "onx",
		} {
			dir := writeConf(t, "wal_log_hints = "+word, nil)
			out, err := in.Command(t, "postgres", "-D", dir, "-C", "wal_log_hints").Output()
			conf, loadErr := pgconf.Load(pgconf.Options{DataDir: dir, Version: in.Version})
			require.NoError(t, loadErr)
			got, boolErr := conf.Bool("WAL_LOG_hints", false)
			if err != nil {
				assert.ErrorContains(t, boolErr, "line 1", word)
				continue
			}
			if assert.NoError(t, boolErr, word) {
				assert.Equal(t, string(out), map[bool]string{true: "on\n", false: "off\n"}[got], word)
			}
		}
	})
}

func TestBooleansThatAreNotSetHaveTheirDefault(t *testing.T) {
	conf := load(t, pg17, nil)
	for _, def := range []bool{true, false} {
		got, err := conf.Bool("wal_log_hints", def)
		assert.NoError(t, err)
		assert.Equal(t, def, got)
	}
}

func TestFilesOfTheDataDirectoryCanBeGiven(t *testing.T) {
	outside := writeConf(t, "", map[string]string{"x": "cluster_name = outside"})
	given := map[string]string{
		"postgresql.conf":      "include 'sub/a'\ninclude_dir 'conf.d'\ninclude_if_exists 'gone'\ninclude '" + outside + "/x'",
		"sub/a":                "work_mem = a\ninclude '../b'",
		"b":                    "search_path = b",
		"conf.d/1.conf":        "log_line_prefix = one",
		"conf.d/2.conf":        "log_line_prefix = two",
		"postgresql.auto.conf": "application_name = auto",
		"recovery.done":        "restore_command = done",
	}
	onDisk := map[string]string{
		"gone": "work_mem = disk", "conf.d/3.conf": "log_line_prefix = disk", "recovery.conf": "restore_command = disk", "postgresql.auto.conf": "=", "b": "=",
	}
	read := memory(given)
	names := func(dir string) ([]string, error) {
		require.Equal(t, "conf.d", dir)
		return []string{"2.conf", "README", "1.conf"}, nil
	}
	link := filepath.Join(t.TempDir(), "link")
	dir := writeConf(t, "=", onDisk)
	require.NoError(t, os.Symlink(dir, link))
	for name, dataDir := range map[string]string{"by its name": dir, "through a link": link} {
		t.Run(name, func(t *testing.T) {
			conf, err := pgconf.Load(pgconf.Options{DataDir: dataDir, Version: pg11, ReadFile: read, Names: names})
			require.NoError(t, err)
			for setting, want := range map[string]string{
				"work_mem": "a", "search_path": "b", "log_line_prefix": "two", "application_name": "auto", "cluster_name": "outside",
			} {
				got, _ := conf.Lookup(setting)
				assert.Equal(t, want, got, setting)
			}
			command, err := conf.RestoreCommand()
			assert.NoError(t, err)
			assert.Equal(t, "done", command)
		})
	}
	t.Run("and by a path without links", func(t *testing.T) {
		main := "include '" + dir + "/b'"
		conf, err := pgconf.Load(pgconf.Options{DataDir: link, Version: pg17, ReadFile: memory(map[string]string{"postgresql.conf": main, "b": "work_mem = b"})})
		require.NoError(t, err)
		got, _ := conf.Lookup("work_mem")
		assert.Equal(t, "b", got)
	})
	t.Run("and a failure to give one is no file that is missing", func(t *testing.T) {
		broken := errors.New("the source went away")
		for _, line := range []string{"include 'x'", "include_if_exists 'x'"} {
			_, err := pgconf.Load(pgconf.Options{DataDir: dir, Version: pg17, ReadFile: func(p string) ([]byte, error) {
				if p == "postgresql.conf" {
					return []byte(line), nil
				}
				return nil, broken
			}})
			assert.ErrorIs(t, err, broken, line)
		}
		_, err := pgconf.Load(pgconf.Options{DataDir: dir, Version: pg17, ReadFile: memory(nil)})
		assert.ErrorIs(t, err, fs.ErrNotExist)
	})
}
