package pgsource

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
)

func TestOnlyTablespacesAreLinks(t *testing.T) {
	dirs := []directory{{path: ""}, {path: "base"}, {path: "pg_tblspc"}, {path: "pg_tblspc/16390"}}
	row := func(dir, name, location string) [][]byte {
		return [][]byte{[]byte(dir), []byte(name), []byte("0"), []byte("t"), []byte(location)}
	}
	f, _, err := file(dirs, row("3", "16390", "/space"))
	require.NoError(t, err)
	assert.Equal(t, pgdata.FileInfo{Path: "pg_tblspc/16390", Type: pgdata.Symlink, Link: "/space"}, f)
	f, _, err = file(dirs, row("3", "16390", "pg_tblspc/16390"))
	require.NoError(t, err)
	assert.Equal(t, pgdata.FileInfo{Path: "pg_tblspc/16390", Type: pgdata.Directory}, f, "one that lies in place")
	for _, c := range [][2]string{{"1", "16390"}, {"2", "link"}, {"2", "5"}, {"4", "16390"}, {"3", "link"}, {"3", "016390"}, {"3", "99999999999"}, {"3", "-1"}} {
		_, _, err := file(dirs, row(c[0], c[1], "/space"))
		assert.ErrorContains(t, err, c[1])
	}
}
