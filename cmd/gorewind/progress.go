package main

import (
	"fmt"
	"log/slog"
	"sync"

	"github.com/schollz/progressbar/v3"

	"github.com/gorewind/gorewind/rewind"
)

// progress shows how far the rewind is: a bar with rate and remaining time on a
// terminal, pg_rewind's plain lines elsewhere.
type progress struct {
	out *messages
	mu  sync.Mutex               // messages come while the bar is shown
	bar *progressbar.ProgressBar // nil while there is none
	tty bool
}

func newProgress(out *messages) *progress {
	p := &progress{out: out, tty: isTerminal(out.w)}
	out.before = func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.bar != nil {
			_ = p.bar.Clear()
		}
	}
	return p
}

func (p *progress) report(r rewind.Progress) {
	const kB = 1024
	if r.Step != "" {
		p.close()
		slog.New(p.out).Info(r.Step)
		return
	}
	doing, done := "copying", "copied"
	if r.Phase == rewind.Analyze {
		doing, done = "comparing", fmt.Sprintf("compared, %d kB differ", r.Differing/kB)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.out.json != nil:
		p.out.json.Info("progress", "phase", r.Phase, "done_bytes", r.DoneBytes, "differing_bytes", r.Differing, "total_bytes", r.TotalBytes,
			"done_files", r.DoneFiles, "total_files", r.TotalFiles, "bytes_per_second", r.Rate, "remaining_seconds", int64(r.Remaining.Seconds()))
	case p.tty:
		if p.bar == nil {
			p.bar = progressbar.NewOptions64(max(r.TotalBytes, 1),
				progressbar.OptionSetWriter(p.out.w), progressbar.OptionSetDescription(doing),
				progressbar.OptionShowBytes(true), progressbar.OptionShowCount(), progressbar.OptionUseIECUnits(true),
				progressbar.OptionSetPredictTime(true), progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish())
		}
		// Files that grew since they were listed can bring more than was planned.
		_ = p.bar.Set64(min(r.DoneBytes, r.TotalBytes))
	default:
		percent := int64(100)
		if r.TotalBytes > 0 {
			percent = min(100, 100*r.DoneBytes/r.TotalBytes)
		}
		fmt.Fprintf(p.out.w, "%*d/%d kB (%d%%) %s\n", len(fmt.Sprint(r.TotalBytes/kB)), r.DoneBytes/kB, r.TotalBytes/kB, percent, done)
	}
}

// close takes the bar off the terminal.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Finish()
		p.bar = nil
	}
}
