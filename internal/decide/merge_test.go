package decide_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/pgdata"
)

func TestListingsAreMergedByPath(t *testing.T) {
	list := func(files ...pgdata.FileInfo) *decide.Listing {
		l := new(decide.Listing)
		for _, f := range files {
			require.NoError(t, l.Add(f))
		}
		return l
	}
	link := pgdata.FileInfo{Path: "base/link", Type: pgdata.Symlink, Link: "there"}
	absent := func(p string) pgdata.FileInfo { return pgdata.FileInfo{Path: p} }
	type sides [2]pgdata.FileInfo
	for _, c := range []struct {
		name string
		a, b *decide.Listing
		want []sides
	}{
		{"both empty", list(), list(), nil},
		{"one empty", list(file("a", 1)), list(), []sides{{file("a", 1), absent("a")}}},
		{"the other empty", list(), list(file("a", 1)), []sides{{absent("a"), file("a", 1)}}},
		{
			"listings in any order", list(file("base/2", 1), dir("base"), link, file("x", 5), file("base/1", 7)),
			list(file("y", 6), file("base/1", 8), link, dir("base"), file("global/1", 0)),
			[]sides{
				{dir("base"), dir("base")},
				{file("x", 5), absent("x")},
				{absent("y"), file("y", 6)},
				{file("base/1", 7), file("base/1", 8)},
				{file("base/2", 1), absent("base/2")},
				{link, link},
				{absent("global/1"), file("global/1", 0)},
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []sides
			for a, b := range decide.Merge(c.a, c.b) {
				got = append(got, sides{a, b})
			}
			assert.Equal(t, c.want, got)
			for range decide.Merge(c.a, c.b) {
				break // the iterator must stop, too
			}
		})
	}
}
