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
