package rows

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/heap/heapwal"
	"github.com/gorewind/gorewind/pgdata"
)

// What a place held before is never reported as what it holds now.
func TestAnUnknownVersionHidesTheOneBefore(t *testing.T) {
	l := pgdata.RelFileLocator{Tablespace: 1663, Database: 5, Relation: 16400}
	at := heapwal.Place{Block: 3, Offset: 2}
	id := blockID{l, 3}
	tuple, err := heap.NewTuple(1, 0, 24, []byte{0, 5, 'x'})
	assert.NoError(t, err)
	for _, c := range []struct {
		name   string
		change func(*versions)
		known  bool
	}{
		{"nothing happens", func(*versions) {}, true},
		{"an unknown row is put there", func(v *versions) { v.put(l, at, nil) }, false},
		{"the page is new", func(v *versions) { v.image(id, nil) }, false},
		{"a record cannot be read", func(v *versions) { v.forget(id) }, false},
		{"the table is truncated", func(v *versions) { v.cut(l, 3) }, false},
		{"the table is truncated after it", func(v *versions) { v.cut(l, 4) }, true},
		{"there is no room", func(v *versions) {
			for b := range pgdata.BlockNumber(100) {
				v.put(l, heapwal.Place{Block: 100 + b, Offset: 1}, make([]byte, 100))
			}
		}, false},
	} {
		v := newVersions(4000, nil)
		v.put(l, at, tuple.Data)
		c.change(v)
		_, known := v.logged(l, at)
		assert.Equal(t, c.known, known, c.name)
		total := 0
		for e := v.recent.Front(); e != nil; e = e.Next() {
			total += e.Value.(*block).size
		}
		assert.Equal(t, total, v.size, "%s: what it takes is counted", c.name)
	}
}
