package walreader_test

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// fuzzFormat has the smallest pages, to keep inputs small.
func fuzzFormat(version string) walreader.Format {
	f := waltest.Format(version)
	f.Geometry.WALBlockSize, f.Geometry.BlockSize = 1<<10, 1<<10
	return f
}

// FuzzReader takes bytes for the beginning of a segment.
func FuzzReader(f *testing.F) {
	for i, v := range pgdata.Versions() {
		w := waltest.NewBuilder(fuzzFormat(v.Name))
		w.Checkpoint(0, w.Pos()+40)
		w.Add(waltest.Insert(waltest.HeapTable, 1))
		w.Abandon(waltest.Message(2000), 1)
		w.TLI++
		w.Add(waltest.Message(1000))
		w.Add(waltest.Record{Rmgr: 10, Blocks: []waltest.Block{{Locator: waltest.HeapTable, Image: make([]byte, 1<<10)}}})
		f.Add(byte(i), w.Buf)
	}
	f.Add(byte(3), []byte{})
	file := make([]byte, 1<<20)
	f.Fuzz(func(t *testing.T, version byte, data []byte) {
		versions := pgdata.Versions()
		format := fuzzFormat(versions[int(version)%len(versions)].Name)
		clear(file[copy(file, data):])
		segs := &waltest.Segments{Format: format, Files: map[pgdata.SegNo][]byte{1: file}}
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
			ending, err := walreader.EndOfWAL(ctx, segs, format, last.LSN)
			require.NoError(t, err)
			require.Equal(t, last.LSN, ending.Last)
			require.Error(t, ending.Why)
			at, same, err := walreader.FirstDifference(ctx, segs, segs, format, start, last.End)
			require.NoError(t, err)
			require.True(t, same)
			require.Equal(t, last.End, at)
			stretch, err := walreader.Read(ctx, segs, format, walreader.ReadRequest{From: last.LSN, To: last.End, Jobs: 2})
			require.NoError(t, err)
			require.Equal(t, int64(1), stretch.Records)
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
		require.Zero(t, segs.Open)
	})
}

// FuzzRecord takes bytes for one record, whose length, link and CRC are made good.
func FuzzRecord(f *testing.F) {
	for i, v := range pgdata.Versions() {
		for _, s := range []waltest.Record{
			waltest.Insert(waltest.HeapTable, 1),
			waltest.Message(300),
			{Rmgr: 1, TopXID: 7, Origin: 3, Main: make([]byte, 20)},
			{Main: make([]byte, v.WAL.CheckPointSize)},
			{Rmgr: 10, Blocks: []waltest.Block{{Locator: waltest.HeapTable, Image: make([]byte, 1<<10)}, {ID: 1, Flags: 0x80, Data: []byte{1}}}},
			{Rmgr: 10, Blocks: []waltest.Block{{Locator: waltest.HeapTable, Image: make([]byte, 100), Hole: 40, HoleLen: 100, Info: v.WAL.ImageCompressed | 1}}},
		} {
			f.Add(byte(i), s.Encode(v))
		}
	}
	f.Fuzz(func(t *testing.T, version byte, data []byte) {
		if len(data) < 24 || len(data) > 500_000 {
			return
		}
		versions := pgdata.Versions()
		w := waltest.NewBuilder(fuzzFormat(versions[int(version)%len(versions)].Name))
		w.Add(waltest.Record{Rmgr: data[17], Info: data[16], XID: binary.LittleEndian.Uint32(data[4:]), Body: data[24:]})
		rec, err := walreader.NewReader(w.Segments(), w.Format).ReadRecord(context.Background(), w.Start)
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
		saidBy(w.Format, rec)
		_ = w.Format.CheckSpecial(rec)
	})
}
