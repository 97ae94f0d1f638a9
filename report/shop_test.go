package report_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gorewind/gorewind/report"
)

// shopSample is the result of a typical rewind: two databases, a tablespace, some
// thirty files.
func shopSample() *report.Document {
	const mb = 1 << 20
	first, last := noon.Add(-9*time.Minute-12*time.Second), noon.Add(-4*time.Minute)
	relation := func(db uint32, node uint32, kind, name, table string, blocks int64) report.Relation {
		r := report.Relation{Tablespace: 1663, Database: db, FileNode: node, DBName: map[uint32]string{16401: "shop", 16402: "audit"}[db], Blocks: blocks, Schema: "public", Relation: name, RelKind: kind}
		r.Name = kind + " public." + name
		if kind == "index" {
			r.Name += " on public." + table
		}
		return r
	}
	d := &report.Document{
		FormatVersion: 1, Kind: report.Result, Program: "gorewind v1.0.0", Created: noon, BlockSize: 8192,
		Target: &report.Side{
			Name: "/var/lib/postgresql/17/main", Version: "17", SystemIdentifier: "7310000000000000001", State: "shut down", Timeline: 4,
			Checkpoint: "2F4/B3000060", Redo: "2F4/B3000060", EndOfWAL: "2F4/B30000D8",
			History: []report.Period{{Timeline: 3, Begin: "0/0", End: "2E0/11000028"}, {Timeline: 4, Begin: "2E0/11000028"}},
		},
		Source: &report.Side{
			Name: "server on db2.example.org port 5432", Version: "17", SystemIdentifier: "7310000000000000001", State: "in production", Timeline: 5,
			Checkpoint: "2F4/AC004410", Redo: "2F4/AC0043B8",
			History: []report.Period{{Timeline: 3, Begin: "0/0", End: "2E0/11000028"}, {Timeline: 4, Begin: "2E0/11000028", End: "2F4/AB001230"}, {Timeline: 5, Begin: "2F4/AB001230"}},
		},
		Required: true, Divergence: &report.Position{LSN: "2F4/AB001230", Timeline: 4},
		Checkpoint: &report.Checkpoint{LSN: "2F4/A9000108", Redo: "2F4/A90000D0", Timeline: 4},
		WALRead:    &report.WALRead{Records: 1482113, Bytes: 166 * mb, Segments: []report.Segment{}},
		Lost: &report.Lost{
			WALBytes: 127 * mb, Committed: 4211, Prepared: 1, Aborted: 19, FirstCommit: &first, LastCommit: &last,
			Relations: []report.Relation{
				withRows(relation(16401, 16420, "table", "orders", "", 9120), 12_408, 833, 2), relation(16401, 16427, "index", "orders_pkey", "orders", 2204),
				relation(16401, 16433, "table", "order_lines", "", 1871), withRows(relation(16402, 16512, "table", "events", "", 902), 7, 0, 0),
				relation(16401, 16440, "index", "order_lines_order_id_idx", "order_lines", 455), relation(16401, 16451, "table", "customers", "", 37),
				{Tablespace: 1663, Database: 16401, FileNode: 1249, DBName: "shop", Name: "table pg_catalog.pg_attribute", Schema: "pg_catalog", Relation: "pg_attribute", RelKind: "table", Blocks: 6},
				{Tablespace: 1664, FileNode: 1262, Name: "table pg_catalog.pg_database", Schema: "pg_catalog", Relation: "pg_database", RelKind: "table", Blocks: 1},
			},
			Created: []report.Relation{{Tablespace: 1663, Database: 16401, FileNode: 16733, DBName: "shop"}}, Dropped: []report.Relation{},
			CreatedDatabases: []string{}, DroppedDatabases: []string{}, CreatedTablespaces: []report.Tablespace{}, DroppedTablespaces: []string{}, SavedIn: "/var/backups/lost-2026-03-01",
			StillPrepared:       []report.Prepared{{GID: "transfer 4711", Literal: "'transfer 4711'", XID: 88123, Database: 16401, DBName: "shop", Time: noon.Add(-5 * time.Minute)}},
			CommittedByDatabase: []report.DatabaseCommits{{Database: 16401, DBName: "shop", Committed: 4003}, {Database: 16402, DBName: "audit", Committed: 208}},
		},
		Startability: &report.Start{From: "2F4/A90000D0", To: "2F4/AC0045F8"},
		Saved: []report.Saving{
			{Rule: "same content on both sides", Files: 1874, Bytes: 512 * mb},
			{Rule: "WAL that the target has", Files: 9, Bytes: 144 * mb},
			{Rule: "recycled by the source and not yet written", Files: 4, Bytes: 64 * mb},
		},
		Space:    []report.Space{{Directory: "/var/lib/postgresql/17/main", Needed: 181 * mb, Free: 212 << 30}, {Directory: "/mnt/fast/PG_17_202406281", Needed: 4 * mb, Free: 38 << 30}},
		Sync:     "every file that is written (fsync)",
		Warnings: []string{"max_connections = 100 of the target's kept postgresql.conf is less than the source's 200: a standby does not start with it"},
	}
	for _, r := range d.Lost.Relations {
		d.Lost.Blocks += r.Blocks
	}
	for i := range 11 {
		d.WALRead.Segments = append(d.WALRead.Segments, report.Segment{Name: fmt.Sprintf("00000004000002F4%08X", 0xa9+i), Where: "target"})
	}
	for i, where := range []report.Origin{report.InArchive, report.OnTarget, report.OnSource, report.OnSource} {
		d.Startability.Segments = append(d.Startability.Segments, report.Segment{Name: fmt.Sprintf("%08X000002F4%08X", 4+i/2, 0xa9+i), Where: where})
	}
	for i, p := range []report.Phase{{Name: "inspect", Seconds: 0.04}, {Name: "analyze", Seconds: 1.31}, {Name: "stage", Seconds: 4.62}, {Name: "commit", Seconds: 0.38}, {Name: "apply", Seconds: 0.71}} {
		p.Began = noon.Add(time.Duration(i-9) * time.Second)
		d.Phases = append(d.Phases, p)
	}
	shopFiles(d)
	d.Phases[2].Bytes, d.Phases[2].Files, d.FetchedBytes = d.Totals.FetchBytes, d.Totals.Files, d.Totals.FetchBytes
	return d
}

// shopFiles adds the files of the shop and their totals.
func shopFiles(d *report.Document) {
	blocks := func(path string, size int64, runs string) {
		n := int64(0)
		for a, b := range report.BlockRuns(runs) {
			n += b - a + 1
		}
		d.Files = append(d.Files, report.File{Path: path, Type: "file", Kind: "main", Action: "blocks", Reason: "changed on the target", SourceSize: size, TargetSize: size, FetchBytes: n * 8192, Blocks: runs})
	}
	file := func(path, kind string, action report.FileAction, reason string, source, target, fetch int64) {
		d.Files = append(d.Files, report.File{Path: path, Type: "file", Kind: kind, Action: action, Reason: reason, SourceSize: source, TargetSize: target, FetchBytes: fetch})
	}
	many := func(from, step, n, length int) string {
		var runs []string
		for i := range n {
			runs = append(runs, fmt.Sprintf("%d-%d", from+i*step, from+i*step+length-1))
		}
		return strings.Join(runs, " ")
	}
	blocks("base/16401/16420", 1<<30, many(1200, 4000, 31, 90))
	blocks("base/16401/16420.1", 1<<30, "0-63 4100-4199 "+many(110000, 1000, 20, 330))
	blocks("base/16401/16427", 220<<20, many(40, 210, 130, 17))
	blocks("base/16401/16433", 640<<20, "79000-80870")
	blocks("base/16402/16512", 96<<20, "11300-12201")
	blocks("base/16401/16440", 80<<20, many(5, 22, 455, 1))
	blocks("base/16401/16451", 6<<20, "3 17-22 40 41 88-115")
	blocks("base/16401/1249", 512<<10, "51-56")
	blocks("global/1262", 8192, "0")
	blocks("pg_tblspc/16390/PG_17_202406281/16401/16701", 40<<20, "5000-5119")
	file("base/16401/16733", "main", "remove", "not on the source", 0, 344064, 0)
	file("base/16401/16420.2", "main", "copy_tail", "longer on the source", 28<<20, 24<<20, 4<<20)
	for _, node := range []int{16420, 16427, 16433} {
		file(fmt.Sprintf("base/16401/%d_fsm", node), "fsm", "copy", "not described by WAL", 73728, 65536, 73728)
		file(fmt.Sprintf("base/16401/%d_vm", node), "vm", "copy", "not described by WAL", 16384, 16384, 16384)
	}
	for i := range 2 {
		file(fmt.Sprintf("pg_wal/00000005000002F4%08X", 0xab+i), "wal", "copy", "not on the target", 16<<20, 0, 16<<20)
	}
	file("pg_wal/00000005.history", "wal", "copy", "not on the target", 128, 0, 128)
	for i := range 7 {
		file(fmt.Sprintf("pg_wal/00000004000002F4%08X", 0xad+i), "wal", "remove", "not on the source", 0, 16<<20, 0)
	}
	file("pg_xact/02A1", "slru", "copy", "not described by WAL", 262144, 262144, 262144)
	file("pg_multixact/offsets/0007", "slru", "copy", "not described by WAL", 131072, 131072, 131072)
	file("postgresql.conf", "configuration", "none", report.ReasonKept, 29800, 29712, 0)
	file("pg_hba.conf", "configuration", "none", report.ReasonKept, 5711, 5711, 0)
	file("postgresql.auto.conf", "configuration", "copy", "not described by WAL", 412, 88, 412)

	t := &report.Totals{SourceBytes: 61 << 30}
	sums := [4]map[string]report.Total{{}, {}, {}, {}}
	for _, f := range d.Files {
		if f.Action == "none" {
			continue
		}
		t.Files++
		t.FetchBytes += f.FetchBytes
		if f.Action == "remove" {
			t.RemoveBytes += f.TargetSize
		}
		names := []string{f.Kind, "", "", string(f.Action)}
		if r, ok := report.RelationOf(f.Path); ok {
			names[1] = map[uint32]string{0: "global", 16401: "shop", 16402: "audit"}[r.Database]
			names[2] = map[uint32]string{1663: "pg_default", 1664: "pg_global", 16390: "fast"}[r.Tablespace]
		}
		for i, name := range names {
			if name != "" {
				sum := sums[i][name]
				sum.Name, sum.Files, sum.FetchBytes = name, sum.Files+1, sum.FetchBytes+f.FetchBytes
				for a, b := range report.BlockRuns(f.Blocks) {
					sum.Blocks += b - a + 1
				}
				sums[i][name] = sum
			}
		}
	}
	for i, list := range []*report.List[report.Total]{&t.ByKind, &t.ByDatabase, &t.ByTablespace, &t.ByAction} {
		for _, sum := range sums[i] {
			*list = append(*list, sum)
		}
		slices.SortFunc(*list, func(a, b report.Total) int {
			return cmp.Or(cmp.Compare(b.FetchBytes, a.FetchBytes), cmp.Compare(a.Name, b.Name))
		})
	}
	d.Totals = t
}

func withRows(r report.Relation, inserted, updated, deleted int64) report.Relation {
	r.Inserted, r.Updated, r.Deleted = inserted, updated, deleted
	return r
}
