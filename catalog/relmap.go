package catalog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/gorewind/gorewind/heap"
)

// relationMap is a pg_filenode.map (utils/cache/relmapper.c): a magic number, the
// number of relations, the OID and file number of each, unused space, and a CRC. It has
// 512 bytes, from 16 on 524.
const (
	relationMapMagic = 0x592717
	relationMapCRC   = 504 // offset of the CRC in the shorter map
	relationMapCRC16 = 520 // offset of the CRC in the longer map
)

func parseRelationMap(b []byte) (map[uint32]uint32, error) {
	at := relationMapCRC
	if len(b) > relationMapCRC16 {
		at = relationMapCRC16
	}
	if len(b) < at+4 || binary.LittleEndian.Uint32(b) != relationMapMagic {
		return nil, fmt.Errorf("a relation map of %d bytes: %w", len(b), heap.ErrCorrupt)
	}
	if crc32.Checksum(b[:at], crc32.MakeTable(crc32.Castagnoli)) != binary.LittleEndian.Uint32(b[at:]) {
		return nil, fmt.Errorf("a relation map with a wrong checksum: %w", heap.ErrCorrupt)
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if n > uint32(at-8)/8 {
		return nil, fmt.Errorf("a relation map of %d relations: %w", n, heap.ErrCorrupt)
	}
	files := make(map[uint32]uint32, n)
	for i := range n {
		files[binary.LittleEndian.Uint32(b[8+8*i:])] = binary.LittleEndian.Uint32(b[12+8*i:])
	}
	return files, nil
}

// relationMap reads the relation map of a database's directory, or of the shared
// catalogs.
func (c *Cluster) relationMap(dir string, database uint32) (map[uint32]uint32, error) {
	if c.newer != nil {
		if b := c.newer.RelationMap(database); b != nil {
			return parseRelationMap(b)
		}
	}
	path := dir + "/pg_filenode.map"
	f, err := c.files.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, 1<<16))
	if err != nil {
		return nil, err
	}
	m, err := parseRelationMap(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}
