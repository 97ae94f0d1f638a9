package pgsource

import (
	"sync/atomic"
	"time"

	"github.com/gorewind/gorewind/source"
)

// How a copy is divided. A server reads a row of up to maxRow bytes fastest: it copies
// larger ones several times, they exceed the processor's cache, and they are allocated
// anew each time. A request is large enough that the cost of a query does not matter.
// A row costs about as much as 8 kB more of it on a fast connection, and less on a
// slow one, so gaps that are clearly shorter are read as well.
const (
	maxRow     = 96 << 10 // bytes
	maxRequest = 2 << 20  // bytes
	maxParts   = 1000     // of a request
	maxGap     = 4 << 10  // bytes
)

// part is a range, or a piece of one.
type part struct {
	offset, length int64
	more           bool  // another part of the range precedes it
	of             *span // nil: the range is only this part
}

// span is the state of a range of several parts.
type span struct {
	ended atomic.Bool // the file ends with what arrived
	gone  atomic.Bool // the file vanished, and the sink was told
}

// row is the content of one row of the answer: consecutive parts of a file,
// possibly with gaps.
type row struct {
	path          string
	start, length int64
	parts         int
}

// request is the rows of one query.
type request struct {
	unnamed bool // the server does not accept the path as text; there is one row
	rows    []row
	parts   []part // of all rows
	bytes   int64

	rowsDone, partsDone int       // what was delivered
	asked               time.Time // when it was last sent
}

// add adds a part, to the last row if it is close enough.
func (q *request) add(path string, p part) {
	q.parts = append(q.parts, p)
	if n := len(q.rows); n > 0 && p.of == nil && q.parts[len(q.parts)-2].of == nil {
		last := &q.rows[n-1]
		gap, length := p.offset-(last.start+last.length), p.offset+p.length-last.start
		if last.path == path && gap >= 0 && gap <= maxGap && length <= maxRow {
			q.bytes += length - last.length
			last.length = length
			last.parts++
			return
		}
	}
	q.rows = append(q.rows, row{path: path, start: p.offset, length: p.length, parts: 1})
	q.bytes += p.length
}

// planner divides ranges into requests.
type planner struct {
	canName func(path string) bool
	send    func(*request) bool // false: no more are wanted
	next    *request
}

// add plans a range, unless no more are wanted.
func (pl *planner) add(r source.Range) bool {
	p := part{offset: r.Offset}
	if r.Length > maxRow {
		p.of = new(span)
	}
	named := pl.canName(r.Path)
	for end := r.Offset + r.Length; ; p.more = true {
		p.length = min(end-p.offset, maxRow)
		if !named && !pl.flush() {
			return false
		}
		if pl.next == nil {
			pl.next = &request{unnamed: !named}
		}
		q := pl.next
		q.add(r.Path, p)
		if full := len(q.parts) == maxParts || q.bytes > maxRequest-maxRow; (full || !named) && !pl.flush() {
			return false
		}
		if p.offset += p.length; p.offset >= end || p.of != nil && p.of.ended.Load() {
			return true
		}
	}
}

// flush sends what has been planned.
func (pl *planner) flush() bool {
	q := pl.next
	pl.next = nil
	return q == nil || pl.send(q)
}
