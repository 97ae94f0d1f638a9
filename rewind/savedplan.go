package rewind

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
)

// A saved plan begins with planMagic, the SHA-256 of the description of its types, and
// the SHA-256 of the rest. The rest is a savedPlan as written by encodeValue.
const (
	planMagic    = "gorewind plan 3\n"
	maxSavedPlan = 4 << 30
)

// savedPlan is a plan in a file of its own. It is valid for one state of both control
// files.
type savedPlan struct {
	Keep    []string
	Mapping TablespaceMapping
	Plan    storedPlan
}

// storedPlan is a plan for encodeValue, which takes only exported fields.
type storedPlan struct {
	Plan    *Plan
	Carried carried
}

func (p *Plan) stored() storedPlan { return storedPlan{p, p.carried} }

// plan is the inverse of stored. It returns nil if nothing is stored.
func (s storedPlan) plan() *Plan {
	if s.Plan != nil {
		s.Plan.carried = s.Carried
	}
	return s.Plan
}

// encode encodes a plan for the journal, for the next run.
func (p *Plan) encode() ([]byte, error) {
	sum := typeSum(reflect.TypeFor[storedPlan]())
	b, err := encodeValue(p.stored())
	return append(sum[:], b...), err
}

func decodePlan(b []byte) (*Plan, error) {
	sum := typeSum(reflect.TypeFor[storedPlan]())
	rest, ok := bytes.CutPrefix(b, sum[:])
	if !ok {
		return nil, errors.New("another version of gorewind wrote it")
	}
	var s storedPlan
	if err := decodeValue(rest, &s); err != nil {
		return nil, err
	}
	if s.Plan == nil {
		return nil, errPlanBytes
	}
	return s.plan(), nil
}

// toResume returns the part of the plan that describes a rewind that only has to be
// completed.
func (p *Plan) toResume() *Plan {
	return &Plan{
		Required: true, Resumes: true, Divergence: p.Divergence, DivergenceTimeline: p.DivergenceTimeline,
		Checkpoint: p.Checkpoint, Start: p.Start, Scan: p.Scan, Proven: p.Proven, Unproven: p.Unproven, Evidence: p.Evidence,
	}
}

// notes returns what the next run must know if this one does not finish. For a staged
// rewind that is a description; the rest is in the journal. A rewind in place
// overwrites, with the target's files, what its analysis was based on, so the next run
// takes the analysis from here.
func (r *Rewind) notes() ([]byte, error) {
	if !r.inPlace() {
		return r.plan.toResume().encode()
	}
	p := *r.plan
	p.Files, p.NeededWAL, p.Warnings, p.Lost.Blocks, p.Lost.Rows = nil, nil, nil, nil, nil
	p.carried.Suspect, p.carried.Changed = r.plan.written()
	p.carried.Recovery = r.ownRecovery
	return p.encode()
}

// written returns what a rewind in place is about to write, and so may be half written
// when the next run reads it: files, and the blocks of relations, including those that
// the target changed.
func (p *Plan) written() (map[string]bool, pgdata.Changes) {
	suspect := maps.Clone(p.carried.Suspect)
	if suspect == nil {
		suspect = map[string]bool{}
	}
	var changed pgdata.Changes
	changed.Merge(p.carried.Changed)
	geo := p.Files.Geometry
	size := int64(geo.BlockSize)
	for i := range p.Files.Entries {
		e := &p.Files.Entries[i]
		segment, isRelation := pgdata.ParseRelPath(p.Version, e.Path)
		if !isRelation && e.FetchBytes(geo)+e.LocalBytes+e.Unwritten > 0 {
			suspect[e.Path] = true
		}
		if !isRelation || e.Action != filemap.Copy && e.Action != filemap.CopyTail && e.Blocks == nil {
			continue
		}
		blocks := changed.Blocks[segment]
		if blocks == nil {
			blocks = new(pgdata.BlockSet)
			changed.Blocks[segment] = blocks
		}
		if e.Blocks != nil {
			blocks.Union(e.Blocks)
		}
		if e.Action == filemap.Copy || e.Action == filemap.CopyTail {
			for at := e.TargetSize / size * size; at < decide.Limit(e); at += size {
				blocks.Add(pgdata.BlockNumber(at / size))
			}
		}
	}
	return suspect, changed
}

// Save writes the plan so that another process can apply it: see Options.Plan.
func (r *Rewind) Save(w io.Writer) error {
	if err := r.checkPrepared(); err != nil {
		return r.failed(err)
	}
	if r.plan.Resumes || r.plan.Again {
		return r.failed(fmt.Errorf("%w: there is no plan to save: an earlier rewind of the target must be finished first", ErrOptions))
	}
	return savedPlan{r.opts.Keep, r.opts.TablespaceMapping, r.plan.stored()}.write(w)
}

func (s savedPlan) write(w io.Writer) error {
	b, err := encodeValue(s)
	if err != nil {
		return err
	}
	types, sum := typeSum(reflect.TypeFor[savedPlan]()), sha256.Sum256(b)
	for _, part := range [][]byte{[]byte(planMagic), types[:], sum[:], b} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// loadPlan uses a saved plan instead of an analysis, if it was made for the current
// state of both sides.
func (r *Rewind) loadPlan(ctx context.Context, a *analyzer, now sides, earlier *Plan) error {
	if earlier != nil {
		return fmt.Errorf("%w: a rewind in place of this target must be finished first: run it again without a saved plan", ErrOptions)
	}
	s, err := readSavedPlan(r.opts.Plan)
	if err != nil {
		return err
	}
	p := s.Plan.plan()
	switch {
	case !sameControl(p.Target, now.target):
		return fmt.Errorf("%w: the control file of the target %q changed: plan again", ErrPlanOutdated, r.target.Name())
	case !sameControl(p.Source, now.source):
		return fmt.Errorf("%w: the control file of the source %s changed: plan again", ErrPlanOutdated, r.opts.Source)
	case !slices.Equal(s.Keep, r.opts.Keep):
		return fmt.Errorf("%w: the plan was made to keep %q: give the same files to keep, or plan again", ErrOptions, s.Keep)
	case len(r.opts.TablespaceMapping) > 0 && !maps.Equal(s.Mapping, r.opts.TablespaceMapping):
		return fmt.Errorf("%w: the plan was made with other directories for new tablespaces: leave them to the plan, or plan again", ErrOptions)
	}
	if err := s.Mapping.check(r.target.Name()); err != nil {
		return err
	}
	r.plan, r.opts.TablespaceMapping = p, s.Mapping
	r.keeper.only(p.Kept)
	if err := a.checkSource(now.source); err != nil {
		return err
	}
	source, err := a.sourceSide(ctx, now.source)
	if err != nil {
		return err
	}
	if source.Timeline != p.Source.Timeline {
		return fmt.Errorf("%w: the source %s went from timeline %d to %d: plan again", ErrPlanOutdated, r.opts.Source, p.Source.Timeline, source.Timeline)
	}
	if !p.Required {
		return nil
	}
	if err := r.restoreAgain(ctx, a); err != nil {
		return err
	}
	if err := r.target.Check(p.Files, p.Version); err != nil {
		return err
	}
	r.space, err = a.measure(p)
	return err
}

func sameControl(then, now Side) bool {
	x, err := then.Control.MarshalBinary()
	y, err2 := now.Control.MarshalBinary()
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// restoreAgain restores for this process what the plan takes from the archive.
func (r *Rewind) restoreAgain(ctx context.Context, a *analyzer) error {
	checked := false
	for _, w := range r.plan.NeededWAL {
		if w.Origin != report.InArchive {
			continue
		}
		origin, err := a.fromArchive(ctx, w.Name)
		if err != nil {
			return err
		}
		if origin != report.InArchive {
			return fmt.Errorf("%w: the archive no longer has WAL segment %s: plan again", ErrPlanOutdated, w.Name)
		}
		if checked {
			continue
		}
		checked = true
		if err := a.anyArchive().checkRoom(ctx, func(yield func(string) bool) {
			for _, w := range r.plan.NeededWAL {
				if w.Origin == report.InArchive && !yield(w.Name) {
					return
				}
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// readSavedPlan trusts nothing that it reads until all of it has been checked.
func readSavedPlan(from io.Reader) (*savedPlan, error) {
	var head [len(planMagic) + 2*sha256.Size]byte
	if _, err := io.ReadFull(from, head[:]); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("could not read the saved plan: %w", err)
	}
	sums := head[len(planMagic):]
	types := typeSum(reflect.TypeFor[savedPlan]())
	if string(head[:len(planMagic)]) != planMagic || !bytes.Equal(types[:], sums[:sha256.Size]) {
		return nil, fmt.Errorf("%w: the file is not a plan that this version of gorewind saved: plan again", ErrOptions)
	}
	body, err := io.ReadAll(io.LimitReader(from, maxSavedPlan))
	if err != nil {
		return nil, fmt.Errorf("could not read the saved plan: %w", err)
	}
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], sums[sha256.Size:]) {
		return nil, fmt.Errorf("%w: the saved plan is damaged: plan again", ErrOptions)
	}
	s := new(savedPlan)
	if err := decodeValue(body, s); err != nil {
		return nil, fmt.Errorf("%w: the saved plan cannot be read: %w: plan again", ErrOptions, err)
	}
	p := s.Plan.plan()
	if p == nil {
		return nil, fmt.Errorf("%w: the saved plan is incomplete: plan again", ErrOptions)
	}
	if err := p.verify(); err != nil {
		return nil, fmt.Errorf("%w: the saved plan is not one that gorewind made: %w: plan again", ErrOptions, err)
	}
	return s, nil
}
