//go:build unix

package recovery_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/recovery"
	"github.com/gorewind/gorewind/pgdata"
)

// script creates an executable shell script.
func script(t *testing.T, name, text string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte("#!/bin/sh\n"+text+"\n"), 0o755))
	return name
}

// server creates a program that reports to be a server of some version.
func server(t *testing.T, dir, version string) string {
	t.Helper()
	return script(t, filepath.Join(dir, "postgres"), "echo 'postgres (PostgreSQL) "+version+"'")
}

func TestVersionOfAServerProgram(t *testing.T) {
	for line, want := range map[string]string{
		"postgres (PostgreSQL) 17.5 (Debian 17.5-1.pgdg120+1)": "17",
		"postgres (PostgreSQL) 9.6.24":                         "9.6",
		"postgres (PostgreSQL) 19rc1":                          "19",
		"postgres (PostgreSQL) 18devel":                        "18",
		"postgres (EnterpriseDB) 15.4.0":                       "15",
		"postgres (Postgres Pro) 16.3.1":                       "16",
		"edb-postgres (EnterpriseDB Advanced Server) 14.9.0":   "14",
		"postgres (PostgreSQL) 10":                             "10",
		"postgres (PostgreSQL) 9":                              "",
		"postgres (PostgreSQL) ":                               "",
		"postgres 12.3":                                        "12",
		"psql: error":                                          "",
		"":                                                     "",
	} {
		got, ok := recovery.ParseVersion(line)
		assert.Equal(t, want != "", ok, line)
		if ok {
			assert.Equal(t, want, got, line)
		}
	}
}

func TestServerProgramIsFoundBesideGorewindThenInPath(t *testing.T) {
	home := t.TempDir()
	link, real, first, second := filepath.Join(home, "link"), filepath.Join(home, "real"), filepath.Join(home, "first"), filepath.Join(home, "second")
	t.Setenv("PATH", first+":relative:"+second)
	require.NoError(t, os.Mkdir(link, 0o755))
	gorewind := script(t, filepath.Join(real, "gorewind"), "")
	called := filepath.Join(link, "pg_rewind")
	require.NoError(t, os.Symlink(gorewind, called))
	find := func() string {
		t.Helper()
		p, err := recovery.FindPostgres(t.Context(), recovery.Search{Version: pgdata.VersionByName("11"), Called: called})
		require.NoError(t, err)
		return p
	}
	// From the last place to the first.
	inSecond := server(t, second, "11.22")
	server(t, first, "17.5")
	assert.Equal(t, inSecond, find(), "the first in PATH is of another major")
	inFirst := server(t, first, "11.1")
	assert.Equal(t, inFirst, find())
	besideReal := server(t, real, "11.2")
	assert.Equal(t, besideReal, find())
	besideLink := server(t, link, "11.3")
	assert.Equal(t, besideLink, find())
	server(t, link, "9.6.24")
	assert.Equal(t, besideReal, find())

	// Called by a name that PATH leads to.
	require.NoError(t, os.Symlink(gorewind, filepath.Join(second, "pg_rewind")))
	require.NoError(t, os.Remove(inFirst))
	require.NoError(t, os.Remove(besideReal))
	called = "pg_rewind"
	assert.Equal(t, inSecond, find())
}

func TestServerProgramOfTheNamedDirectoryOrNone(t *testing.T) {
	home := t.TempDir()
	t.Setenv("PATH", filepath.Join(home, "path"))
	server(t, filepath.Join(home, "path"), "13.1")
	search := func(dir string) error {
		_, err := recovery.FindPostgres(t.Context(), recovery.Search{Version: pgdata.VersionByName("13"), BinDir: filepath.Join(home, dir)})
		var missing *recovery.NotFoundError
		if err != nil {
			require.True(t, errors.As(err, &missing), "%v", err)
		}
		return err
	}
	server(t, filepath.Join(home, "right"), "13.22")
	require.NoError(t, search("right"))
	server(t, filepath.Join(home, "wrong"), "14.1")
	assert.ErrorContains(t, search("wrong"), `was not found in the directory "`+home+`/wrong" ("`+home+`/wrong/postgres" is of PostgreSQL 14); specify another one with Options.BinDir`)
	require.NoError(t, os.Mkdir(filepath.Join(home, "empty"), 0o755))
	assert.ErrorContains(t, search("empty"), `program "postgres" of PostgreSQL 13 is needed but was not found in the directory`)
	script(t, filepath.Join(home, "broken", "postgres"), "echo cannot load library; exit 127")
	assert.ErrorContains(t, search("broken"), "does not run: exit status 127: cannot load library")
	require.NoError(t, os.Chmod(script(t, filepath.Join(home, "locked", "postgres"), ""), 0o600))
	assert.ErrorContains(t, search("locked"), "does not run: permission denied")
	require.NoError(t, os.MkdirAll(filepath.Join(home, "directory", "postgres"), 0o755))
	assert.ErrorContains(t, search("directory"), "is not a program")
}

func TestServerProgramThatWasNamedOrNone(t *testing.T) {
	home := t.TempDir()
	t.Setenv("PATH", filepath.Join(home, "path"))
	server(t, filepath.Join(home, "path"), "13.1")
	script(t, filepath.Join(home, "postgres-13"), "echo 'postgres (PostgreSQL) 13.22'")
	script(t, filepath.Join(home, "postgres-14"), "echo 'postgres (PostgreSQL) 14.1'")
	t.Chdir(home)
	for _, c := range []struct{ what, program, says string }{
		{"by an absolute path", filepath.Join(home, "postgres-13"), ""},
		{"by a relative path", "postgres-13", ""},
		{"of another major", "postgres-14", `was not found at "postgres-14" ("` + home + `/postgres-14" is of PostgreSQL 14); specify another one with Options.ServerProgram`},
		{"that does not exist", "postgres-15", `was not found at "postgres-15"; specify another one with Options.ServerProgram`},
		{"but is a directory", "path", `"` + home + `/path" is not a program`},
	} {
		program, err := recovery.FindPostgres(t.Context(), recovery.Search{Version: pgdata.VersionByName("13"), Program: c.program, BinDir: "/nowhere"})
		if c.says == "" {
			require.NoError(t, err, c.what)
			assert.Equal(t, filepath.Join(home, "postgres-13"), program, c.what)
			continue
		}
		assert.ErrorContains(t, err, c.says, c.what)
	}
}

func TestServerProgramIsNowhere(t *testing.T) {
	v := *pgdata.VersionByName("12")
	v.Name = "1.5" // which no machine has
	dir := t.TempDir()
	server(t, dir, "17.5")
	t.Setenv("PATH", dir)
	called := script(t, filepath.Join(t.TempDir(), "gorewind"), "")
	_, err := recovery.FindPostgres(t.Context(), recovery.Search{Version: &v, Called: called})
	assert.ErrorContains(t, err, `in the same directory as gorewind ("`+filepath.Dir(called)+`"), in PATH and in the usual places`)
	assert.ErrorContains(t, err, `"`+dir+`/postgres" is of PostgreSQL 17`)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = recovery.FindPostgres(ctx, recovery.Search{Version: &v, Called: called})
	assert.ErrorIs(t, err, context.Canceled)
}

func TestUsualPlacesAreThoseOfTheMajor(t *testing.T) {
	at := recovery.UsualPlaces(pgdata.VersionByName("9.6"))
	for _, dir := range []string{"/usr/lib/postgresql/9.6/bin", "/usr/pgsql-9.6/bin", "/usr/lib/postgresql96/bin", "/opt/homebrew/opt/postgresql@9.6/bin"} {
		assert.True(t, slices.Contains(at, dir), "%s", dir)
	}
}
