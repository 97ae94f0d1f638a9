package rewind

import (
	"context"

	"github.com/gorewind/gorewind/internal/target"
	"github.com/gorewind/gorewind/pgdata"
)

// WithDisk puts something between the rewind and the target's disk.
func (o Options) WithDisk(wrap func(target.Disk) target.Disk) Options {
	o.disk = wrap
	return o
}

// StartOrNot does without the proof that the rewound server will start.
func (o Options) StartOrNot() Options {
	o.startOrNot = true
	return o
}

// OwnIsGood judges a segment of the target as if recovery started in segment from,
// nothing had been scanned, and an interrupted rewind had been writing suspects.
func (r *Rewind) OwnIsGood(ctx context.Context, from, s pgdata.SegNo, suspects ...string) bool {
	p, a := *r.plan, r.analyzer
	p.Start.Redo, p.Scan, p.Suspect = a.geo.SegStart(from), ScanSummary{}, map[string]bool{}
	for _, path := range suspects {
		p.Suspect[path] = true
	}
	w := walTableBuilder{a: a, plan: &p, own: a.targetWAL(p.Target.History).own()}
	return w.isGood(ctx, s)
}

// Literal writes bytes down as SQL has them.
var Literal = literal
