package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
)

// progress shows how far the rewind is: one changing line on a terminal,
// pg_rewind's plain lines elsewhere.
type progress struct {
	out      *messages
	original bool // print only the lines that pg_rewind prints
	mu       sync.Mutex
	shown    bool // the terminal's last line is ours
	tty      bool
	now      func() time.Time
	told     time.Time // when a line not about copying was last written
	activity rewind.Activity
	began    time.Time // when that activity, or the step before it, was first reported
}

// seldom is the time between two lines not about copying, where lines are not overwritten.
const seldom = 5 * time.Second

func newProgress(out *messages) *progress {
	p := &progress{out: out, original: out.name == originalName, tty: isTerminal(out.w), now: time.Now}
	out.before = p.clear
	return p
}

func (p *progress) report(r rewind.Progress) {
	if r.Step != "" || r.Activity != p.activity && p.activity != "" || p.began.IsZero() {
		p.began = p.now()
	}
	p.activity = r.Activity
	if r.Step != "" {
		slog.New(p.out).Info(r.Step)
		return
	}
	switch {
	case p.out.json != nil:
		p.out.json.Info("progress", "phase", r.Phase, "done_bytes", r.DoneBytes, "differing_bytes", r.Differing, "total_bytes", r.TotalBytes,
			"done_files", r.DoneFiles, "total_files", r.TotalFiles, "bytes_per_second", bytesPerSecond(&r),
			"remaining_seconds", int64(r.Remaining.Seconds()), "waiting_seconds", int64(r.Waiting.Seconds()), "activity", r.Activity)
	case p.tty:
		p.mu.Lock()
		defer p.mu.Unlock()
		_, _ = io.WriteString(p.out.w, "\r\x1b[K"+inOneLine(p.line(&r), widthOf(p.out.w)))
		p.shown = true
	case r.Activity == rewind.Copying:
		p.out.block(p.out.time() + p.copied(&r) + "\n")
	case !p.original && p.now().Sub(p.told) >= seldom:
		p.told = p.now()
		slog.New(p.out).Info(p.line(&r))
	}
}

func bytesPerSecond(r *rewind.Progress) int64 {
	if countsFiles(r) {
		return 0
	}
	return r.Rate
}

func countsFiles(r *rewind.Progress) bool {
	return r.DoneBytes == 0 && r.TotalBytes == 0 && r.DoneFiles > 0
}

// copied is pg_rewind's line, followed by gorewind's additions.
func (p *progress) copied(r *rewind.Progress) string {
	const kB = 1024
	percent := int64(100)
	if r.TotalBytes > 0 {
		percent = min(100, 100*r.DoneBytes/r.TotalBytes)
	}
	line := fmt.Sprintf("%*d/%d kB (%d%%) copied", len(fmt.Sprint(r.TotalBytes/kB)), r.DoneBytes/kB, r.TotalBytes/kB, percent)
	if more := pace(r); more != "" && !p.original && r.DoneBytes < r.TotalBytes {
		line += ", " + more
	}
	return line
}

// line shows how far an activity is, as in "copying: 45%, 1.2 GB of 2.6 GB, 110 MB/s, 13 s left".
func (p *progress) line(r *rewind.Progress) string {
	var parts []string
	done, total := r.DoneBytes, r.TotalBytes
	amount := report.Bytes
	share := func(done, total int64) string { return report.Bytes(done) + " of " + report.Bytes(total) }
	if countsFiles(r) {
		done, total = int64(r.DoneFiles), int64(r.TotalFiles)
		amount = func(n int64) string { return report.Count(n, "file") }
		share = func(done, total int64) string { return fmt.Sprintf("%d of %s", done, report.Count(total, "file")) }
	}
	switch {
	case total > 0:
		parts = append(parts, fmt.Sprintf("%d%%", min(100, int64(100*float64(done)/float64(total)))), share(min(done, total), total))
	case done > 0:
		parts = append(parts, amount(done))
	}
	if r.Activity == rewind.ComparingFiles && r.DoneBytes > 0 {
		parts = append(parts, report.Bytes(r.Differing)+" differ")
	}
	// Without a rate, the time that passed shows that it is still going on: a system call
	// that makes a whole file system durable says nothing until it returns.
	more := pace(r)
	if passed := p.now().Sub(p.began); more == "" && passed >= time.Second {
		more = "for " + inSeconds(passed)
	}
	if more != "" {
		parts = append(parts, more)
	}
	if len(parts) == 0 {
		return string(r.Activity)
	}
	return string(r.Activity) + ": " + strings.Join(parts, ", ")
}

// pace is the rate and the time left. In an outage it is how long the source
// has been lost, because the earlier rate means nothing then.
func pace(r *rewind.Progress) string {
	if r.Waiting > 0 {
		return fmt.Sprintf("source lost for %s, waiting for it", inSeconds(r.Waiting))
	}
	if r.Rate <= 0 {
		return ""
	}
	rate := report.Bytes(r.Rate) + "/s"
	if countsFiles(r) {
		rate = report.Count(r.Rate, "file") + "/s"
	}
	if r.Remaining > 0 {
		rate += ", " + inSeconds(r.Remaining) + " left"
	}
	return rate
}

func inSeconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// inOneLine cuts text to the width of the terminal, so that it does not wrap.
func inOneLine(s string, width int) string {
	if len(s) < width {
		return s
	}
	return s[:max(width-1, 0)]
}

// clear erases the line from the terminal, and the echo of keys such as ^C.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		_, _ = io.WriteString(p.out.w, "\r\x1b[K")
		p.shown = false
	}
}

// close erases the line for good.
func (p *progress) close() { p.clear() }
