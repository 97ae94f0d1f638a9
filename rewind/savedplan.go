package rewind

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"fmt"
	"io"
	"slices"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/lost"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// savedPlan is a plan with what it depends on. It holds for one state of both
// control files.
type savedPlan struct {
	Major                        string
	TargetControl, SourceControl [sha256.Size]byte
	Keep                         []string

	Required                       bool
	Reason                         string
	Divergence                     pgdata.LSN
	DivergenceTimeline             pgdata.TimelineID
	TargetHistory, SourceHistory   timeline.History
	TargetTimeline, SourceTimeline pgdata.TimelineID
	EndOfWAL                       pgdata.LSN
	Checkpoint                     walreader.Checkpoint
	Scan                           ScanSummary
	Lost                           lost.Lost
	NeededWAL                      []NeededWAL
	Files                          *filemap.Plan
	Warnings                       []string

	Changed       []changedFile
	Source        source.State
	KilledStandby bool
}

// A saved plan begins with planMagic and the SHA-256 of the rest.
const (
	planMagic    = "gorewind plan 1\n"
	maxSavedPlan = 4 << 30
)

// Save writes the plan so that another process can apply it: see Options.Plan.
func (r *Rewind) Save(w io.Writer) error {
	p := r.plan
	if p.Resumes || r.earlier != nil {
		return fmt.Errorf("%w: there is no plan to save: an earlier rewind of the target is to be finished first", ErrOptions)
	}
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(&savedPlan{
		Major: p.Version.String(), TargetControl: sha256.Sum256(r.targetRaw), SourceControl: sha256.Sum256(r.sourceRaw),
		Keep: r.opts.Keep, Required: p.Required, Reason: p.Reason, Divergence: p.Divergence, DivergenceTimeline: p.DivergenceTimeline,
		TargetHistory: p.Target.History, SourceHistory: p.Source.History, TargetTimeline: p.Target.Timeline, SourceTimeline: p.Source.Timeline,
		EndOfWAL: p.Target.EndOfWAL, Checkpoint: p.Checkpoint, Scan: p.Scan, Lost: p.Lost, NeededWAL: p.NeededWAL, Files: p.Files,
		Changed: changedFiles(r.changed), Source: r.sourceState, KilledStandby: r.killedStandby, Warnings: r.lasting,
	})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b.Bytes())
	for _, part := range [][]byte{[]byte(planMagic), sum[:], b.Bytes()} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// loadPlan takes a saved plan instead of an analysis, if it is one of what both
// sides are now.
func (r *Rewind) loadPlan(ctx context.Context) error {
	if r.earlier != nil {
		return fmt.Errorf("%w: a rewind in place of this target is to be finished first: run it again without a saved plan", ErrOptions)
	}
	s, err := decodePlan(r.opts.Plan)
	if err != nil {
		return err
	}
	switch {
	case s.Major != r.targetControl.Version.String() || s.TargetControl != sha256.Sum256(r.targetRaw):
		return fmt.Errorf("%w: the control file of the target %q changed: plan again", ErrPlanOutdated, r.target.Name())
	case s.SourceControl != sha256.Sum256(r.sourceRaw):
		return fmt.Errorf("%w: the control file of the source %s changed: plan again", ErrPlanOutdated, r.opts.Source)
	case !slices.Equal(s.Keep, r.opts.Keep):
		return fmt.Errorf("%w: the plan was made to keep %q: give the same files to keep, or plan again", ErrOptions, s.Keep)
	}
	r.plan = &Plan{
		Version: r.targetControl.Version,
		Target:  Side{Control: r.targetControl, Timeline: s.TargetTimeline, History: s.TargetHistory, EndOfWAL: s.EndOfWAL},
		Source:  Side{Control: r.sourceControl, Timeline: r.sourceControl.Timeline(), History: s.SourceHistory},

		Required: s.Required, Reason: s.Reason, Divergence: s.Divergence, DivergenceTimeline: s.DivergenceTimeline,
		Checkpoint: s.Checkpoint, Scan: s.Scan, Lost: s.Lost, NeededWAL: s.NeededWAL, Files: s.Files,
		Warnings: s.Warnings,
	}
	r.lasting = s.Warnings
	if err := r.checkState(); err != nil {
		return err
	}
	if r.plan.Source.Timeline != s.SourceTimeline {
		return fmt.Errorf("%w: the source %s went from timeline %d to %d: plan again", ErrPlanOutdated, r.opts.Source, s.SourceTimeline, r.plan.Source.Timeline)
	}
	r.sourceState, r.killedStandby = s.Source, s.KilledStandby
	if !s.Required {
		return nil
	}
	return r.takePlan(ctx, (&knowledge{Changed: s.Changed}).changed())
}

// takePlan does anew what a plan needs in this process.
func (r *Rewind) takePlan(ctx context.Context, changed pgdata.ChangedBlocks) error {
	r.kept, r.restored = map[string]bool{}, map[string]int64{}
	archived := func(yield func(string) bool) {
		for _, w := range r.plan.NeededWAL {
			if w.Origin == FromArchive && !yield(w.Name) {
				return
			}
		}
	}
	for _, w := range r.plan.NeededWAL {
		switch w.Origin {
		case FromTarget:
			r.kept[w.Name] = true
		case FromArchive:
			origin, err := r.fromArchive(ctx, w.Name)
			if err != nil {
				return err
			}
			if origin != FromArchive {
				return fmt.Errorf("%w: the archive does not give WAL segment %s any more: plan again", ErrPlanOutdated, w.Name)
			}
			if len(r.restored) == 0 {
				if err := r.archive.checkRoom(ctx, archived); err != nil {
					return err
				}
			}
			r.restored[r.plan.Version.WALPath(w.Name)] = int64(r.targetControl.Geometry.WALSegSize)
		}
	}
	if err := r.target.Check(r.plan.Files, r.plan.Version); err != nil {
		return err
	}
	r.learn(changed)
	return r.measureSpace()
}

func decodePlan(from io.Reader) (*savedPlan, error) {
	b, err := io.ReadAll(io.LimitReader(from, maxSavedPlan))
	if err != nil {
		return nil, fmt.Errorf("could not read the saved plan: %w", err)
	}
	rest, ok := bytes.CutPrefix(b, []byte(planMagic))
	if !ok || len(rest) < sha256.Size {
		return nil, fmt.Errorf("%w: the file is not a plan that this version of gorewind saved", ErrOptions)
	}
	body := rest[sha256.Size:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], rest[:sha256.Size]) {
		return nil, fmt.Errorf("%w: the saved plan is damaged: plan again", ErrOptions)
	}
	s := new(savedPlan)
	if err := gob.NewDecoder(bytes.NewReader(body)).Decode(s); err != nil {
		return nil, fmt.Errorf("%w: the saved plan cannot be read: %w", ErrOptions, err)
	}
	if s.Required && (s.Files == nil || len(s.TargetHistory) == 0 || len(s.SourceHistory) == 0) {
		return nil, fmt.Errorf("%w: the saved plan is not whole: plan again", ErrOptions)
	}
	return s, nil
}
