package catalog

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/pgdata"
)

// mapFile returns a relation map of a given size before its CRC.
func mapFile(n uint32, size int) []byte {
	b := make([]byte, size)
	binary.LittleEndian.PutUint32(b, relationMapMagic)
	binary.LittleEndian.PutUint32(b[4:], n)
	binary.LittleEndian.PutUint32(b[8:], 1259)
	binary.LittleEndian.PutUint32(b[12:], 16400)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

func TestRelationMaps(t *testing.T) {
	for _, b := range [][]byte{append(mapFile(1, relationMapCRC), 0, 0, 0, 0), mapFile(1, relationMapCRC16)} {
		m, err := parseRelationMap(b)
		require.NoError(t, err)
		assert.Equal(t, map[uint32]uint32{1259: 16400}, m)
		b[12]++
		_, err = parseRelationMap(b)
		require.ErrorIs(t, err, heap.ErrCorrupt, "a wrong checksum")
	}
	for _, b := range [][]byte{nil, mapFile(1, relationMapCRC16)[:500], mapFile(65, relationMapCRC16), make([]byte, 524)} {
		_, err := parseRelationMap(b)
		require.ErrorIs(t, err, heap.ErrCorrupt)
	}
}

func TestEveryMajorHasColumnsOfPgAttribute(t *testing.T) {
	for _, v := range pgdata.Versions() {
		names := map[string]bool{}
		for _, c := range columnsFor(v) {
			require.NotZero(t, c.Len, "%s: %s", v, c.name)
			names[c.name] = true
		}
		for _, name := range []string{"attrelid", "attname", "atttypid", "attlen", "attnum", "attalign", "attisdropped"} {
			assert.True(t, names[name], "%s: %s", v, name)
		}
	}
}

func FuzzParseRelationMap(f *testing.F) {
	f.Add(mapFile(1, relationMapCRC16))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = parseRelationMap(b) })
}

// Whatever an index page contains, the result is a child page or an error.
func FuzzIndexPage(f *testing.F) {
	f.Add(make([]byte, 8192), uint32(7))
	f.Fuzz(func(_ *testing.T, b []byte, id uint32) {
		n := node{Page: heap.Page(b), next: 1}
		if len(b) != 8192 || n.Check() != nil || n.IsNew() {
			return
		}
		_, _, _ = n.child(id)
		for i := 1; i <= n.Items(); i++ {
			item, err := itemOf(n.Page, uint16(i))
			if err == nil && len(item) >= 8 {
				_, _ = appendPlaces(nil, item)
				_, _ = key(item, true)
			}
		}
	})
}
