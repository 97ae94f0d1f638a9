package rewind_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/rewind"
)

func TestTablespaceMappingsAreReadAsPgBasebackupReadsThem(t *testing.T) {
	for _, c := range []struct{ name, text, old, to, err string }{
		{"two directories", "/a=/b", "/a", "/b", ""},
		{"slashes at the end", "/a/=/b//", "/a", "/b", ""},
		{"an equals sign in both", `/a\=1=/b\=2`, "/a=1", "/b=2", ""},
		{"a backslash of its own", `/a\b=/c`, `/a\b`, "/c", ""},
		{"no separator", "/a", "", "", `invalid tablespace mapping format "/a", must be "OLDDIR=NEWDIR"`},
		{"nothing before it", "=/b", "", "", "invalid tablespace mapping format"},
		{"nothing after it", "/a=", "", "", "invalid tablespace mapping format"},
		{"two separators", "/a=/b=/c", "", "", `multiple "=" signs in tablespace mapping`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m rewind.TablespaceMapping
			err := m.Add(c.text)
			if c.err != "" {
				assert.ErrorIs(t, err, rewind.ErrOptions)
				assert.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, rewind.TablespaceMapping{c.old: c.to}, m)
		})
	}
}

func TestUnusableTablespaceDirectoriesAreRefused(t *testing.T) {
	dir := t.TempDir()
	data, outside := filepath.Join(dir, "data"), filepath.Join(dir, "outside")
	for _, c := range []struct {
		name string
		m    rewind.TablespaceMapping
		want string
	}{
		{"an old one that is not absolute", rewind.TablespaceMapping{"a": outside}, "old directory is not an absolute path"},
		{"a new one that is not absolute", rewind.TablespaceMapping{"/a": "b"}, "new directory is not an absolute path"},
		{"the data directory", rewind.TablespaceMapping{"/a": data}, "outside the data directory"},
		{"one in the data directory", rewind.TablespaceMapping{"/a": filepath.Join(data, "x")}, "outside the data directory"},
		{"one that holds the data directory", rewind.TablespaceMapping{"/a": dir}, "outside the data directory"},
		{"one for two", rewind.TablespaceMapping{"/a": outside, "/b": outside}, "cannot use one directory"},
		{"one in that of another", rewind.TablespaceMapping{"/a": outside, "/b": filepath.Join(outside, "b")}, "cannot use one directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: data, TablespaceMapping: c.m})
			assert.ErrorIs(t, err, rewind.ErrOptions)
			assert.ErrorContains(t, err, c.want)
		})
	}
}
