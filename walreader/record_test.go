package walreader_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// readOne builds WAL of one record and reads it.
func readOne(version string, s waltest.Record) (*walreader.Record, error) {
	w := waltest.NewBuilder(waltest.Format(version))
	w.Add(s)
	return walreader.NewReader(w.Segments(), w.Format).ReadRecord(context.Background(), w.Start)
}

// until and since select versions.
func until(name string) func(*pgdata.Version) bool {
	return func(v *pgdata.Version) bool { return v.ServerNum <= pgdata.VersionByName(name).ServerNum }
}

func since(name string) func(*pgdata.Version) bool {
	return func(v *pgdata.Version) bool { return v.ServerNum >= pgdata.VersionByName(name).ServerNum }
}

func all(*pgdata.Version) bool  { return true }
func none(*pgdata.Version) bool { return false }

func TestPageImagesOfEveryVersion(t *testing.T) {
	image := func(length int, hole, holeLen uint16, info uint8) waltest.Block {
		return waltest.Block{Locator: waltest.HeapTable, Block: 9, Image: make([]byte, length), Hole: hole, HoleLen: holeLen, Info: info}
	}
	for _, c := range []struct {
		name  string
		block waltest.Block
		valid func(*pgdata.Version) bool
		apply func(*pgdata.Version) bool
	}{
		{"whole page", image(8192, 0, 0, 0), all, until("9.6")},
		{"with hole", image(8000, 40, 0, 0x01), all, until("9.6")},
		{"apply, 10 to 14", image(8192, 0, 0, 0x04), func(v *pgdata.Version) bool { return since("10")(v) && until("14")(v) }, since("10")},
		{"apply, since 15", image(8192, 0, 0, 0x02), since("15"), all},
		{"pglz, up to 14", image(3000, 0, 0, 0x02), until("14"), until("9.6")},
		{"with hole, pglz up to 14, to apply since 15", image(3000, 40, 192, 0x03), all, func(v *pgdata.Version) bool { return until("9.6")(v) || since("15")(v) }},
		{"with hole, to apply up to 14, pglz since 15", image(3000, 40, 192, 0x05), since("10"), until("14")},
		{"lz4 to apply", image(3000, 0, 0, 0x0A), since("15"), all},
		{"zstd with hole to apply", image(3000, 40, 192, 0x13), since("15"), all},
		{"unknown flag", image(8192, 0, 0, 0x20), none, none},
		{"hole without a flag", image(8000, 40, 0, 0), none, none},
		{"hole offset without a flag", image(8192, 40, 0, 0), none, none},
		{"hole without an offset", image(8000, 0, 0, 0x01), none, none},
		{"hole without a length", image(8192, 40, 0, 0x01), none, none},
		{"hole beyond the page", image(8000, 8100, 0, 0x01), none, none},
		{"compressed hole without a length", image(3000, 40, 0, 0x09), none, none},
		{"compressed hole without an offset", image(3000, 0, 40, 0x11), none, none},
		{"compressed to nothing less", image(8192, 0, 0, 0x08), none, none},
		{"short page that is not compressed", image(8000, 0, 0, 0), none, none},
		{"longer than a page", image(8193, 0, 0, 0), none, none},
	} {
		for _, v := range pgdata.Versions() {
			t.Run(c.name+" in "+v.Name, func(t *testing.T) {
				rec, err := readOne(v.Name, waltest.Record{Rmgr: 10, Blocks: []waltest.Block{c.block}, Main: []byte{1}})
				if !c.valid(v) {
					assert.ErrorIs(t, err, walreader.ErrCorrupt)
					return
				}
				if assert.NoError(t, err) {
					assert.Equal(t, []walreader.BlockRef{
						{Locator: waltest.HeapTable, Block: 9, HasImage: true, Apply: c.apply(v)},
					}, rec.Blocks)
				}
			})
		}
	}
}

func TestRecordBodies(t *testing.T) {
	block := func(id, flags uint8) waltest.Block {
		return waltest.Block{ID: id, Flags: flags, Locator: waltest.HeapTable}
	}
	// A block reference header: id, flags, data length, locator, block.
	header := func(id, flags, length uint8) []byte { return append([]byte{id, flags, length, 0}, make([]byte, 16)...) }
	for _, c := range []struct {
		name  string
		spec  waltest.Record
		valid func(*pgdata.Version) bool
	}{
		{"nothing at all", waltest.Record{Rmgr: 10}, all},
		{"main data of 255 bytes", waltest.Record{Rmgr: 10, Main: make([]byte, 255)}, all},
		{"main data of 256 bytes", waltest.Record{Rmgr: 10, Main: make([]byte, 256)}, all},
		{"origin", waltest.Record{Rmgr: 10, Origin: 1, Main: []byte{1}}, all},
		{"top-level transaction", waltest.Record{Rmgr: 10, TopXID: 1, Main: []byte{1}}, since("14")},
		{"custom resource manager", waltest.Record{Rmgr: 128}, since("15")},
		{"last custom resource manager", waltest.Record{Rmgr: 255}, since("15")},
		{"last resource manager", waltest.Record{Rmgr: 21}, all},
		{"resource manager of the betas of 19", waltest.Record{Rmgr: 22}, none},
		{"resource manager 127", waltest.Record{Rmgr: 127}, none},
		{"block ids with gaps", waltest.Record{Rmgr: 10, Blocks: []waltest.Block{block(0, 0), block(5, 0), block(32, 0)}}, all},
		{"block ids twice", waltest.Record{Rmgr: 10, Blocks: []waltest.Block{block(3, 0), block(3, 0)}}, none},
		{"block ids that go down", waltest.Record{Rmgr: 10, Blocks: []waltest.Block{block(3, 0), block(2, 0)}}, none},
		{"block id 33", waltest.Record{Rmgr: 10, Blocks: []waltest.Block{block(33, 0)}}, none},
		{"fork 4", waltest.Record{Rmgr: 10, Blocks: []waltest.Block{block(0, 4)}}, none},
		{"same relation as before", waltest.Record{Rmgr: 10, Blocks: []waltest.Block{block(0, 0), block(1, 0x80)}}, all},
		{"same relation as nothing", waltest.Record{Rmgr: 10, Blocks: []waltest.Block{block(0, 0x80)}}, none},
		{"data flag without data", waltest.Record{Rmgr: 10, Body: header(0, 0x20, 0)}, none},
		{"data without the flag", waltest.Record{Rmgr: 10, Body: append(header(0, 0, 1), 0)}, none},
		{"data", waltest.Record{Rmgr: 10, Body: append(header(0, 0x20, 1), 0)}, all},
		{"data that is missing", waltest.Record{Rmgr: 10, Body: header(0, 0x20, 1)}, none},
		{"too much data", waltest.Record{Rmgr: 10, Body: append(header(0, 0x20, 1), 0, 0)}, none},
		{"main data that is missing", waltest.Record{Rmgr: 10, Body: []byte{255, 2, 0}}, none},
		{"more main data than a record can hold", waltest.Record{Rmgr: 10, Body: []byte{254, 255, 255, 255, 255, 0}}, none},
		{"short main data header cut off", waltest.Record{Rmgr: 10, Body: []byte{255}}, none},
		{"long main data header cut off", waltest.Record{Rmgr: 10, Body: []byte{254, 0, 0, 0}}, none},
		{"origin cut off", waltest.Record{Rmgr: 10, Body: []byte{253, 0}}, none},
		{"top-level transaction cut off", waltest.Record{Rmgr: 10, Body: []byte{252, 0, 0}}, none},
		{"block header cut off", waltest.Record{Rmgr: 10, Body: header(0, 0, 0)[:3]}, none},
		{"locator cut off", waltest.Record{Rmgr: 10, Body: header(0, 0, 0)[:15]}, none},
		{"block number cut off", waltest.Record{Rmgr: 10, Body: header(0, 0, 0)[:19]}, none},
		{"image header cut off", waltest.Record{Rmgr: 10, Body: []byte{0, 0x10, 0, 0, 0, 0, 0, 0}}, none},
		{"hole length cut off", waltest.Record{Rmgr: 10, Body: []byte{0, 0x10, 0, 0, 1, 0, 1, 0, 5}}, none},
		{"checkpoint of no version's size", waltest.Record{Main: make([]byte, 84)}, none},
		{"overwriting record without its time", waltest.Record{Info: 0xD0, Main: make([]byte, 8)}, none},
	} {
		for _, v := range pgdata.Versions() {
			t.Run(c.name+" in "+v.Name, func(t *testing.T) {
				_, err := readOne(v.Name, c.spec)
				if c.valid(v) {
					assert.NoError(t, err)
				} else {
					assert.ErrorIs(t, err, walreader.ErrCorrupt)
				}
			})
		}
	}
}

func TestSpecialRecords(t *testing.T) {
	for _, c := range []struct {
		name       string
		rmgr, info uint8
		size       int
		known      func(*pgdata.Version) bool
	}{
		{"insert, not special", 10, 0x00, 0, all},
		{"insert", 10, 0x01, 0, none},
		{"custom resource manager", 128, 0x01, 0, none},
		{"storage create", 2, 0x11, 16, all},
		{"storage create of another size", 2, 0x11, 17, none},
		{"storage truncate", 2, 0x21, 20, all},
		{"storage truncate of another size", 2, 0x21, 16, none},
		{"other storage record", 2, 0x31, 0, none},
		{"database create", 4, 0x01, 0, all},
		{"database drop up to 14, create by WAL since 15", 4, 0x11, 0, all},
		{"database drop since 15", 4, 0x21, 0, since("15")},
		{"database create by WAL, never special", 4, 0x10, 0, all},
		{"commit", 1, 0x01, 0, since("14")},
		{"commit with extra information", 1, 0x81, 0, since("14")},
		{"abort", 1, 0x21, 0, since("14")},
		{"commit prepared", 1, 0x31, 0, since("14")},
		{"abort prepared", 1, 0xC1, 0, since("14")},
		{"prepare", 1, 0x11, 0, none},
		{"assignment", 1, 0x51, 0, none},
		{"commit, not special", 1, 0x80, 0, all},
		{"tablespace drop", 5, 0x11, 0, none},
		{"checkpoint", 0, 0x11, 0, none},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, v := range pgdata.Versions() {
				err := waltest.Format(v.Name).CheckSpecial(&walreader.Record{LSN: 0x28, Rmgr: c.rmgr, Info: c.info, MainData: make([]byte, c.size)})
				if c.known(v) {
					assert.NoError(t, err, v.Name)
					continue
				}
				var unknown *walreader.UnknownRecordError
				if assert.ErrorAs(t, err, &unknown, v.Name) {
					assert.Equal(t, []any{pgdata.LSN(0x28), c.rmgr, c.info}, []any{unknown.LSN, unknown.Rmgr, unknown.Info})
				}
			}
		})
	}
	err := waltest.Format("19").CheckSpecial(&walreader.Record{LSN: 0x28, Rmgr: 200, Info: 0x31})
	assert.EqualError(t, err, "WAL record modifies a relation, but record type is not recognized: "+
		"lsn: 0/00000028, rmid: 200, rmgr: custom, info: 31")
}

func TestResourceManagerNames(t *testing.T) {
	assert.Equal(t, []string{"XLOG", "Heap", "LogicalMessage", "custom"},
		slices.Collect(func(yield func(string) bool) {
			for _, id := range []uint8{0, 10, 21, 128} {
				if !yield(walreader.RmgrName(id)) {
					return
				}
			}
		}))
}
