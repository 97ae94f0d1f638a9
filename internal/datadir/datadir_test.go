package datadir_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
)

// cluster makes a directory that looks enough like a data directory, with a
// symlinked WAL directory and two tablespaces, one of them in place.
func cluster(t *testing.T) (dir, outside string) {
	t.Helper()
	dir, outside = t.TempDir(), t.TempDir()
	write := func(p string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o700))
		require.NoError(t, os.WriteFile(p, []byte(p), 0o600))
	}
	write(filepath.Join(dir, "global/pg_control"))
	write(filepath.Join(dir, "base/5/16384"))
	write(filepath.Join(outside, "wal/000000010000000000000001"))
	write(filepath.Join(outside, "ts/PG_17_202406281/5/16400"))
	write(filepath.Join(outside, "ts/lost+found/secret"))
	write(filepath.Join(outside, "etc/passwd"))
	write(filepath.Join(dir, "pg_tblspc/16500/PG_17_202406281/5/16501"))
	require.NoError(t, os.Symlink(filepath.Join(outside, "wal"), filepath.Join(dir, "pg_wal")))
	require.NoError(t, os.Symlink(filepath.Join(outside, "ts"), filepath.Join(dir, "pg_tblspc/16390")))
	require.NoError(t, os.Symlink(filepath.Join(outside, "etc"), filepath.Join(dir, "base/etc")))
	return dir, outside
}

func open(t testing.TB, dir string) *datadir.Dir {
	t.Helper()
	d, err := datadir.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func TestListingFollowsTheLinksThatPostgreSQLMakesAndNoOthers(t *testing.T) {
	dir, outside := cluster(t)
	var got []string
	for f, err := range open(t, dir).Files() {
		require.NoError(t, err)
		line := f.Type.String() + " " + f.Path
		if f.Type == pgdata.Regular {
			assert.Positive(t, f.Size)
		}
		if f.Link != "" {
			rel, err := filepath.Rel(outside, f.Link)
			require.NoError(t, err)
			line += " -> " + rel
		}
		got = append(got, line)
	}
	slices.Sort(got)
	assert.Equal(t, []string{
		"directory base", "directory base/5", "directory global", "directory pg_tblspc",
		"directory pg_tblspc/16390/PG_17_202406281", "directory pg_tblspc/16390/PG_17_202406281/5",
		"directory pg_tblspc/16500", "directory pg_tblspc/16500/PG_17_202406281", "directory pg_tblspc/16500/PG_17_202406281/5",
		"directory pg_wal",
		"regular file base/5/16384", "regular file global/pg_control",
		"regular file pg_tblspc/16390/PG_17_202406281/5/16400", "regular file pg_tblspc/16500/PG_17_202406281/5/16501",
		"regular file pg_wal/000000010000000000000001",
		"symbolic link base/etc -> etc", "symbolic link pg_tblspc/16390 -> ts",
	}, got)
}

func TestNoPathLeadsOut(t *testing.T) {
	dir, _ := cluster(t)
	d := open(t, dir)
	for _, p := range []string{"base/5/16384", "pg_wal/000000010000000000000001", "pg_tblspc/16390/PG_17_202406281/5/16400"} {
		_, err := d.ReadFile(p)
		assert.NoError(t, err, p)
	}
	for _, p := range []string{
		"..", "../x", "/etc/passwd", "base/../../x", "base/5/../../../x", "", "./base", "base//5", "base/5/", "base\x00",
		"pg_wal/../../x", "pg_tblspc/16390/../../x",
	} {
		_, err := d.ReadFile(p)
		assert.ErrorIs(t, err, datadir.ErrUnsafePath, "%q", p)
	}
	_, err := d.ReadFile("base/etc/passwd")
	assert.ErrorContains(t, err, "escapes", "a link that PostgreSQL did not make")
}

func TestWhatIsNoClusterIsRefusedByName(t *testing.T) {
	empty := t.TempDir()
	plain := filepath.Join(empty, "file")
	require.NoError(t, os.WriteFile(plain, nil, 0o600))
	for dir, want := range map[string]string{
		filepath.Join(empty, "gone"): `could not open file "` + filepath.Join(empty, "gone", "global", "pg_control") + `" for reading: no such file or directory`,
		plain:                        `global/pg_control" for reading: not a directory`,
		empty:                        `global/pg_control" for reading: no such file or directory`,
	} {
		_, err := datadir.Open(dir)
		assert.ErrorContains(t, err, want)
	}
}

func TestServerPID(t *testing.T) {
	dir, _ := cluster(t)
	d := open(t, dir)
	sleeper := exec.Command("sleep", "60")
	require.NoError(t, sleeper.Start())
	t.Cleanup(func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() })
	gone := exec.Command("true")
	require.NoError(t, gone.Run())
	for _, c := range []struct {
		name, file string
		want       int
		err        string
	}{
		{name: "no file", want: 0},
		{name: "a living process", file: strconv.Itoa(sleeper.Process.Pid) + "\n/data\n", want: sleeper.Process.Pid},
		{name: "a single-user server", file: strconv.Itoa(-sleeper.Process.Pid) + "\n", want: sleeper.Process.Pid},
		{name: "a process that ended", file: strconv.Itoa(gone.Process.Pid) + "\n", want: 0},
		{name: "our own number, reused", file: strconv.Itoa(os.Getpid()) + "\n", want: 0},
		{name: "an empty file", file: "\n", err: "does not begin with a process number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := filepath.Join(dir, "postmaster.pid")
			if c.file != "" {
				require.NoError(t, os.WriteFile(p, []byte(c.file), 0o600))
			} else if err := os.Remove(p); err != nil {
				require.True(t, errors.Is(err, fs.ErrNotExist))
			}
			got, err := d.ServerPID()
			if c.err != "" {
				assert.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestWhatIsNoCluster(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, name := range []string{dir, file, filepath.Join(dir, "nothing"), filepath.Join(file, "below")} {
		_, err := datadir.Open(name)
		assert.ErrorIs(t, err, datadir.ErrNoCluster)
		assert.ErrorContains(t, err, "could not open file \""+filepath.Join(name, "global", "pg_control")+"\" for reading: ")
	}
	require.NoError(t, os.Chmod(dir, 0))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	_, err := datadir.Open(dir)
	if assert.Error(t, err) && os.Getuid() != 0 {
		assert.NotErrorIs(t, err, datadir.ErrNoCluster)
	}
}
