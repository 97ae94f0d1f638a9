package walreader

import "github.com/gorewind/gorewind/pgdata"

// ChangesVisitor collects what the records of a stretch change that [Read] reads, as
// [Scan] does of what it reads itself: for the WAL that no summary covers yet.
type ChangesVisitor struct {
	format  Format
	changes *changes
	unknown error
}

// NewChangesVisitor makes one.
func NewChangesVisitor(f Format) *ChangesVisitor {
	return &ChangesVisitor{format: f, changes: newChanges(f.Geometry)}
}

// Visit adds what a record changes.
func (v *ChangesVisitor) Visit(rec *Record) {
	if rec.Info&infoSpecialRel != 0 && v.unknown == nil {
		v.unknown = v.format.CheckSpecial(rec)
	}
	v.changes.addRecord(v.format, rec)
}

// Prepend takes in what the one of the segment before has collected.
func (v *ChangesVisitor) Prepend(earlier Visitor) {
	e := earlier.(*ChangesVisitor)
	all := pgdata.Changes{Blocks: v.changes.blocks, Limits: v.changes.limits.Limits}
	all.Merge(pgdata.Changes{Blocks: e.changes.blocks, Limits: e.changes.limits.Limits})
	v.changes.limits.Limits = all.Limits
	if e.unknown != nil {
		v.unknown = e.unknown
	}
}

// Changes is what was collected. The error is an [*UnknownRecordError] if there was a
// record that changes relations in a way that is not known.
func (v *ChangesVisitor) Changes() (pgdata.Changes, error) {
	if v.unknown != nil {
		return pgdata.Changes{}, v.unknown
	}
	return pgdata.Changes{Blocks: v.changes.blocks, Limits: v.changes.limits.Limits}, nil
}
