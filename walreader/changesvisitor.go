package walreader

import "github.com/gorewind/gorewind/pgdata"

// ChangesVisitor collects what the records of a stretch change that [Read] reads, as
// [Scan] does of what it reads itself: for the WAL that no summary covers yet.
type ChangesVisitor struct {
	format  Format
	changes *changes
	unknown error
}

// NewChangesVisitor makes one that keeps what is of wanted files, and of relations whose
// first file is wanted; with relation zero it is asked for the directory of a database.
// Records can name more files than there can be: whoever reads somebody else's WAL
// bounds memory so. If wanted is nil, all is kept. It is called from several goroutines.
func NewChangesVisitor(f Format, wanted func(pgdata.RelSegment) bool) *ChangesVisitor {
	v := &ChangesVisitor{format: f, changes: newChanges(f.Geometry)}
	v.changes.wanted = wanted
	return v
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
