package report_test

import (
	"fmt"
	"time"

	"github.com/gorewind/gorewind/report"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// samples are documents of every kind.
func samples() map[string]*report.Document {
	plan := planSample()
	result := planSample()
	result.Kind, result.Created, result.FetchedBytes = report.Result, noon.Add(time.Minute), 9<<20
	result.Phases = append(result.Phases,
		report.Phase{Name: "stage", Began: noon.Add(time.Second), Seconds: 2.5, Bytes: 9 << 20, Files: 12},
		report.Phase{Name: "commit", Began: noon.Add(4 * time.Second), Seconds: 0.25},
		report.Phase{Name: "apply", Began: noon.Add(5 * time.Second), Seconds: 0.5})
	failed := planSample()
	failed.Kind, failed.Lost.SavedIn = report.Failed, ""
	failed.Error = &report.Error{
		Message: "the source did not answer", Condition: "source_unavailable", Phase: "stage", Action: report.StepRetryWithSource, TargetUntouched: true, Retryable: true,
		ExitStatus: 1, Details: []string{"It sent nothing for two minutes."}, Hints: []string{"Check whether it is running."},
	}
	return map[string]*report.Document{
		"plan": plan, "result": result, "failed": failed, "huge": hugeSample(), "shop": shopSample(), "compared": comparedSample(),
		"not_required": {
			FormatVersion: 1, Kind: report.Plan, Program: "gorewind v1", Created: noon, Target: plan.Target, Source: plan.Source,
			Reason: "source and target cluster are on the same timeline",
		},
		"early": {FormatVersion: 1, Kind: report.Failed, Program: "gorewind v1", Created: noon, Error: &report.Error{
			Message: "clusters <script>alert(1)</script> differ", Condition: "no_common_ancestor", Phase: "analyze", Action: report.StepResync, TargetUntouched: true, BaseBackupNeeded: true, ExitStatus: 3,
		}},
		"resumed": {FormatVersion: 1, Kind: report.Result, Program: "gorewind v1", Created: noon, Required: true, Resumes: true, Phases: []report.Phase{{Name: "apply", Began: noon, Seconds: 1}}},
	}
}

func planSample() *report.Document {
	first, last := noon.Add(-2*time.Hour), noon.Add(-time.Hour)
	return &report.Document{
		FormatVersion: 1, Kind: report.Plan, Program: "gorewind v1", Created: noon,
		Target: &report.Side{
			Name: "/var/lib/postgresql/17/main", Version: "17", SystemIdentifier: "7310000000000000001", State: "shut down", Timeline: 1,
			Checkpoint: "0/5000098", Redo: "0/5000098", EndOfWAL: "0/5000110", History: []report.Period{{Timeline: 1, Begin: "0/0"}},
		},
		Source: &report.Side{
			Name: "server on db2.example.org port 5432", Version: "17", SystemIdentifier: "7310000000000000001", State: "in production", Timeline: 2,
			Checkpoint: "0/4000060", Redo: "0/4000028", History: []report.Period{{Timeline: 1, Begin: "0/0", End: "0/3000148"}, {Timeline: 2, Begin: "0/3000148"}},
		},
		Required: true, Divergence: &report.Position{LSN: "0/3000148", Timeline: 1},
		Checkpoint: &report.Checkpoint{LSN: "0/2000080", Redo: "0/2000028", Timeline: 1},
		WALRead: &report.WALRead{Records: 12345, Bytes: 50 << 20, Segments: []report.Segment{
			{Name: "000000010000000000000002", Where: "archive"},
			{Name: "000000010000000000000003", Where: "target"},
			{Name: "000000010000000000000004", Where: "target"},
			{Name: "000000010000000000000005", Where: "target"},
		}},
		Lost: &report.Lost{
			WALBytes: 34 << 20, Committed: 1234, Prepared: 3, Aborted: 7, FirstCommit: &first, LastCommit: &last, Blocks: 5412,
			StillPrepared: []report.Prepared{
				{GID: "open money", Literal: "'open money'", XID: 799, Database: 5, DBName: "shop", Time: last},
				{GID: "caf\ufffd", Literal: `E'caf\xe9'`, XID: 801, Database: 16600, Time: last},
			},
			Messages: 12,
			Relations: []report.Relation{
				{Tablespace: 1663, Database: 5, FileNode: 16384, Name: "table public.orders", DBName: "shop", Blocks: 4000},
				{Tablespace: 1663, Database: 5, FileNode: 16390, Name: "index public.orders_pkey on public.orders", DBName: "shop", Blocks: 1399},
				{Database: 16600, Blocks: 12, Relations: 308},
				{Tablespace: 1663, Database: 5, FileNode: 16500, Blocks: 1},
			},
			Created: []report.Relation{{Tablespace: 1663, Database: 5, FileNode: 16500}}, CreatedMore: 40_000, Dropped: []report.Relation{},
			CreatedDatabases: []string{"16600"}, DroppedDatabases: []string{"old"},
			CreatedTablespaces: []report.Tablespace{{OID: 16599, Location: "/mnt/fast"}, {OID: 16601}}, DroppedTablespaces: []string{"slow"}, SavedIn: "/backup/lost",
		},
		Startability: &report.Start{From: "0/2000028", To: "0/4000110", Segments: []report.Segment{
			{Name: "000000010000000000000002", Where: "archive"}, {Name: "000000020000000000000003", Where: "source"}, {Name: "000000020000000000000004", Where: "source"},
		}},
		WillFollow: new(bool), Following: &report.Following{
			Start: "0/4000000", Timeline: 2, Slot: "db1", Problem: "the server on db2.example.org port 5432 refuses the connection: must be superuser or replication role",
			Advice: `as a superuser, run ALTER ROLE "rewind_user" REPLICATION`,
		},
		Totals: &report.Totals{
			Files: 5, FetchBytes: 9 << 20, RemoveBytes: 8192, SourceBytes: 3 << 30,
			ByKind:       []report.Total{{Name: "main", Files: 3, FetchBytes: 7 << 20, Blocks: 700}, {Name: "wal", Files: 1, FetchBytes: 2 << 20}, {Name: "fsm", Files: 1, FetchBytes: 24576}},
			ByDatabase:   []report.Total{{Name: "shop", Files: 4, FetchBytes: 7 << 20, Blocks: 700}},
			ByTablespace: []report.Total{{Name: "pg_default", Files: 4, FetchBytes: 7 << 20, Blocks: 700}},
			ByAction:     []report.Total{{Name: "blocks", Files: 3, FetchBytes: 7 << 20, Blocks: 700}, {Name: "copy", Files: 2, FetchBytes: 2 << 20}},
		},
		Files: []report.File{
			{Path: "base/5/16390", Type: "file", Kind: "main", Action: "copy_tail", Reason: "longer on the source", SourceSize: 8 << 20, TargetSize: 6 << 20, FetchBytes: 2<<20 + 8192, Blocks: "7"},
			{Path: "base/5/16384", Type: "file", Kind: "main", Action: "blocks", Reason: "changed on the target", SourceSize: 64 << 20, TargetSize: 64 << 20, FetchBytes: 5 << 20, Blocks: "0-99 500-1039"},
			{Path: "postgresql.conf", Type: "file", Kind: "configuration", Action: "none", Reason: report.ReasonKept, TargetSize: 29000},
			{Path: "base/5/16500", Type: "file", Kind: "main", Action: "remove", Reason: "not on the source", TargetSize: 8192},
		},
		Saved:    []report.Saving{{Rule: "WAL that the target has", Files: 3, Bytes: 48 << 20}, {Rule: "same content on both sides", Files: 250, Bytes: 4 << 20}},
		Space:    []report.Space{{Directory: "/var/lib/postgresql/17/main", Needed: 12 << 20, Free: 100 << 30}},
		Sync:     "every file that is written (fsync)",
		Warnings: []string{"recovery will need file \"pg_wal/000000010000000000000002\", which neither side has"},
		Phases:   []report.Phase{{Name: "inspect", Began: noon, Seconds: 0.01}, {Name: "analyze", Began: noon, Seconds: 0.4}},
	}
}

// comparedSample compares all files. One file of orders differs partly, another not at
// all. All blocks of its index are new. customers are the same. Files that only one side
// has, or that belong to no relation, were not compared.
func comparedSample() *report.Document {
	d := planSample()
	d.Evidence, d.Compared, d.Read = report.ByComparison, 2<<30, 2<<30+8192
	d.Because = []report.PassedOver{
		{Evidence: report.ByWAL, Condition: "missing_wal", Reason: "the target's WAL segment 000000010000000000000002 is gone"},
		{Evidence: report.ByChanges, Condition: "unproven", Reason: "no page was changed last by the same record on both sides"},
	}
	d.Divergence, d.Checkpoint, d.WALRead, d.Lost, d.Saved = nil, nil, nil, nil, nil
	d.Startability = &report.Start{From: "0/4000028", To: "0/4000110", Segments: []report.Segment{{Name: "000000020000000000000004", Where: report.OnSource}}}
	const differs, same = "different", "same content on both sides"
	d.Damaged = []report.Damage{{
		Path: "base/5/16384", Count: 2, Blocks: "3 700",
		Relation: &report.Relation{Tablespace: 1663, Database: 5, FileNode: 16384, Name: "table public.orders", DBName: "shop"},
	}}
	d.Named = []report.Relation{
		{Tablespace: 1663, Database: 5, FileNode: 16384, Name: "table public.orders", DBName: "shop"},
		{Tablespace: 1663, Database: 5, FileNode: 16390, Name: "index public.orders_pkey on public.orders", DBName: "shop"},
	}
	d.Files = []report.File{
		{Path: "base/5/16384", Type: "file", Kind: "main", Action: report.ActionBlocks, Reason: differs, SourceSize: 1 << 30, TargetSize: 1 << 30, FetchBytes: 12 * 8192, Blocks: "0-9 700-701"},
		{Path: "base/5/16384.1", Type: "file", Kind: "main", Action: report.ActionNone, Reason: same, SourceSize: 64 << 20, TargetSize: 64 << 20},
		{Path: "base/5/16390", Type: "file", Kind: "main", Action: report.ActionCopyTail, Reason: differs, SourceSize: 3 * 8192, TargetSize: 2 * 8192, FetchBytes: 3 * 8192, Blocks: "0-1"},
		{Path: "base/5/16400", Type: "file", Kind: "main", Action: report.ActionNone, Reason: same, SourceSize: 5 << 20, TargetSize: 5 << 20},
		{Path: "base/5/16410", Type: "file", Kind: "main", Action: report.ActionCopy, Reason: "not on the target", SourceSize: 8192, FetchBytes: 8192},
		{Path: "base/5/16420", Type: "file", Kind: "main", Action: report.ActionRemove, Reason: "not on the source", TargetSize: 8192},
		{Path: "postgresql.conf", Type: "file", Kind: "configuration", Action: report.ActionCopy, Reason: "copied", SourceSize: 29000, TargetSize: 29000, FetchBytes: 29000},
	}
	d.Totals = &report.Totals{
		Files: 5, FetchBytes: 16*8192 + 29000, RemoveBytes: 8192, SourceBytes: 2 << 30,
		ByKind:       []report.Total{{Name: "main", Files: 4, FetchBytes: 16 * 8192, Blocks: 14}, {Name: "configuration", Files: 1, FetchBytes: 29000}},
		ByDatabase:   []report.Total{{Name: "shop", Files: 4, FetchBytes: 16 * 8192, Blocks: 14}},
		ByTablespace: []report.Total{{Name: "pg_default", Files: 4, FetchBytes: 16 * 8192, Blocks: 14}},
		ByAction:     []report.Total{{Name: "blocks", Files: 1, FetchBytes: 12 * 8192, Blocks: 12}, {Name: "copy_tail", Files: 1, FetchBytes: 3 * 8192, Blocks: 2}, {Name: "copy", Files: 2, FetchBytes: 8192 + 29000}},
	}
	d.Warnings = nil
	return d
}

// hugeSample has more of everything than a text should show.
func hugeSample() *report.Document {
	d := planSample()
	for i := range 10_000 {
		d.Files = append(d.Files, report.File{
			Path: fmt.Sprintf("base/5/%d", 20000+i), Type: "file", Kind: "main", Action: "blocks", Reason: "changed on the target",
			SourceSize: 1 << 30, TargetSize: 1 << 30, FetchBytes: int64(i+1) * 8192, Blocks: fmt.Sprintf("%d-%d", i, 2*i),
		})
		d.Lost.Relations = append(d.Lost.Relations, report.Relation{Database: 5, FileNode: uint32(20000 + i), Blocks: 1})
		d.Lost.CreatedDatabases = append(d.Lost.CreatedDatabases, fmt.Sprint(i))
		d.Lost.StillPrepared = append(d.Lost.StillPrepared, report.Prepared{Literal: fmt.Sprintf("'%d'", i), Database: 5})
	}
	return d
}
