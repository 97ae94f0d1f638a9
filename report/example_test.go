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
		"error": {"message": "the source did not answer", "condition": "source_unavailable", "action": "retry_with_source", "phase": "stage",
			"target_untouched": true, "retryable": true, "base_backup_needed": false, "exit_status": 1}}`
	var d report.Document
	if err := json.Unmarshal([]byte(printed), &d); err != nil {
		panic(err)
	}
	if d.Error == nil {
		fmt.Println("rewound")
		return
	}
	switch d.Error.Action {
	case report.StepRetry, report.StepRetryWithSource, report.StepResume:
		fmt.Println("try again later:", d.Error.Condition)
	case report.StepFix:
		fmt.Println("call somebody:", d.Error.Hints)
	case report.StepResync:
		fmt.Println("run it with --resync")
	case report.StepBaseBackup:
		fmt.Println("clone it anew")
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
