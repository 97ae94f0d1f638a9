package walreader_test

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// fuzzFormat has the smallest pages, to keep inputs small.
func fuzzFormat(version string) walreader.Format {
	f := format(version)
	f.Geometry.WALBlockSize, f.Geometry.BlockSize = 1<<10, 1<<10
	return f
}

// FuzzReader takes bytes for the beginning of a segment.
func FuzzReader(f *testing.F) {
	for i, v := range pgdata.Versions() {
		w := newBuilder(fuzzFormat(v.Name))
		w.checkpoint(0, w.pos()+40)
		w.add(insert(heapTable, 1))
		w.abandon(message(2000), 1)
		w.tli++
		w.add(message(1000))
		w.add(spec{rmgr: 10, blocks: []blockSpec{{locator: heapTable, image: make([]byte, 1<<10)}}})
		f.Add(byte(i), w.buf)
	}
	f.Add(byte(3), []byte{})
	file := make([]byte, 1<<20)
	f.Fuzz(func(t *testing.T, version byte, data []byte) {
		versions := pgdata.Versions()
		format := fuzzFormat(versions[int(version)%len(versions)].Name)
		clear(file[copy(file, data):])
		segs := &memSegments{f: format, files: map[pgdata.SegNo][]byte{1: file}}
		start, end := format.Geometry.SegStart(1), format.Geometry.SegStart(2)
		ctx := context.Background()

		r := walreader.NewReader(segs, format)
		var e *walreader.Error
		last := walreader.Record{End: start}
		for rec, err := range r.Records(ctx, start, 0) {
			if err != nil {
				require.ErrorAs(t, err, &e)
				require.NotEmpty(t, e.Error())
				break
			}
			require.GreaterOrEqual(t, rec.LSN, last.End)
			require.Greater(t, rec.End, rec.LSN)
			require.LessOrEqual(t, rec.End, end)
			require.LessOrEqual(t, len(rec.MainData), len(file))
			last = *rec
		}
		if last.LSN != 0 {
			again, err := r.ReadRecord(ctx, last.LSN)
			require.NoError(t, err)
			require.Equal(t, last.End, again.End)
			limit, err := walreader.LastRecordEnd(ctx, segs, format, last.End)
			require.NoError(t, err)
			require.Equal(t, last.End, limit)
		}
		for _, from := range []pgdata.LSN{start, start + 1<<10, start + 3000} {
			if _, err := r.FindNextRecord(ctx, from); err != nil {
				require.ErrorAs(t, err, &e)
			}
		}
		if _, err := walreader.LastRecordEnd(ctx, segs, format, end); err != nil {
			require.ErrorAs(t, err, &e)
		}
		res, err := walreader.Scan(ctx, segs, format, walreader.ScanRequest{Fork: last.LSN, End: last.End, Jobs: 2})
		require.True(t, (res == nil) == (err != nil))
		require.NoError(t, r.Close())
		require.Zero(t, segs.open)
	})
}

// FuzzRecord takes bytes for one record, whose length, link and CRC are made good.
func FuzzRecord(f *testing.F) {
	for i, v := range pgdata.Versions() {
		for _, s := range []spec{
			insert(heapTable, 1),
			message(300),
			{rmgr: 1, topXID: 7, origin: 3, main: make([]byte, 20)},
			{main: make([]byte, v.WAL.CheckPointSize)},
			{rmgr: 10, blocks: []blockSpec{{locator: heapTable, image: make([]byte, 1<<10)}, {id: 1, flags: 0x80, data: []byte{1}}}},
			{rmgr: 10, blocks: []blockSpec{{locator: heapTable, image: make([]byte, 100), hole: 40, holeLen: 100, info: v.WAL.ImageCompressed | 1}}},
		} {
			f.Add(byte(i), s.encode(v))
		}
	}
	f.Fuzz(func(t *testing.T, version byte, data []byte) {
		if len(data) < 24 || len(data) > 500_000 {
			return
		}
		versions := pgdata.Versions()
		w := newBuilder(fuzzFormat(versions[int(version)%len(versions)].Name))
		w.add(spec{rmgr: data[17], info: data[16], xid: binary.LittleEndian.Uint32(data[4:]), body: data[24:]})
		rec, err := walreader.NewReader(w.segments(), w.f).ReadRecord(context.Background(), w.start)
		if err != nil {
			var e *walreader.Error
			require.ErrorAs(t, err, &e)
			require.ErrorIs(t, err, walreader.ErrCorrupt, "a record that was written whole")
			return
		}
		require.LessOrEqual(t, len(rec.MainData), len(data)-24)
		require.LessOrEqual(t, len(rec.Blocks), 33)
		for i, b := range rec.Blocks {
			require.True(t, i == 0 || rec.Blocks[i-1].ID < b.ID)
			require.LessOrEqual(t, b.Fork, pgdata.InitFork)
		}
		rec.Checkpoint()
		_ = w.f.CheckSpecial(rec)
	})
}
