package walreader_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// walDir opens the segments of one timeline in a WAL directory.
type walDir struct {
	dir      string
	tli      pgdata.TimelineID
	geometry pgdata.Geometry
}

func (d walDir) OpenSegment(_ context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	return os.Open(filepath.Join(d.dir, d.geometry.WALFileName(d.tli, s)))
}

// exampleCluster creates a WAL directory. The format would come from the control
// file, start and fork from timeline histories.
func exampleCluster() (segs walreader.Segments, f walreader.Format, start, fork, end pgdata.LSN, cleanup func()) {
	w := waltest.NewBuilder(waltest.Format("17"))
	w.Checkpoint(0x00, w.Pos()+40)
	w.Add(waltest.Insert(waltest.HeapTable, 0))
	fork = w.Add(waltest.Insert(waltest.HeapTable, 1)).LSN
	end = w.Add(waltest.Record{Rmgr: 1, XID: 700, Main: make([]byte, 8)}).End
	dir, err := os.MkdirTemp("", "wal")
	if err != nil {
		log.Fatal(err)
	}
	for s, data := range w.Segments().Files {
		if err := os.WriteFile(filepath.Join(dir, w.Format.Geometry.WALFileName(1, s)), data, 0o600); err != nil {
			log.Fatal(err)
		}
	}
	return walDir{dir, 1, w.Format.Geometry}, w.Format, w.Start, fork, end, func() { _ = os.RemoveAll(dir) }
}

func ExampleReader_Records() {
	segs, format, start, _, _, cleanup := exampleCluster()
	defer cleanup()

	r := walreader.NewReader(segs, format)
	defer func() { _ = r.Close() }()
	for rec, err := range r.Records(context.Background(), start, 0) {
		if errors.Is(err, walreader.ErrEndOfWAL) {
			fmt.Println("end of WAL")
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(rec.LSN, walreader.RmgrName(rec.Rmgr), rec.Length)
		for _, b := range rec.Blocks {
			fmt.Println("  changes block", b.Block, "of", b.Locator)
		}
	}
	// Output:
	// 0/100028 XLOG 114
	// 0/1000A0 Heap 74
	//   changes block 0 of 1663/5/16384
	// 0/1000F0 Heap 74
	//   changes block 1 of 1663/5/16384
	// 0/100140 Transaction 34
	// end of WAL
}

// A server of 17 or later with summarize_wal knows which blocks changed, also where
// the WAL is gone.
func ExampleDir_Summaries() {
	dir, remove := dataDir("17-basic")
	defer remove()
	summaries := os.DirFS(filepath.Join("..", "testdata", "summaries", "17")) // of a server
	if err := os.CopyFS(filepath.Join(dir, "pg_wal", walreader.SummaryDir), summaries); err != nil {
		log.Fatal(err)
	}

	wal, err := walreader.OpenDir(dir)
	if err != nil {
		log.Fatal(err)
	}
	have, err := wal.Summaries()
	if err != nil {
		log.Fatal(err)
	}
	// A history's Stretches says which WAL is wanted.
	first, last := have[0], have[len(have)-1]
	files, err := walreader.CoverSummaries(have, []pgdata.TimelineStretch{{TLI: first.TLI, From: first.Start + 1000, To: last.End}})
	if err != nil {
		log.Fatal(err) // from where on there is none; those before are in files
	}
	var changes pgdata.Changes
	for _, name := range files {
		if err := wal.ReadSummaryChanges(name, nil, &changes); err != nil {
			log.Fatal(err)
		}
	}
	cut := pgdata.RelFileLocator{Tablespace: pgdata.DefaultTablespace, Database: 5, Relation: 16384}
	limit, _ := changes.LimitOf(cut)
	fmt.Println(len(files), "summaries;", changes.Blocks[pgdata.RelSegment{Locator: cut}].Len(), "blocks of", cut, "changed, and all from", limit, "on")
	// Output:
	// 6 summaries; 41 blocks of 1663/5/16384 changed, and all from 23 on
}

// commits is a visitor that counts.
type commits struct{ n int }

func (c *commits) Visit(rec *walreader.Record) {
	if rec.TransactionEvent() == walreader.Commits {
		c.n++
	}
}

func (c *commits) Prepend(earlier walreader.Visitor) { c.n += earlier.(*commits).n }

func ExampleScan() {
	segs, format, _, fork, end, cleanup := exampleCluster()
	defer cleanup()

	res, err := walreader.Scan(context.Background(), segs, format, walreader.ScanRequest{
		Fork: fork, End: end, Visitor: func() walreader.Visitor { return new(commits) },
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("last common checkpoint at", res.Checkpoint.LSN, "on timeline", res.Checkpoint.TLI)
	for file, blocks := range res.Changes.Blocks {
		fmt.Println(file.Path(format.Version), blocks.Len(), "blocks")
	}
	fmt.Println(res.Visitor.(*commits).n, "commit")
	// Output:
	// last common checkpoint at 0/100028 on timeline 1
	// base/5/16384 2 blocks
	// 1 commit
}
