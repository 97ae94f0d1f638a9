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
	r.plan.Checkpoint.Redo, r.plan.Scan = r.targetControl.Geometry.SegStart(from), ScanSummary{}
	r.sourceControl.CheckPointCopy.Redo = r.plan.Checkpoint.Redo
	r.earlier = &knowledge{Suspect: map[string]bool{}}
	for _, p := range suspects {
		r.earlier.Suspect[p] = true
	}
	return r.ownIsGood(ctx, s)
}

// Literal writes bytes down as SQL has them.
var Literal = literal
