package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gorewind/gorewind/internal/xidset"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/walreader"
)

// endedTransactions holds the transactions and subtransactions that end in a range of WAL. Hint
// bits about them cannot have been set before that range.
type endedTransactions struct {
	format             walreader.Format
	committed, aborted xidset.Set
	unknown            pgdata.LSN // a record of unknown format
}

func newEndedTransactions(f walreader.Format) *endedTransactions {
	return &endedTransactions{format: f, committed: xidset.Set{}, aborted: xidset.Set{}}
}

// Visit records the transactions that end with a record.
func (e *endedTransactions) Visit(rec *walreader.Record) {
	into := e.committed
	switch rec.TransactionEvent() {
	case walreader.Aborts:
		into = e.aborted
	case walreader.Commits:
	case walreader.UnknownEvent:
		e.unknown = rec.LSN
		return
	default:
		return
	}
	end, ok := e.format.Ended(rec)
	if !ok {
		e.unknown = rec.LSN
		return
	}
	for xid := range end.Subtransactions() {
		into.Add(xid)
	}
	if xid := rec.XID; end.Prepared != 0 {
		into.Add(end.Prepared)
	} else if xid != 0 {
		into.Add(xid)
	}
}

// Prepend merges what was seen in earlier WAL.
func (e *endedTransactions) Prepend(earlier walreader.Visitor) {
	o := earlier.(*endedTransactions)
	e.committed.Union(o.committed)
	e.aborted.Union(o.aborted)
	e.unknown = max(e.unknown, o.unknown)
}

// The layout of pg_xact (access/transam/clog.c): two bits for each transaction, in
// files of 32 pages.
const (
	xactsPerByte      = 4
	xactPagesPerFile  = 32
	xactCommitted     = 1
	xactAborted       = 2
	maxXactFilesAsked = 64
)

// endedAlike compares how these transactions ended according to the target's WAL and
// according to the source. It returns an empty string if they agree, otherwise what
// differs.
func (a *analyzer) endedAlike(ctx context.Context, e *endedTransactions) (differs string, err error) {
	if e.unknown != 0 {
		return fmt.Sprintf("the target's WAL has a record of unknown format at %s", a.lsn(e.unknown)), nil
	}
	perFile := a.geo.BlockSize * xactsPerByte * xactPagesPerFile
	files := map[uint32][]byte{}
	for _, sort := range []struct {
		xids xidset.Set
		want byte
	}{{e.committed, xactCommitted}, {e.aborted, xactAborted}} {
		for xid := range sort.xids.All() {
			file, ok := files[xid/perFile]
			if !ok {
				if len(files) == maxXactFilesAsked {
					return "too many transactions ended since", nil
				}
				path := fmt.Sprintf("%s/%04X", a.version.XactDir, xid/perFile)
				file, err = source.ReadRange(ctx, a.source, source.Range{Path: path, Length: int64(perFile / xactsPerByte)})
				if err != nil && !errors.Is(err, fs.ErrNotExist) { // or it has been frozen since
					return "", err
				}
				files[xid/perFile] = file
			}
			at, got := xid%perFile, byte(0)
			if int(at/xactsPerByte) < len(file) {
				got = file[at/xactsPerByte] >> (2 * (at % xactsPerByte)) & 3
			}
			if got != sort.want {
				return fmt.Sprintf("the source does not agree with the target's WAL on how transaction %d ended", xid), nil
			}
		}
	}
	return "", nil
}
