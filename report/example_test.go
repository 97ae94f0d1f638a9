package report_test

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/gorewind/gorewind/report"
)

// A failover manager reads what gorewind --format=json printed.
func Example() {
	printed := `{"format_version": 1, "kind": "error", "program": "gorewind v1", "created": "2026-03-01T12:00:00Z", "required": true,
		"error": {"message": "the source did not answer", "condition": "source_unavailable", "phase": "stage",
			"target_untouched": true, "retryable": true, "base_backup_needed": false, "exit_status": 1}}`
	var d report.Document
	if err := json.Unmarshal([]byte(printed), &d); err != nil {
		panic(err)
	}
	switch e := d.Error; {
	case e == nil:
		fmt.Println("rewound")
	case e.BaseBackupNeeded:
		fmt.Println("clone it anew")
	case e.Retryable:
		fmt.Println("try again later:", e.Condition)
	}
	// Output: try again later: source_unavailable
}

func ExampleText() {
	d := &report.Document{
		FormatVersion: report.FormatVersion, Kind: report.Plan,
		Target: &report.Side{Name: "/data/a", Version: "17", State: "shut down", Timeline: 1},
		Source: &report.Side{Name: "/data/b", Version: "17", State: "shut down", Timeline: 1},
		Reason: "source and target cluster are on the same timeline",
	}
	_ = report.Text(os.Stdout, d, report.Options{Width: report.DefaultWidth})
	// Output:
	// Plan of a rewind
	//   target  /data/a
	//           PostgreSQL 17, shut down, timeline 1
	//   source  /data/b
	//           PostgreSQL 17, shut down, timeline 1
	//   No rewind is required: source and target cluster are on the same timeline.
}

func ExampleSummary() {
	d := &report.Document{
		FormatVersion: report.FormatVersion, Kind: report.Result, Required: true,
		Phases: []report.Phase{{Name: "stage", Seconds: 2.5, Bytes: 9 << 20, Files: 12}, {Name: "apply", Seconds: 0.5}},
		Saved:  []report.Saving{{Rule: "WAL that the target has", Files: 3, Bytes: 48 << 20}},
		Lost:   &report.Lost{Committed: 2, Blocks: 7, Relations: []report.Relation{{Name: "table public.t"}}, WALBytes: 8192},
	}
	_ = report.Summary(os.Stdout, d, report.Options{Width: report.DefaultWidth})
	// Output:
	// The target is rewound and can follow the source.
	//
	// What it took
	//   2.50 s  stage, 9.0 MB of 12 files copied
	//   0.50 s  apply
	//   3.00 s  in all
	//
	// Not copied
	//   48 MB  3 files  WAL that the target has
	//
	// What was lost
	//   2 committed transactions, 7 blocks of 1 relation, 8.0 kB of WAL
}
