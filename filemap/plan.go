package filemap

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// Step is what happens to a file as a whole. Changed blocks are overwritten in
// addition to it.
type Step uint8

// The actions in the order in which they are carried out.
const (
	Create   Step = iota + 1 // make a directory or a symbolic link
	Copy                     // replace or make a file
	CopyTail                 // append what the source has beyond the target's end
	None                     // nothing, but perhaps for changed blocks
	Truncate                 // cut to the source's size
	Remove
	Restore // put a WAL segment in place that an archive brought back
)

var actionNames = [...]string{Create: "CREATE", Copy: "COPY", CopyTail: "COPY_TAIL", None: "NONE", Truncate: "TRUNCATE", Remove: "REMOVE", Restore: "RESTORE"}

// String gives pg_rewind's word for the action.
func (a Step) String() string {
	if int(a) < len(actionNames) && actionNames[a] != "" {
		return actionNames[a]
	}
	return fmt.Sprintf("Step(%d)", uint8(a))
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

// reasons are all that an entry can have.
var reasons = []Reason{
	OnlyOnSource, OnlyOnTarget, NotARelation, Grown, Shrunk, ChangedBlocks, NeededRecovery, Superseded, CommonWAL, NotWritten,
	SameContent, Kept, OldWAL, Different, Unlogged, MadeByRecovery,
}

// Entry is one file, directory or symbolic link that the plan says something
// about.
type Entry struct {
	Path       string
	Type       pgdata.FileType
	Action     Step
	Reason     Reason
	SourceSize int64            // bytes as listed; zero where the source has none
	TargetSize int64            // bytes as listed; zero where the target has none
	Link       string           // where a symbolic link to create leads
	MakesDir   bool             // the directory of a new tablespace, Link, is made if it is missing
	Blocks     *pgdata.BlockSet // blocks of a file that both sides have to overwrite, or nil

	// Compare says that it is not known which blocks of a relation's file differ.
	Compare bool

	// Of a WAL segment that is copied, these do not come from the source:
	Unwritten  int64  // bytes at its end that the source has not written; they become zeros
	Local      string // the target's own file that the first LocalBytes bytes come from, or ""
	LocalBytes int64
}

// Plan is what a rewind does, in order. Files that stay as they are and have no
// reason to be mentioned are not in it.
type Plan struct {
	Geometry pgdata.Geometry
	WALDir   string
	Entries  []Entry
	// SourceBytes is the size of all of the source's files that were considered.
	SourceBytes int64
}

// FetchBytes is how much is read from the source, going by the listed sizes.
func (p *Plan) FetchBytes() int64 {
	var n int64
	for i := range p.Entries {
		n += p.Entries[i].FetchBytes(p.Geometry)
	}
	return n
}

// FetchFiles is of how many files something is read from the source.
func (p *Plan) FetchFiles() int {
	n := 0
	for i := range p.Entries {
		if e := &p.Entries[i]; e.Action == Copy && e.Reason != NotWritten || e.FetchBytes(p.Geometry) > 0 {
			n++
		}
	}
	return n
}

// FetchBytes is how much of this file is read from the source.
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

// TailStart is where CopyTail begins: at the target's end or, where that lies within
// a block, as a full disk leaves it, at the beginning of that block.
func (e *Entry) TailStart(g pgdata.Geometry) int64 {
	return e.TargetSize / int64(g.BlockSize) * int64(g.BlockSize)
}

// Span is a part of a file.
type Span struct{ Offset, Length int64 }

// Runs yields the parts of a file that its changed blocks are, neighbours together.
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

// Unchanged yields the parts of a file that is not copied whole that stay as the
// target has them, between two offsets. Of these the first is that of a block.
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

// minCopy is how much of a file is asked for at least: small ones that grew since
// they were listed arrive whole.
const minCopy = 1 << 20

// Limit is the offset up to which the source may be asked for bytes of the file.
// What a running server has not written of a WAL segment, it may write meanwhile.
func (e *Entry) Limit() int64 {
	if e.Action == Copy {
		return max(e.SourceSize, minCopy)
	}
	return e.SourceSize
}

// Asks reports whether the plan asks the source for these bytes of the file.
func (e *Entry) Asks(g pgdata.Geometry, offset, length int64) bool {
	if offset < 0 || offset > e.Limit() || length > e.Limit()-offset {
		return false
	}
	if e.Action == Copy || e.Action == CopyTail && offset >= e.TailStart(g) {
		return true
	}
	size := int64(g.BlockSize)
	for b := offset / size; b*size < offset+length; b++ {
		if e.Blocks == nil || !e.Blocks.Has(pgdata.BlockNumber(b)) {
			return false
		}
	}
	return true
}

// isWAL reports whether the entry lies in the WAL directory.
func (p *Plan) isWAL(e *Entry) bool { return strings.HasPrefix(e.Path, p.WALDir+"/") }

// finish puts entries into the order in which they can be carried out: parents
// are made before and removed after what they contain. Directories that hold what
// is kept stay.
func (p *Plan) finish(kept map[string]bool) {
	p.Entries = slices.DeleteFunc(p.Entries, func(e Entry) bool { return e.Action == Remove && kept[e.Path] })
	slices.SortFunc(p.Entries, func(a, b Entry) int {
		if a.Action != b.Action {
			return cmp.Compare(a.Action, b.Action)
		}
		if a.Action == Remove {
			a, b = b, a
		}
		return strings.Compare(a.Path, b.Path)
	})
}
