//go:build unix

package recovery_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/recovery"
	"github.com/gorewind/gorewind/pgdata"
)

func TestServerProgramIsLookedForInThePathThatIsGiven(t *testing.T) {
	home := t.TempDir()
	server(t, filepath.Join(home, "ours"), "17.5")
	server(t, filepath.Join(home, "given"), "17.5")
	t.Setenv("PATH", filepath.Join(home, "ours")+":/usr/bin:/bin")
	for _, c := range []struct {
		name string
		env  []string
		want string
	}{
		{"that of this process by default", nil, "ours"},
		{"that of the environment", []string{"PATH=/nowhere", "PATH=" + filepath.Join(home, "given") + ":/usr/bin:/bin"}, "given"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := recovery.FindPostgres(t.Context(), recovery.Search{Version: pgdata.VersionByName("17"), Called: filepath.Join(home, "gorewind"), Env: c.env})
			require.NoError(t, err)
			assert.Equal(t, filepath.Join(home, c.want, "postgres"), found)
		})
	}
}

func TestServerRunsInTheEnvironmentAndDirectoryThatAreGiven(t *testing.T) {
	t.Setenv("INHERITED", "yes")
	elsewhere := t.TempDir()
	for _, c := range []struct {
		name    string
		options recovery.Options
		want    string
	}{
		{"those of this process by default", recovery.Options{}, "yes,,C"},
		{"an environment", recovery.Options{Env: []string{"MINE=1", "PATH=/usr/bin:/bin"}}, ",1,C"},
		{"a directory", recovery.Options{WorkDir: elsewhere}, "yes,,C"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := cluster(t, "17-basic", killed)
			out := filepath.Join(t.TempDir(), "out")
			c.options.Dir = d
			c.options.Program = script(t, filepath.Join(t.TempDir(), "postgres"), `echo "$INHERITED,$MINE,$LC_ALL" >`+out+"; pwd >>"+out)
			require.Error(t, recovery.Run(t.Context(), c.options))
			got, err := os.ReadFile(out)
			require.NoError(t, err)
			dir := c.options.WorkDir
			if dir == "" {
				dir, err = os.Getwd()
				require.NoError(t, err)
			}
			assert.Equal(t, c.want+"\n"+dir+"\n", string(got))
		})
	}
}
