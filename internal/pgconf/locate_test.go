package pgconf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
)

func TestLocate(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string // HOME stands for the directory that all lies in
		want  string
	}{
		{name: "nowhere", files: map[string]string{"data/PG_VERSION": "18"}},
		{
			name:  "in the data directory, where it is found anyway",
			files: map[string]string{"data/postgresql.conf": "", "etc/18/main/postgresql.conf": "data_directory = 'HOME/data'"},
		},
		{
			name: "where Debian has it, of the cluster that has the directory",
			files: map[string]string{
				"data/PG_VERSION": "18", "etc/18/main/postgresql.conf": "data_directory = 'HOME/data'\n",
				"etc/18/a/postgresql.conf": "data_directory = 'HOME'", "etc/18/b/postgresql.conf": "this is none", "etc/17/c/postgresql.conf": "data_directory = 'HOME/data'",
			},
			want: "etc/18/main/postgresql.conf",
		},
		{
			name: "as the server was started last",
			files: map[string]string{
				"data/postmaster.opts": "/bin/postgres \"-D\" \"HOME/data\" \"-c\" \"config_file=HOME/elsewhere.conf\"\n", "elsewhere.conf": "",
				"etc/18/main/postgresql.conf": "data_directory = 'HOME/data'\n",
			},
			want: "elsewhere.conf",
		},
		{
			name: "as the server was started last, with what is gone",
			files: map[string]string{
				"data/postmaster.opts":        "/bin/postgres \"-D\" \"HOME/data\" \"--config-file=HOME/elsewhere.conf\"\n",
				"etc/18/main/postgresql.conf": "data_directory = 'HOME/data'\n",
			},
			want: "etc/18/main/postgresql.conf",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := t.TempDir()
			for name, text := range c.files {
				p := filepath.Join(home, name)
				require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o700))
				require.NoError(t, os.WriteFile(p, []byte(filepath.ToSlash(replaceHome(text, home))), 0o600))
			}
			want := c.want
			if want != "" {
				want = filepath.Join(home, want)
			}
			assert.Equal(t, want, locateIn(filepath.Join(home, "etc"), filepath.Join(home, "data"), pgdata.VersionByName("18")))
		})
	}
}

func replaceHome(text, home string) string { return strings.ReplaceAll(text, "HOME", home) }
