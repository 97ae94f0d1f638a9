package heapwal_test

import (
	"encoding/binary"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/heap/heapwal"
	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

const (
	rmgrHeap  = 10
	rmgrHeap2 = 9
)

// read writes records and reads them back.
func read(t testing.TB, version string, specs ...waltest.Record) (walreader.Format, []walreader.Record) {
	t.Helper()
	w := waltest.NewBuilder(waltest.Format(version))
	for _, s := range specs {
		w.Add(s)
	}
	var records []walreader.Record
	for i := range specs {
		rec, err := walreader.NewReader(w.Segments(), w.Format).ReadRecord(t.Context(), w.Records[i].LSN)
		require.NoError(t, err)
		records = append(records, *rec)
	}
	return w.Format, records
}

// header returns an xl_heap_header of a row with one column, and what follows it.
func header(body ...byte) []byte { return append([]byte{1, 0, 0, 0, 24}, body...) }

// text returns the body of a row with one text.
func text(s string) []byte { return append([]byte{0, byte(len(s)+1)<<1 | 1}, s...) }

func TestInsertionsAndUpdates(t *testing.T) {
	place := func(b, o int) heapwal.Place { return heapwal.Place{Block: pgdata.BlockNumber(b), Offset: uint16(o)} }
	long := "the same beginning, "
	insert := waltest.Record{Rmgr: rmgrHeap, XID: 700, Main: []byte{1, 0, 0}, Blocks: []waltest.Block{
		{Locator: waltest.HeapTable, Block: 7, Data: header(text(long + "old")...)},
	}}
	// An in-page update whose values begin as those of the old version do.
	update := waltest.Record{Rmgr: rmgrHeap, Info: 0x40, XID: 701, Main: []byte{0xBD, 2, 0, 0, 1, 0, 0, 0x20, 0, 0, 0, 0, 2, 0}, Blocks: []waltest.Block{
		{Locator: waltest.HeapTable, Block: 7, Data: append([]byte{byte(len(long) + 1), 0}, header(append([]byte{0}, "new"...)...)...)},
	}}
	remove := waltest.Record{Rmgr: rmgrHeap, Info: 0x10, XID: 702, Main: []byte{0xBE, 2, 0, 0, 2, 0, 1, 0}, Blocks: []waltest.Block{
		{Locator: waltest.HeapTable, Block: 7},
	}}
	two := []byte{}
	for _, s := range []string{"a", "bc"} {
		two = append(two, make([]byte, len(two)%2)...)
		two = binary.LittleEndian.AppendUint16(two, uint16(len(text(s))))
		two = append(append(two, 1, 0, 0, 0, 24), text(s)...)
	}
	multi := waltest.Record{Rmgr: rmgrHeap2, Info: 0x50, XID: 703, Main: []byte{0, 0, 2, 0, 5, 0, 9, 0}, Blocks: []waltest.Block{
		{Locator: waltest.HeapTable, Block: 8, Data: two},
	}}
	for _, v := range pgdata.Versions() {
		f, records := read(t, v.Name, insert, update, remove, multi)
		d := heapwal.NewDecoder(f)
		changes, err := d.Decode(&records[0])
		require.NoError(t, err)
		require.Len(t, changes, 1)
		assert.Equal(t, heapwal.Insert, changes[0].Op)
		assert.Equal(t, place(7, 1), changes[0].New)
		old, err := changes[0].NewRow.Complete(nil)
		require.NoError(t, err)

		changes, err = d.Decode(&records[1])
		require.NoError(t, err)
		require.Len(t, changes, 1)
		c := changes[0]
		assert.Equal(t, []any{heapwal.Update, place(7, 2), place(7, 1), uint32(701)}, []any{c.Op, c.New, c.Old, c.OldXMax})
		// The header with the value's length is in the common prefix: the length is the same
		// here.
		updated, err := c.NewRow.Complete(&old)
		require.NoError(t, err)
		values, err := updated.Values([]heap.Column{{Len: -1, Align: 'i'}}, nil)
		require.NoError(t, err)
		assert.Equal(t, long+"new", string(values[0].Raw[1:]))

		changes, err = d.Decode(&records[2])
		require.NoError(t, err)
		assert.Equal(t, []any{heapwal.Delete, place(7, 2), uint32(702), true}, []any{changes[0].Op, changes[0].Old, changes[0].OldXMax, changes[0].OldIsMulti})

		changes, err = d.Decode(&records[3])
		require.NoError(t, err)
		require.Len(t, changes, 2)
		assert.Equal(t, []heapwal.Place{place(8, 5), place(8, 9)}, []heapwal.Place{changes[0].New, changes[1].New})
		second, err := changes[1].NewRow.Complete(nil)
		require.NoError(t, err)
		assert.Equal(t, "bc", string(second.Data[25:]))
		op, n := heapwal.Rows(&records[3])
		assert.Equal(t, []any{heapwal.Insert, 2}, []any{op, n})
	}
}

// A record may also refer to blocks of the visibility map.
func TestBlocksOfTheVisibilityMapHaveNoRows(t *testing.T) {
	main := []byte{0xBD, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0}
	same := waltest.Block{Locator: waltest.HeapTable, Block: 7, Data: header(text("new")...)}
	other := waltest.Block{ID: 1, Locator: waltest.HeapTable, Block: 9}
	visible := waltest.Block{ID: 2, Flags: 2, Locator: waltest.HeapTable, Block: 0}
	for _, c := range []struct {
		name   string
		blocks []waltest.Block
		old    pgdata.BlockNumber
	}{
		{"in one page", []waltest.Block{same, visible}, 7},
		{"in two pages", []waltest.Block{same, other, visible}, 9},
	} {
		f, records := read(t, "19", waltest.Record{Rmgr: rmgrHeap, Info: 0x20, XID: 701, Main: main, Blocks: c.blocks})
		changes, err := heapwal.NewDecoder(f).Decode(&records[0])
		require.NoError(t, err, c.name)
		assert.Equal(t, heapwal.Place{Block: c.old, Offset: 1}, changes[0].Old, c.name)
	}
}

// If a record has a page image, the row is taken from it, however it is compressed.
func TestRowsAreFoundInPageImages(t *testing.T) {
	tuple, err := heap.NewTuple(1, 0, 24, text("in the image"))
	require.NoError(t, err)
	page := make(heap.Page, 8192)
	at := len(page) - 40
	copy(page[at:], tuple.Data)
	binary.LittleEndian.PutUint32(page[24:], uint32(at)|1<<15|uint32(len(tuple.Data))<<17)
	binary.LittleEndian.PutUint16(page[12:], 28)
	binary.LittleEndian.PutUint16(page[14:], uint16(at))
	binary.LittleEndian.PutUint16(page[16:], 8192)
	binary.LittleEndian.PutUint16(page[18:], 8192|4)
	packed := make([]byte, lz4.CompressBlockBound(len(page)))
	n, err := lz4.CompressBlock(page, packed, nil)
	require.NoError(t, err)
	encoder, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	for _, c := range []struct {
		name  string
		block waltest.Block
	}{
		{"whole", waltest.Block{Image: page, Info: 0x02}},
		{"with a hole", waltest.Block{Image: append(append([]byte{}, page[:28]...), page[at:]...), Hole: 28, Info: 0x03}},
		{"lz4", waltest.Block{Image: packed[:n], Info: 0x0A}},
		{"zstd", waltest.Block{Image: encoder.EncodeAll(page, nil), Info: 0x12}},
	} {
		c.block.Locator, c.block.Block = waltest.HeapTable, 3
		f, records := read(t, "17", waltest.Record{Rmgr: rmgrHeap, XID: 700, Main: []byte{1, 0, 0}, Blocks: []waltest.Block{c.block}})
		changes, err := heapwal.NewDecoder(f).Decode(&records[0])
		require.NoError(t, err, c.name)
		require.True(t, changes[0].NewRow.Known, c.name)
		row, err := changes[0].NewRow.Complete(nil)
		require.NoError(t, err)
		assert.Equal(t, "in the image", string(row.Data[25:]), c.name)
	}
}

// Whatever a record with a correct checksum contains, the result is changes or an
// error.
func FuzzDecode(f *testing.F) {
	f.Add(uint8(0), false, []byte{1, 0, 0}, header(text("x")...), []byte{})
	f.Add(uint8(0x40), false, make([]byte, 14), header(text("x")...), []byte{})
	f.Add(uint8(0x50), true, []byte{0, 0, 2, 0, 5, 0, 9, 0}, header(text("x")...), []byte{})
	f.Add(uint8(0x10), false, make([]byte, 40), []byte{}, make([]byte, 8192))
	f.Fuzz(func(t *testing.T, info uint8, second bool, main, data, image []byte) {
		if len(main) > 1<<14 || len(data) > 1<<14 || len(image) != 0 && len(image) != 8192 {
			return
		}
		b := waltest.Block{Locator: waltest.HeapTable, Block: 1, Data: data}
		if len(image) > 0 {
			b.Image, b.Info = image, 0x02
		}
		spec := waltest.Record{Rmgr: rmgrHeap, Info: info & 0xF0, XID: 700, Main: main, Blocks: []waltest.Block{b}}
		if second {
			spec.Rmgr = rmgrHeap2
		}
		format, records := read(t, "17", spec)
		changes, err := heapwal.NewDecoder(format).Decode(&records[0])
		if err == nil {
			old, _ := heap.NewTuple(1, 0, 24, text("an older version"))
			for i := range changes {
				_, _ = changes[i].NewRow.Complete(&old)
				_, _ = changes[i].OldRow.Complete(&old)
			}
		}
		redo := heapwal.NewRedo(format, func(pgdata.RelFileLocator) bool { return true })
		if redo.Add(&records[0]) == nil {
			for _, b := range redo.Blocks(waltest.HeapTable) {
				_, _ = redo.Tuples(waltest.HeapTable, b, nil)
			}
		}
		_, _ = heapwal.Rows(&records[0])
	})
}

// If it is not known what was put in a place, what was there before is not reported.
func TestAnUnknownRowHidesTheOneBefore(t *testing.T) {
	at := func(b ...byte) waltest.Block {
		return waltest.Block{Locator: waltest.HeapTable, Block: 7, Data: header(b...)}
	}
	prefixed := at(text("new")...)
	prefixed.Data = append([]byte{1, 0}, prefixed.Data...)
	format, records := read(t, "18",
		waltest.Record{Rmgr: rmgrHeap, XID: 700, Main: []byte{2, 0, 0}, Blocks: []waltest.Block{at(text("gone")...)}},
		// The old version is neither in the WAL nor in an image.
		waltest.Record{Rmgr: rmgrHeap, Info: 0x40, XID: 701, Main: []byte{0xBD, 2, 0, 0, 1, 0, 0, 0x20, 0, 0, 0, 0, 2, 0}, Blocks: []waltest.Block{prefixed}},
	)
	redo := heapwal.NewRedo(format, func(pgdata.RelFileLocator) bool { return true })
	for i := range records {
		require.NoError(t, redo.Add(&records[i]))
	}
	tuples, err := redo.Tuples(waltest.HeapTable, 7, nil)
	require.NoError(t, err)
	assert.Empty(t, tuples)
}
