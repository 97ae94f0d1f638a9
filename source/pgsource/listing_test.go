package pgsource_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// oddNames are file names that PostgreSQL would not make, but people do. Only
// the last ones are not text in every encoding.
var oddNames = []string{
	`it's`, `"quoted"`, "two\nlines", `back\slash`, `\n`, "tab\t", " space ", "%s$1", "-", "für Größe", "日本", "naïve/inner für",
	"caf\xe9", "\xff\xfe", "half \xc3", "\xe9\xe8/inner \xff", "\xed\xa0\x80 surrogate",
}

// walk lists a data directory in the test's own way.
func walk(t *testing.T, dir string, v *pgdata.Version) map[string]pgdata.FileInfo {
	t.Helper()
	files := map[string]pgdata.FileInfo{}
	var enter func(path string)
	enter = func(path string) {
		entries, err := os.ReadDir(filepath.Join(dir, path))
		require.NoError(t, err)
		for _, e := range entries {
			p := filepath.Join(path, e.Name())
			info, err := os.Lstat(filepath.Join(dir, p))
			require.NoError(t, err)
			inTablespaces := filepath.Dir(p) == pgdata.TablespaceRoot
			if filepath.Dir(filepath.Dir(p)) == pgdata.TablespaceRoot && !strings.HasPrefix(e.Name(), "PG_") {
				continue
			}
			f := pgdata.FileInfo{Path: p, Type: pgdata.Regular, Size: info.Size()}
			switch {
			case info.Mode()&os.ModeSymlink != 0 && inTablespaces:
				f.Type, f.Size = pgdata.Symlink, 0
				f.Link, err = os.Readlink(filepath.Join(dir, p))
				require.NoError(t, err)
				enter(p)
			case info.IsDir() || p == v.WALDir:
				f.Type, f.Size = pgdata.Directory, 0
				enter(p)
			}
			files[p] = f
		}
	}
	enter("")
	return files
}

// settled drops what a server writes while it is idle.
func settled(files map[string]pgdata.FileInfo) map[string]pgdata.FileInfo {
	for p := range files {
		if strings.HasPrefix(p, "pg_stat_tmp/") || strings.HasPrefix(p, "pg_dynshmem/") || strings.Contains(p, "pg_internal.init") {
			delete(files, p)
		}
	}
	return files
}

func TestListingIsThatOfTheDirectory(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{SeparateWAL: true, Template0: true})
		c.Start(t)
		spaced := c.TablespaceDir(t, "a tablespace für \"all\"\n\\")
		c.Exec(t,
			"CREATE TABLESPACE linked LOCATION '"+spaced+"'",
			"CREATE TABLE in_linked TABLESPACE linked AS SELECT g FROM generate_series(1, 2000) g",
			"CREATE UNLOGGED TABLE unlogged AS SELECT g FROM generate_series(1, 2000) g",
			"CREATE DATABASE sql_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'",
			"CREATE DATABASE latin1 TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
			"CREATE DATABASE euc_jp TEMPLATE template0 ENCODING 'EUC_JP' LC_COLLATE 'C' LC_CTYPE 'C'",
		)
		inPlace := c.QueryString(t, "SELECT count(*) FROM pg_settings WHERE name = 'allow_in_place_tablespaces'") == "1"
		if inPlace {
			c.Exec(t, "SET allow_in_place_tablespaces = on", "CREATE TABLESPACE in_place LOCATION ''",
				"CREATE TABLE in_in_place TABLESPACE in_place AS SELECT g FROM generate_series(1, 2000) g")
		}
		c.Checkpoint(t)
		for _, name := range oddNames {
			p := filepath.Join(c.Dir, "odd", name)
			require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o700))
			require.NoError(t, os.WriteFile(p, []byte("content of "+name), 0o600))
		}
		require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "odd", "\xff empty"), nil, 0o600))
		require.NoError(t, os.Mkdir(filepath.Join(spaced, "lost+found"), 0))
		// Long names make a directory so large that connections share it.
		crowded := filepath.Join(c.Dir, "base", "crowded")
		require.NoError(t, os.Mkdir(crowded, 0o700))
		for i := range 2000 {
			require.NoError(t, os.WriteFile(filepath.Join(crowded, fmt.Sprintf("%0200d", i)), nil, 0o600))
		}

		for _, db := range []string{"postgres", "sql_ascii", "latin1", "euc_jp"} {
			s := open(t, c.ConnString(db))
			got, want := settled(list(t, s)), settled(walk(t, c.Dir, in.Version))
			assert.Equal(t, want, got, "database %s", db)
			links, dirs := 0, 0
			for p, f := range got {
				if filepath.Dir(p) == pgdata.TablespaceRoot {
					switch f.Type {
					case pgdata.Symlink:
						links++
						assert.Equal(t, spaced, f.Link)
					case pgdata.Directory:
						dirs++
					}
				}
			}
			assert.Equal(t, 1, links, "tablespaces elsewhere")
			assert.Equal(t, inPlace, dirs == 1, "tablespaces in place")

			read := newCollector()
			require.NoError(t, s.Fetch(t.Context(), func(yield func(source.Range) bool) {
				for _, name := range append(oddNames, "\xff empty", "\xff gone", "\xff no directory/x") {
					if !yield(source.Range{Path: "odd/" + name, Length: 1 << 20}) {
						return
					}
				}
			}, read), "database %s", db)
			for _, name := range oddNames {
				assert.Equal(t, "content of "+name, string(read.files["odd/"+name]), "database %s", db)
			}
			assert.Equal(t, 1, read.writes["odd/\xff empty"])
			assert.ElementsMatch(t, []string{"odd/\xff gone", "odd/\xff no directory/x"}, read.vanished)
		}
	})
}
