package rewind

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/pgdata"
)

// WithDisk wraps the target's disk.
func (o Options) WithDisk(wrap func(apply.Disk) apply.Disk) Options {
	o.disk = wrap
	return o
}

// StartOrNot skips the check that the rewound server will start.
func (o Options) StartOrNot() Options {
	o.startOrNot = true
	return o
}

// OwnIsGood judges a segment of the target as if recovery started in segment from,
// nothing had been scanned, and an interrupted rewind had been writing suspects.
func (r *Rewind) OwnIsGood(ctx context.Context, from, s pgdata.SegNo, suspects ...string) bool {
	p, a := *r.plan, r.analyzer
	p.Start.Redo, p.Scan, p.carried.Suspect = a.geo.SegStart(from), ScanSummary{}, map[string]bool{}
	for _, path := range suspects {
		p.carried.Suspect[path] = true
	}
	w := walTableBuilder{a: a, plan: &p, own: a.targetWAL(p.Target.History).own()}
	return w.isGood(ctx, s)
}

// BringBack restores a segment from the archive, and returns its path within the
// target.
func (r *Rewind) BringBack(ctx context.Context, name string) (string, error) {
	return r.analyzer.restoreAnyway(ctx, name)
}

// Literal formats bytes as an SQL literal.
var Literal = literal

// WritePlan writes any plan as Save does.
func WritePlan(w io.Writer, keep []string, p *Plan) error {
	return savedPlan{Keep: keep, Plan: p.stored()}.write(w)
}

// ReadPlan reads a saved plan, given only the bytes of the value.
func ReadPlan(body []byte) (*Plan, error) {
	types, sum := typeSum(reflect.TypeFor[savedPlan]()), sha256.Sum256(body)
	s, err := readSavedPlan(io.MultiReader(strings.NewReader(planMagic), bytes.NewReader(types[:]), bytes.NewReader(sum[:]), bytes.NewReader(body)))
	if err != nil {
		return nil, err
	}
	return s.Plan.plan(), nil
}

// PlanBody returns the part of a saved plan that ReadPlan reads.
func PlanBody(saved []byte) []byte { return saved[len(planMagic)+2*sha256.Size:] }

// BackupLabel returns the backup_label that a rewind with a plan would write.
func BackupLabel(p *Plan) []byte { return (&Rewind{plan: p}).backupLabel() }

// Notes returns the notes that a rewind in place with a plan would write.
func Notes(p *Plan) ([]byte, error) {
	return (&Rewind{plan: p, opts: Options{InPlace: true}, ownRecovery: p.carried.Recovery}).notes()
}

// ReadNotes reads what Notes returns.
func ReadNotes(b []byte) (*Plan, error) { return decodePlan(b) }

// CarriedBy returns the part of a plan that only rewinds need.
func CarriedBy(p *Plan) *carried { return &p.carried }

// EncodeValue and DecodeValue are the encoding of saved plans.
var EncodeValue, DecodeValue = encodeValue, decodeValue

// ActionsByCondition returns the actions that each condition can lead to, in the order
// of Actions.
func ActionsByCondition() map[Condition][]Action {
	all := map[Condition][]Action{}
	for _, v := range verdicts {
		if !slices.Contains(all[v.condition], v.action) {
			all[v.condition] = append(all[v.condition], v.action)
		}
	}
	for _, actions := range all {
		slices.SortFunc(actions, func(a, b Action) int { return slices.Index(Actions(), a) - slices.Index(Actions(), b) })
	}
	return all
}
