package walreader

import "github.com/gorewind/gorewind/pgdata"

// ChangesVisitor collects the changes of the WAL that [Read] reads, as
// [Scan] does for the WAL that it reads itself. It is for WAL that no summary covers yet.
type ChangesVisitor struct {
	format  Format
	changes *changes
	unknown error
}

// NewChangesVisitor returns a ChangesVisitor that keeps changes of wanted files, and of
// relations whose first file is wanted; for the directory of a database wanted gets
// relation zero. Records can name more files than can exist, so wanted limits the memory
// for WAL from an untrusted source. If wanted is nil, everything is kept. It is called
// from several goroutines.
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

// Prepend adds what the visitor of the previous segment collected.
func (v *ChangesVisitor) Prepend(earlier Visitor) {
	e := earlier.(*ChangesVisitor)
	all := pgdata.Changes{Blocks: v.changes.blocks, Limits: v.changes.limits.Limits}
	all.Merge(pgdata.Changes{Blocks: e.changes.blocks, Limits: e.changes.limits.Limits})
	v.changes.limits.Limits = all.Limits
	if e.unknown != nil {
		v.unknown = e.unknown
	}
}

// Changes is what was collected. The error is an [*UnknownRecordError] if a
// record changes relations in an unknown way.
func (v *ChangesVisitor) Changes() (pgdata.Changes, error) {
	if v.unknown != nil {
		return pgdata.Changes{}, v.unknown
	}
	return pgdata.Changes{Blocks: v.changes.blocks, Limits: v.changes.limits.Limits}, nil
}
