package pgconf_test

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/pgdata"
)

var pg11, pg17 = pgdata.VersionByName("11"), pgdata.VersionByName("17")

// memory is a data directory's files.
func memory(files map[string]string) pgconf.ReadFile {
	return func(path string) ([]byte, error) {
		text, ok := files[path]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	}
}

func TestSyntaxErrorsNameFileAndLineAndKeepSecrets(t *testing.T) {
	dir := writeConf(t, "include 'x.conf'", map[string]string{"x.conf": "a = b\n\nprimary_conninfo = password=geheim\n"})
	_, err := pgconf.Load(pgconf.Options{DataDir: dir, Version: pg17})
	var syntax *pgconf.SyntaxError
	require.ErrorAs(t, err, &syntax)
	assert.Equal(t, filepath.Join(dir, "x.conf"), syntax.File)
	assert.Equal(t, 3, syntax.Line)
	assert.NotContains(t, err.Error(), "geheim")
}

func TestFailedIncludesNameWhereTheyStand(t *testing.T) {
	dir := writeConf(t, "\ninclude 'no'", nil)
	_, err := pgconf.Load(pgconf.Options{DataDir: dir, Version: pg17})
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, filepath.Join(dir, "no"))
	assert.ErrorContains(t, err, filepath.Join(dir, "postgresql.conf")+`" line 2`)
}

func TestDataDirectoryOfTheConfiguration(t *testing.T) {
	dir := writeConf(t, "data_directory = '@/sub'", nil)
	c, err := pgconf.Load(pgconf.Options{DataDir: dir, Version: pg17})
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "sub"), c.DataDir)
}

func TestRestoreCommand(t *testing.T) {
	const conf = "restore_command = conf"
	for _, c := range []struct {
		name    string
		version *pgdata.Version
		files   map[string]string
		want    string
		err     string
	}{
		{"stands in the configuration from 12 on", pg17, map[string]string{"recovery.conf": "restore_command = rec"}, "conf", ""},
		{"stands in recovery.conf up to 11", pg11, map[string]string{"recovery.conf": "restore_command = rec\ninclude x", "x": "restore_command = x"}, "x", ""},
		{"of a promoted standby is the one that it had", pg11, map[string]string{"recovery.done": "restore_command 'done'"}, "done", ""},
		{"is not that of an earlier life as a standby", pg11, map[string]string{"recovery.conf": "restore_command = ''", "recovery.done": "restore_command 'done'"}, "", ""},
		{"is unknown if recovery.conf is broken", pg11, map[string]string{"recovery.conf": "restore_command = 'x"}, "", `recovery.conf" line 1`},
		{"is unknown if recovery.conf has what is no parameter", pg11, map[string]string{"recovery.conf": "\nRESTORE_COMMAND = x"}, "", `unrecognized recovery parameter "RESTORE_COMMAND"`},
		{"is unknown if recovery.done is broken", pg11, map[string]string{"recovery.done": "="}, "", `recovery.done" line 1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			main := conf
			if c.version.RecoveryConf {
				main = ""
			}
			config, err := pgconf.Load(pgconf.Options{DataDir: writeConf(t, main, c.files), Version: c.version})
			got := ""
			if err == nil {
				got, err = config.RestoreCommand()
			}
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}
