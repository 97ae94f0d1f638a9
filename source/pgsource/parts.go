package pgsource

import (
	"sync/atomic"
	"time"

	"github.com/gorewind/gorewind/source"
)

// How a copy is cut. A server reads a row of up to maxRow bytes fastest: larger
// ones, which it copies several times, leave the processor's cache and are
// allocated anew each time. A request is large enough that what a query costs does
// not matter. A row costs about as much as 8 kB more of it on a fast connection,
// and less on a slow one: gaps that are clearly shorter are read along.
const (
	maxRow     = 96 << 10 // bytes
	maxRequest = 2 << 20  // bytes
	maxParts   = 1000     // of a request
	maxGap     = 4 << 10  // bytes
)

// part is a range, or a piece of one.
type part struct {
	offset, length int64
	more           bool  // the range began with another part
	of             *span // nil: the range is no longer than the part
}

// span is what is known of a range of several parts.
type span struct {
	ended atomic.Bool // there is nothing behind what came
	gone  atomic.Bool // the file vanished, and it was said
}

// row is what one row of the answer has: parts of a file that follow each other,
// maybe with gaps.
type row struct {
	path          string
	start, length int64
	parts         int
}

// request is one query's worth of rows.
type request struct {
	unnamed bool // the server does not take the path; there is one row
	rows    []row
	parts   []part // of all rows
	bytes   int64

	rowsDone, partsDone int       // what was delivered
	asked               time.Time // when it was last sent
}

// add adds a part, to the last row where it follows close enough.
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

// planner cuts ranges into requests.
type planner struct {
	canName func(path string) bool
	send    func(*request) bool // false: no more is wanted
	next    *request
}

// add plans a range, unless no more is wanted.
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

// flush sends what is planned.
func (pl *planner) flush() bool {
	q := pl.next
	pl.next = nil
	return q == nil || pl.send(q)
}
