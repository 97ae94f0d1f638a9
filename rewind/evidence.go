package rewind

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/report"
)

// Resync says what Prepare does if the target's WAL does not show what differs.
type Resync string

// The ways to resync.
const (
	// NoResync refuses such a target, as pg_rewind does.
	NoResync Resync = ""
	// ResyncIfNeeded takes the cheapest kind of evidence that is available.
	ResyncIfNeeded Resync = "auto"
	// ResyncChanges copies what either side changed, so that recovery need not replay it,
	// and compares all files if the changes are not known.
	ResyncChanges Resync = "changes"
	// ResyncCompare compares all files, regardless of WAL.
	ResyncCompare Resync = "compare"
)

// ParseResync parses "auto", "changes" and "compare".
func ParseResync(s string) (Resync, error) {
	switch r := Resync(s); r {
	case ResyncIfNeeded, ResyncChanges, ResyncCompare:
		return r, nil
	}
	return NoResync, fmt.Errorf("unrecognized way to resync: %s (choose from: %s, %s, %s)", s, ResyncIfNeeded, ResyncChanges, ResyncCompare)
}

// PassedOver is a kind of evidence that could not be used, and why.
type PassedOver struct {
	Evidence  report.Evidence
	Condition Condition
	Reason    string // for people, in one line
}

// analyze finds what differs and decides what to do with every file, by the cheapest
// evidence that is allowed and available. earlier is what an interrupted rewind in
// place knew.
func (r *Rewind) analyze(ctx context.Context, a *analyzer, s sides, earlier *Plan) error {
	r.plan = &Plan{Version: a.version, Target: s.target, Source: s.source}
	if err := a.checkSource(s.source); err != nil {
		return err
	}
	err := r.firstOf(ctx, a, r.ways(s, earlier), s, earlier)
	if r.opts.Resync == NoResync && judge(err).resync {
		e := &Explained{Err: err}
		if outer, is := err.(*Explained); is { //nolint:errorlint // errors inside add their hints later
			*e = *outer
		}
		e.Hint = strings.TrimSpace(e.Hint + " " + a.offerResync(ctx))
		err = e
	}
	return err
}

// offerResync says how much a resync would read.
func (a *analyzer) offerResync(ctx context.Context) string {
	var sum int64
	files := 0
	for f, err := range a.source.Files(ctx) {
		if files++; err != nil || f.Size < 0 || f.Size > math.MaxInt64-sum || files > allFiles { // no honest source lists that
			return "Or resync it (Options.Resync)."
		}
		if _, isWAL := a.version.InWALDir(f.Path); !isWAL {
			sum += f.Size
		}
	}
	return fmt.Sprintf("Or resync it (Options.Resync), which reads at most %s on each side.", report.Bytes(sum))
}

// way is an analysis by one kind of evidence, which fills a plan.
type way struct {
	evidence report.Evidence
	analyze  func(ctx context.Context, a *analyzer, s sides, p, earlier *Plan) error
}

// ways returns the analyses that may be tried, cheapest first.
func (r *Rewind) ways(s sides, earlier *Plan) []way {
	wal, changes, comparison := way{report.ByWAL, r.byWAL}, way{report.ByChanges, r.byChanges}, way{report.ByComparison, r.byComparison}
	switch {
	case r.opts.Resync == NoResync && (earlier == nil || earlier.Evidence == report.ByWAL):
		return []way{wal}
	case r.opts.Resync == ResyncCompare, s.target.Unknown, earlier != nil && earlier.Evidence != report.ByWAL:
		return []way{comparison}
	case earlier != nil && r.opts.Resync == ResyncChanges:
		return []way{comparison}
	case earlier != nil: // no WAL shows what the interrupted rewind wrote
		return []way{wal, comparison}
	case r.opts.Resync == ResyncChanges:
		return []way{changes, comparison}
	}
	return []way{wal, changes, comparison}
}

// firstOf uses the first way that leads to a plan.
func (r *Rewind) firstOf(ctx context.Context, a *analyzer, ways []way, s sides, earlier *Plan) error {
	for i, way := range ways {
		was := r.plan
		r.plan = &Plan{Version: a.version, Target: s.target, Source: s.source, Evidence: way.evidence, PassedOver: was.PassedOver, RecoversFirst: was.RecoversFirst}
		if was.Scan.Records > 0 { // what is lost is the same whatever the evidence
			r.plan.Scan, r.plan.Lost, r.plan.Divergence, r.plan.DivergenceTimeline = was.Scan, was.Lost, was.Divergence, was.DivergenceTimeline
		}
		err := way.analyze(ctx, a, s, r.plan, earlier)
		if err == nil || i == len(ways)-1 || !judge(err).resync {
			return err
		}
		r.passOver(err)
	}
	return nil
}

// passOver records why the plan's evidence cannot be used.
func (r *Rewind) passOver(err error) {
	reason := reasonOf(err)
	r.log.Info(fmt.Sprintf("what differs cannot be found out by %s: %s", r.plan.Evidence.Words(), reason),
		"evidence", r.plan.Evidence, "condition", judge(err).condition, "reason", reason)
	r.plan.PassedOver = append(r.plan.PassedOver, PassedOver{r.plan.Evidence, judge(err).condition, reason})
}

// reasonOf returns an error's text without hints, which no longer apply.
func reasonOf(err error) string {
	d := documentError(err)
	if len(d.Details) == 0 {
		return d.Message
	}
	return d.Message + " (" + strings.TrimSuffix(strings.Join(d.Details, " "), ".") + ")"
}

// resyncInstead starts over with the next kind of evidence, if only the WAL that came
// from the source showed that recovery would go wrong. Nothing has been changed yet.
func (r *Rewind) resyncInstead(ctx context.Context, err error) error {
	p := r.plan
	if r.opts.Resync == NoResync || p.Evidence == report.ByComparison || r.touched || r.analyzer == nil || !judge(err).resync {
		return err
	}
	r.leave(r.failed(err))
	r.passOver(err)
	r.enter(PhaseAnalyze)
	s := sides{p.Target, p.Source}
	ways := r.ways(s, nil)
	next := 1 + slices.IndexFunc(ways, func(w way) bool { return w.evidence == p.Evidence })
	if err := r.firstOf(ctx, r.analyzer, ways[next:], s, nil); err != nil {
		return err
	}
	return r.applyStaged(ctx)
}
