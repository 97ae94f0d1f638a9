package rows

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gorewind/gorewind/heap/heapwal"
	"github.com/gorewind/gorewind/pgdata"
)

// Changes are kept until their transaction commits. Besides operations on rows there
// are chunks of values in TOAST tables.
const opChunk = heapwal.Op(100)

// event is a change that is kept.
type event struct {
	op       heapwal.Op
	lsn      pgdata.LSN
	xid      uint32 // subtransaction, or the transaction itself
	locator  pgdata.RelFileLocator
	new, old heapwal.Place
	oldIsKey bool
	// The two versions as tuples; empty if not known.
	newRow, oldRow []byte
}

func (e *event) encode(b []byte) []byte {
	b = append(b, byte(e.op), 0)
	if e.oldIsKey {
		b[len(b)-1] = 1
	}
	b = binary.AppendUvarint(b, uint64(e.lsn))
	for _, n := range []uint32{
		e.xid, e.locator.Tablespace, e.locator.Database, e.locator.Relation,
		uint32(e.new.Block), uint32(e.new.Offset), uint32(e.old.Block), uint32(e.old.Offset), uint32(len(e.newRow)), uint32(len(e.oldRow)),
	} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return append(append(b, e.newRow...), e.oldRow...)
}

var errBuffer = errors.New("changes of a transaction that were written to a temporary file cannot be read back")

// decode reads an event; its rows share the memory of b.
func (e *event) decode(b []byte) (rest []byte, err error) {
	if len(b) < 2 {
		return nil, errBuffer
	}
	e.op, e.oldIsKey = heapwal.Op(b[0]), b[1] != 0
	b = b[2:]
	var n [11]uint64
	for i := range n {
		v, size := binary.Uvarint(b)
		if size <= 0 {
			return nil, errBuffer
		}
		n[i], b = v, b[size:]
	}
	e.lsn, e.xid = pgdata.LSN(n[0]), uint32(n[1])
	e.locator = pgdata.RelFileLocator{Tablespace: uint32(n[2]), Database: uint32(n[3]), Relation: uint32(n[4])}
	e.new = heapwal.Place{Block: pgdata.BlockNumber(n[5]), Offset: uint16(n[6])}
	e.old = heapwal.Place{Block: pgdata.BlockNumber(n[7]), Offset: uint16(n[8])}
	if n[9]+n[10] > uint64(len(b)) {
		return nil, errBuffer
	}
	e.newRow, e.oldRow = b[:n[9]], b[n[9]:n[9]+n[10]]
	return b[n[9]+n[10]:], nil
}

// buffer keeps the events of transactions that have not committed yet. When it exceeds
// its limit, it writes to a file that has no name, so the file disappears however the
// program ends.
type buffer struct {
	dir    string // directory for the file
	limit  int
	size   int // total size of all tails
	open   map[uint32]*pending
	file   *os.File
	end    int64 // end of the file
	events int64
}

// pending is what is kept of a transaction or subtransaction: pieces in the file, and
// what came after them.
type pending struct {
	first   pgdata.LSN
	spilled []span
	tail    []byte
}

type span struct {
	at     int64
	length int
}

// tailLimit is how much of one transaction is kept in memory before it is written as a
// piece. Pieces are also read back one at a time.
const tailLimit = 256 << 10

func (b *buffer) add(e *event) error {
	p := b.open[e.xid]
	if p == nil {
		p = &pending{first: e.lsn}
		b.open[e.xid] = p
	}
	had := len(p.tail)
	p.tail = e.encode(p.tail)
	b.size += len(p.tail) - had
	b.events++
	if len(p.tail) > tailLimit && b.size > b.limit/2 {
		return b.spill(p)
	}
	if b.size <= b.limit {
		return nil
	}
	for _, p := range b.open {
		if err := b.spill(p); err != nil {
			return err
		}
	}
	return nil
}

func (b *buffer) spill(p *pending) error {
	if len(p.tail) == 0 {
		return nil
	}
	if b.file == nil {
		f, err := os.CreateTemp(b.dir, "spill-*.tmp")
		if err == nil {
			b.file, err = f, os.Remove(f.Name())
		}
		if err != nil {
			return fmt.Errorf("could not make a file for what does not fit into memory: %w", err)
		}
	}
	if _, err := b.file.WriteAt(p.tail, b.end); err != nil {
		return fmt.Errorf("could not write what does not fit into memory: %w", err)
	}
	p.spilled = append(p.spilled, span{b.end, len(p.tail)})
	b.end += int64(len(p.tail))
	b.size -= len(p.tail)
	p.tail = nil
	return nil
}

func (b *buffer) close() error {
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}

// take yields the events of a transaction and its subtransactions in WAL order, and
// removes them. An event is valid during the call.
func (b *buffer) take(xids []uint32, visit func(*event) error) error {
	var m merge
	for _, xid := range xids {
		p := b.open[xid]
		if p == nil {
			continue
		}
		delete(b.open, xid)
		b.size -= len(p.tail)
		c := &cursor{b: b, spilled: p.spilled, tail: p.tail}
		c.event.lsn = p.first
		m = append(m, c)
	}
	heap.Init(&m)
	for len(m) > 0 {
		c := m[0]
		if c.begun { // otherwise nothing of it has been read yet: subtransactions often follow each other
			if err := visit(&c.event); err != nil {
				return err
			}
		}
		c.begun = true
		more, err := c.next()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&m, 0)
		default:
			heap.Pop(&m)
		}
	}
	if len(b.open) == 0 && b.file != nil { // what was written is no longer needed
		b.end = 0
		return b.file.Truncate(0)
	}
	return nil
}

// cursor reads what is kept of a transaction.
type cursor struct {
	b       *buffer
	spilled []span
	tail    []byte
	piece   []byte // the part not read yet
	begun   bool
	event   event
}

func (c *cursor) next() (more bool, err error) {
	for len(c.piece) == 0 {
		switch {
		case len(c.spilled) > 0:
			s := c.spilled[0]
			c.spilled = c.spilled[1:]
			c.piece = make([]byte, s.length)
			if _, err := c.b.file.ReadAt(c.piece, s.at); err != nil && !errors.Is(err, io.EOF) {
				return false, err
			}
		case len(c.tail) > 0:
			c.piece, c.tail = c.tail, nil
		default:
			return false, nil
		}
	}
	c.piece, err = c.event.decode(c.piece)
	return err == nil, err
}

// merge orders cursors by their positions.
type merge []*cursor

func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, j int) bool { return m[i].event.lsn < m[j].event.lsn }
func (m merge) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)        { *m = append(*m, x.(*cursor)) }
func (m *merge) Pop() any {
	end := len(*m) - 1
	last := (*m)[end]
	(*m)[end] = nil // release the memory that it holds
	*m = (*m)[:end]
	return last
}
