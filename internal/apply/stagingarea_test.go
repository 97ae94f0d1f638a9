package apply

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
)

// ownTarget makes a data directory of PostgreSQL 17 below root. control, if not nil,
// is its control file.
func ownTarget(t *testing.T, root string, control []byte) string {
	t.Helper()
	if control == nil {
		control = readControlFile(t)
	}
	dir := filepath.Join(root, "data")
	for p, data := range map[string][]byte{
		pgdata.ControlFilePath: control, pgdata.VersionPath: []byte("17\n"), "base/precious": []byte("x"), "pg_tblspc/x": nil,
	} {
		p = filepath.Join(dir, p)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o700))
		require.NoError(t, os.WriteFile(p, data, 0o600))
	}
	return dir
}

func openTarget(t *testing.T, dir string) *Target {
	t.Helper()
	tgt, err := Open(dir, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tgt.Close()) })
	return tgt
}

var ownControlName = func(t *testing.T, control []byte) string {
	return areaName(parsed(t, control).SystemIdentifier)
}

// TestAStagingDirectoryThatIsALinkIsNotFollowed puts a link, or something else, where
// gorewind's own directory belongs.
func TestAStagingDirectoryThatIsALinkIsNotFollowed(t *testing.T) {
	for what, put := range map[string]func(t *testing.T, name string){
		"symbolic link": func(t *testing.T, name string) { require.NoError(t, os.Symlink("base", name)) },
		"file":          func(t *testing.T, name string) { require.NoError(t, os.WriteFile(name, nil, 0o600)) },
	} {
		dir := ownTarget(t, t.TempDir(), nil)
		put(t, filepath.Join(dir, stagingDir))
		tgt := openTarget(t, dir)
		control, err := tgt.ControlFile()
		require.NoError(t, err)
		plan := &filemap.Plan{WALDir: "pg_wal"}
		for name, do := range map[string]func() error{
			"cleaning up": tgt.CleanUp,
			"staging":     func() error { _, err := tgt.Stage(t.Context(), plan, control, Options{}); return err },
			"restoring":   func() error { _, err := tgt.RestoreDir("pg_wal"); return err },
			"small files": func() error {
				return tgt.WriteFiles(t.Context(), control, []SmallFile{{"standby.signal", nil}}, SyncMode{})
			},
			"in place": func() error {
				c, err := tgt.ChangeInPlace(plan, Options{}, nil)
				require.NoError(t, err)
				_, err = c.Begin(t.Context(), control)
				return err
			},
			"status": func() error { _, err := Inspect(dir); return err },
		} {
			err := do()
			require.ErrorIs(t, err, datadir.ErrNotDirectory, "%s, %s", what, name)
			assert.ErrorContains(t, err, stagingDir)
			assert.ErrorContains(t, err, "but a "+what+": remove it")
			assert.FileExists(t, filepath.Join(dir, "base/precious"), name)
			entries, err := os.ReadDir(filepath.Join(dir, "base"))
			require.NoError(t, err)
			assert.Len(t, entries, 1, name)
			now, err := tgt.ControlFile()
			require.NoError(t, err)
			assert.Equal(t, control, now)
		}
	}
}

// TestNothingLeadsOutOfAStagingDirectory puts links into the directory, and
// replaces the directory with a link while it is in use.
func TestNothingLeadsOutOfAStagingDirectory(t *testing.T) {
	dir := ownTarget(t, t.TempDir(), nil)
	require.NoError(t, os.Mkdir(filepath.Join(dir, stagingDir), 0o700))
	for _, link := range []string{"wal", "0", "areas", "journal"} {
		require.NoError(t, os.Symlink("../base", filepath.Join(dir, stagingDir, link)))
	}
	tgt := openTarget(t, dir)
	err := tgt.CleanUp()
	require.ErrorContains(t, err, "escapes", "it is not read")
	require.NoError(t, os.Remove(filepath.Join(dir, areasPath)))
	require.NoError(t, tgt.CleanUp())
	assert.FileExists(t, filepath.Join(dir, "base/precious"))
	assert.NoDirExists(t, filepath.Join(dir, stagingDir))

	require.NoError(t, tgt.makeStagingDir(stagingDir))
	require.NoError(t, os.Rename(filepath.Join(dir, stagingDir), filepath.Join(dir, "aside")))
	require.NoError(t, os.Symlink("base", filepath.Join(dir, stagingDir)))
	require.NoError(t, tgt.writeFile(stagingDir+"/x", []byte("x"), 0o600, false))
	assert.NoFileExists(t, filepath.Join(dir, "base/x"))
	assert.FileExists(t, filepath.Join(dir, "aside/x"), "it is the directory that was checked")
	require.NoError(t, tgt.disk.Rename(stagingDir+"/x", "base/x"), "and what was staged there can be put in place")
	assert.FileExists(t, filepath.Join(dir, "base/x"))
}

// TestHostileStagingAreas has lists of staging areas that lead elsewhere: the list
// is read before it can be trusted.
func TestHostileStagingAreas(t *testing.T) {
	control := readControlFile(t)
	own := ownControlName(t, control)
	signed := func(list any) []byte {
		b, err := json.Marshal(list)
		require.NoError(t, err)
		b = append(b, '\n')
		return fmt.Appendf(b, "{\"crc32c\":%d}\n", crc32.Checksum(b, castagnoli))
	}
	one := func(dir, link string) []byte {
		return signed(map[string]any{"name": own, "areas": []map[string]string{{"dir": dir, "link": link}}})
	}
	for name, list := range map[string][]byte{
		"a path outside":                    one("../outside/"+own, ""),
		"an absolute path":                  one("OUTSIDE/"+own, ""),
		"a path that leads out by two dots": one("base/../../outside/"+own, ""),
		"a directory of the target":         one("base/5/"+own, ""),
		"a directory with another name":     one("base/5", ""),
		"another cluster's":                 one("pg_tblspc/1/"+own+"1", ""),
		"through a link":                    one("base/link/"+own, ""),
		"through a planned link":            one("base/link/"+own, "OUTSIDE"),
		"a tablespace that leads elsewhere": one("pg_tblspc/1/"+own, "/elsewhere"),
		"the staging area itself":           one(stagingDir, ""),
		"not a list at all":                 signed(7),
		"nothing":                           nil,
		"no checksum":                       []byte(`{"name":"` + own + `","areas":[{"dir":"base/5/` + own + `"}]}`),
		"another checksum":                  []byte(`{"name":"` + own + `","areas":[{"dir":"base/5/` + own + `"}]}` + "\n" + `{"crc32c":1}` + "\n"),
		"an older gorewind's":               []byte(`[{"dir":"base/5/` + own + `"}]`),
		"not finished":                      []byte(`[{"dir":"base/pgsql`),
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := ownTarget(t, root, control)
			outside := filepath.Join(root, "outside")
			var victims []string
			for _, p := range []string{filepath.Join(outside, own), filepath.Join(dir, "base/5", own), filepath.Join(root, "space", own+"1"), filepath.Join(root, "space", namePrefix)} {
				require.NoError(t, os.MkdirAll(p, 0o700))
				require.NoError(t, os.WriteFile(filepath.Join(p, "precious"), nil, 0o600))
				victims = append(victims, filepath.Join(p, "precious"))
			}
			require.NoError(t, os.Symlink(outside, filepath.Join(dir, "base/link")))
			require.NoError(t, os.Symlink(filepath.Join(root, "space"), filepath.Join(dir, "pg_tblspc/1")))
			require.NoError(t, os.Mkdir(filepath.Join(dir, stagingDir), 0o700))
			require.NoError(t, os.Symlink(outside, filepath.Join(dir, stagingDir, "link")))
			list := []byte(strings.ReplaceAll(string(list), "OUTSIDE", filepath.ToSlash(outside)))
			require.NoError(t, os.WriteFile(filepath.Join(dir, areasPath), list, 0o600))
			tgt := openTarget(t, dir)
			require.NoError(t, tgt.dropStaging())
			for _, victim := range victims {
				assert.FileExists(t, victim)
			}
			assert.NoDirExists(t, filepath.Join(dir, stagingDir))
		})
	}
}

// TestStagingDirectoriesAreFoundWithoutTheirList damages the list, before a commit
// and after one.
func TestStagingDirectoriesAreFoundWithoutTheirList(t *testing.T) {
	for name, damage := range map[string]func(p string) error{
		"damaged": func(p string) error { return os.WriteFile(p, []byte("x"), 0o600) },
		"gone":    os.Remove,
		"another's": func(p string) error {
			list, err := encodeAreas(areaName(1), nil)
			require.NoError(t, err)
			return os.WriteFile(p, list, 0o600)
		},
	} {
		for _, committed := range []bool{false, true} {
			if !committed && name == "gone" {
				continue // the directory is made after the list, and removed before it
			}
			root := t.TempDir()
			dir := ownTarget(t, root, nil)
			space := filepath.Join(root, "space")
			require.NoError(t, os.Mkdir(space, 0o700))
			require.NoError(t, os.Symlink(space, filepath.Join(dir, "pg_tblspc/1")))
			tgt := openTarget(t, dir)
			control, err := tgt.ControlFile()
			require.NoError(t, err)
			table := filemap.Entry{Path: "pg_tblspc/1/table", Type: pgdata.Regular, Action: filemap.Copy, SourceSize: 1}
			s, err := tgt.Stage(t.Context(), &filemap.Plan{WALDir: "pg_wal", Entries: []filemap.Entry{table}}, control, Options{})
			require.NoError(t, err)
			require.NoError(t, s.WriteAt(table.Path, []byte("x"), 0))
			own := filepath.Join(space, ownControlName(t, control))
			require.DirExists(t, own)
			if !committed {
				require.NoError(t, damage(filepath.Join(dir, areasPath)))
				s.Discard()
			} else {
				f := parsed(t, control)
				_, err := s.Commit(t.Context(), control, Final{Control: f.Encode(f.Fields)})
				require.NoError(t, err)
				require.NoError(t, damage(filepath.Join(dir, areasPath)))
				j, err := tgt.Journal()
				require.NoError(t, err)
				require.NoError(t, tgt.Finish(t.Context(), j, true))
			}
			assert.NoDirExists(t, own, name)
			assert.NoDirExists(t, filepath.Join(dir, stagingDir), name)
		}
	}
}

// TestTwoClustersThatShareATablespace is the case after pg_upgrade.
func TestTwoClustersThatShareATablespace(t *testing.T) {
	space := t.TempDir()
	other, err := os.ReadFile("../../controlfile/testdata/16.pg_control")
	require.NoError(t, err)
	var stagings []*Staging
	var targets []*Target
	var controls [][]byte
	for i, control := range [][]byte{nil, other} {
		dir := ownTarget(t, t.TempDir(), control)
		require.NoError(t, os.Symlink(space, filepath.Join(dir, "pg_tblspc/1")))
		tgt := openTarget(t, dir)
		control, err := tgt.ControlFile()
		require.NoError(t, err)
		table := filemap.Entry{Path: fmt.Sprintf("pg_tblspc/1/%d", i), Type: pgdata.Regular, Action: filemap.Copy, SourceSize: 1}
		s, err := tgt.Stage(t.Context(), &filemap.Plan{WALDir: "pg_wal", Entries: []filemap.Entry{table}}, control, Options{})
		require.NoError(t, err)
		require.NoError(t, s.WriteAt(table.Path, []byte("x"), 0))
		stagings, targets, controls = append(stagings, s), append(targets, tgt), append(controls, control)
	}
	stagings[0].Discard()
	f := parsed(t, controls[1])
	_, err = stagings[1].Commit(t.Context(), controls[1], Final{Control: f.Encode(f.Fields)})
	require.NoError(t, err)
	j, err := targets[1].Journal()
	require.NoError(t, err)
	require.NoError(t, targets[1].Finish(t.Context(), j, false))
	entries, err := os.ReadDir(space)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Equal(t, "1", entries[0].Name())
	assert.Equal(t, fs.FileMode(0), entries[0].Type())
}
