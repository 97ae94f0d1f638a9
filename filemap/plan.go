package filemap

import (
	"fmt"
	"iter"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// Step is what happens to a file as a whole. In addition, changed blocks may be
// overwritten.
type Step uint8

// The steps in the order in which they are carried out.
const (
	Create   Step = iota + 1 // create a directory or a symbolic link
	Copy                     // replace or create a file
	CopyTail                 // append what the source has beyond the target's end
	None                     // nothing, except perhaps changed blocks
	Truncate                 // truncate to the source's size
	Remove
	Restore // put a WAL segment that was restored from an archive in place
)

var stepNames = [...]string{Create: "CREATE", Copy: "COPY", CopyTail: "COPY_TAIL", None: "NONE", Truncate: "TRUNCATE", Remove: "REMOVE", Restore: "RESTORE"}

// String returns pg_rewind's word for the step.
func (s Step) String() string {
	if int(s) < len(stepNames) && stepNames[s] != "" {
		return stepNames[s]
	}
	return fmt.Sprintf("Step(%d)", uint8(s))
}

// Reason says why an entry is in the plan, in words for people.
type Reason string

// The reasons.
const (
	OnlyOnSource   Reason = "not on the target"
	OnlyOnTarget   Reason = "not on the source"
	NotARelation   Reason = "not described by WAL"
	Grown          Reason = "longer on the source"
	Shrunk         Reason = "shorter on the source"
	ChangedBlocks  Reason = "changed on the target"
	NeededRecovery Reason = "required for recovery"
	Superseded     Reason = "a younger timeline has the segment, which is what recovery reads"
	CommonWAL      Reason = "WAL that the target has"
	NotWritten     Reason = "recycled by the source and not yet written"
	SameContent    Reason = "same content on both sides"
	Kept           Reason = "kept as asked"
	OldWAL         Reason = "WAL of before the start of recovery"
	Different      Reason = "different"
	Unlogged       Reason = "of an unlogged relation, which a server makes anew"
	MadeByRecovery Reason = "made by recovery from WAL"
)

// Reasons returns all reasons.
func Reasons() []Reason {
	return []Reason{
		OnlyOnSource, OnlyOnTarget, NotARelation, Grown, Shrunk, ChangedBlocks, NeededRecovery, Superseded, CommonWAL, NotWritten,
		SameContent, Kept, OldWAL, Different, Unlogged, MadeByRecovery,
	}
}

// Entry is one file, directory or symbolic link that the plan is
// about.
type Entry struct {
	Path       string // relative to the data directory, "/" separated
	Type       pgdata.FileType
	Action     Step
	Reason     Reason
	SourceSize int64            // bytes as listed; zero if the source does not have it
	TargetSize int64            // bytes as listed; zero if the target does not have it
	Link       string           // the destination of a symbolic link to create
	MakesDir   bool             // create Link, the directory of a new tablespace, if it is missing
	Blocks     *pgdata.BlockSet // blocks to overwrite in a file that both sides have, or nil

	// Compare says that it is unknown which blocks of a relation's file differ.
	Compare bool

	// These parts of a copied WAL segment do not come from the source:
	Unwritten  int64  // bytes at its end that the source has not written; they become zeros
	Local      string // the target's own file from which the first LocalBytes bytes come, or ""
	LocalBytes int64
}

// Plan is what a rewind does, in order. Files that are not changed and need not be
// mentioned are not in it.
type Plan struct {
	Geometry pgdata.Geometry // of both sides
	WALDir   string          // the directory of WAL segments, relative to the data directory
	Entries  []Entry         // in the order in which they are carried out
	// SourceBytes is the total size of the source's files that were considered.
	SourceBytes int64
}

// FetchBytes is how many bytes are read from the source, according to the listed sizes.
func (p *Plan) FetchBytes() int64 {
	var n int64
	for i := range p.Entries {
		n += p.Entries[i].FetchBytes(p.Geometry)
	}
	return n
}

// FetchFiles is from how many files something is read on the source.
func (p *Plan) FetchFiles() int {
	n := 0
	for i := range p.Entries {
		if e := &p.Entries[i]; e.Action == Copy && e.Reason != NotWritten || e.FetchBytes(p.Geometry) > 0 {
			n++
		}
	}
	return n
}

// FetchBytes is how many bytes of this file are read from the source.
func (e *Entry) FetchBytes(g pgdata.Geometry) int64 {
	var n int64
	switch e.Action {
	case Copy:
		n = e.SourceSize - e.Unwritten - e.LocalBytes
	case CopyTail:
		n = e.SourceSize - e.TailStart(g)
	}
	if e.Blocks != nil {
		n += int64(e.Blocks.Len()) * int64(g.BlockSize)
	}
	return n
}

// TailStart is where CopyTail begins: at the target's end or, if that is inside
// a block, as a full disk can leave it, at the beginning of that block.
func (e *Entry) TailStart(g pgdata.Geometry) int64 {
	return e.TargetSize / int64(g.BlockSize) * int64(g.BlockSize)
}

// IsSegment reports whether the entry is a WAL segment.
func (p *Plan) IsSegment(e *Entry) bool {
	name, inWALDir := strings.CutPrefix(e.Path, p.WALDir+"/")
	_, _, ok := p.Geometry.ParseWALFileName(name)
	return inWALDir && ok
}

// Span is a part of a file.
type Span struct{ Offset, Length int64 }

// Runs yields the parts of a file that its changed blocks form, with adjacent blocks combined.
func (e *Entry) Runs(g pgdata.Geometry) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		if e.Blocks == nil {
			return
		}
		size, run := int64(g.BlockSize), Span{}
		for b := range e.Blocks.All() {
			at := int64(b) * size
			if run.Offset+run.Length != at && run.Length > 0 {
				if !yield(run) {
					return
				}
				run.Length = 0
			}
			if run.Length == 0 {
				run.Offset = at
			}
			run.Length += size
		}
		if run.Length > 0 {
			yield(run)
		}
	}
}

// Unchanged yields the parts of a file that stay as the target has them, between two
// offsets, of which from is the start of a block. It is for files that are not copied
// completely.
func (e *Entry) Unchanged(g pgdata.Geometry, from, to int64) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		size, end := int64(g.BlockSize), min(e.SourceSize, e.TargetSize)
		if e.Action == CopyTail {
			end = e.TailStart(g)
		}
		end = min(end, to)
		for at := from; at < end; {
			next := at
			for next < end && (e.Blocks == nil || !e.Blocks.Has(pgdata.BlockNumber(next/size))) {
				if next += size; e.Blocks == nil {
					next = end
				}
			}
			if next > at && !yield(Span{at, min(next, end) - at}) {
				return
			}
			at = next + size // that one is changed
		}
	}
}
