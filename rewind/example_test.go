package rewind_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source/pgsource"
)

// A failover manager brings the old primary back.
func Example() {
	ctx := context.Background()
	src, err := pgsource.Open(ctx, "host=new-primary user=rewind_user dbname=postgres", pgsource.Options{})
	if err != nil {
		slog.Error("the new primary cannot be reached", "error", err)
		return
	}
	defer src.Close()

	r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: "/var/lib/postgresql/17/main", Source: src})
	if err != nil {
		slog.Error("no rewind is possible", "error", err)
		return
	}
	defer r.Close()

	plan := r.Plan()
	if !plan.Required {
		fmt.Println("the server can follow as it is:", plan.Reason)
		return
	}
	fmt.Printf("parted at %s on timeline %d, %d bytes to fetch\n",
		plan.Version.FormatLSN(plan.Divergence), plan.DivergenceTimeline, plan.Files.FetchBytes())

	var failed *rewind.Error
	if err := r.Apply(ctx); errors.As(err, &failed) {
		switch {
		case failed.BaseBackupNeeded():
			slog.Error("take a base backup", "error", err)
		case failed.TargetUntouched:
			slog.Error("nothing was changed, try again", "phase", failed.Phase, "error", err)
		default:
			slog.Error("run the rewind again, the target does not start before", "error", err)
		}
	}
}
