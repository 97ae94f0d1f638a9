package heap

import (
	"encoding/binary"
	"iter"

	"github.com/gorewind/gorewind/pgdata"
)

// Page header and line pointers (storage/bufpage.h, storage/itemid.h).
const (
	pageHeaderSize = 24
	itemSize       = 4
	itemNormal     = 1
	layoutVersion  = 4
)

// Page is a block of a relation.
type Page []byte

// LSN returns the end of the last record that changed the page.
func (p Page) LSN() pgdata.LSN {
	if len(p) < 8 {
		return 0
	}
	return pgdata.LSN(binary.LittleEndian.Uint32(p))<<32 | pgdata.LSN(binary.LittleEndian.Uint32(p[4:]))
}

// lower returns where the line pointers end; zero for a page that was never written.
func (p Page) lower() int { return int(binary.LittleEndian.Uint16(p[12:])) }

// IsNew reports whether the page was never written.
func (p Page) IsNew() bool {
	return len(p) < pageHeaderSize || binary.LittleEndian.Uint16(p[14:]) == 0
}

// Check returns an error if the page's header is wrong.
func (p Page) Check() error {
	if p.IsNew() {
		return nil
	}
	lower, upper, special := p.lower(), int(binary.LittleEndian.Uint16(p[14:])), int(binary.LittleEndian.Uint16(p[16:]))
	sized := binary.LittleEndian.Uint16(p[18:])
	switch {
	case sized&0xFF != layoutVersion || len(p) != int(sized&0xFF00):
		return corrupt("a page of %d bytes calls itself one of %d in layout %d", len(p), sized&0xFF00, sized&0xFF)
	case lower < pageHeaderSize || lower > upper || upper > special || special > len(p):
		return corrupt("page with lower %d, upper %d, special %d", lower, upper, special)
	}
	return nil
}

// Items returns the number of line pointers on the page.
func (p Page) Items() int {
	if p.IsNew() || p.lower() > len(p) {
		return 0
	}
	return max(0, (p.lower()-pageHeaderSize)/itemSize)
}

// Item returns what the line pointer with a number, from 1, points to. It is nil if the
// line pointer is unused, dead, or redirects to another one.
func (p Page) Item(n uint16) ([]byte, error) {
	if n < 1 || int(n) > p.Items() {
		return nil, nil
	}
	item := binary.LittleEndian.Uint32(p[pageHeaderSize+itemSize*(int(n)-1):])
	offset, flags, length := int(item&0x7FFF), item>>15&3, int(item>>17)
	if flags != itemNormal {
		return nil, nil
	}
	if offset < p.lower() || offset+length > len(p) {
		return nil, corrupt("line pointer %d leads to %d bytes at %d", n, length, offset)
	}
	return p[offset : offset+length], nil
}

// Tuples yields the page's tuples by the numbers of their line pointers, including dead
// ones. An error concerns one tuple and does not end the sequence.
func (p Page) Tuples() iter.Seq2[Tuple, error] {
	return func(yield func(Tuple, error) bool) {
		for n := 1; n <= p.Items(); n++ {
			raw, err := p.Item(uint16(n))
			if raw == nil && err == nil {
				continue
			}
			var t Tuple
			if err == nil {
				t, err = ParseTuple(raw)
			}
			if t.Offset = uint16(n); !yield(t, err) {
				return
			}
		}
	}
}

// Tuple returns the tuple that a line pointer, from 1, points to. ok is false if it
// points to none.
func (p Page) Tuple(n uint16) (t Tuple, ok bool, err error) {
	raw, err := p.Item(n)
	if raw == nil || err != nil {
		return Tuple{}, false, err
	}
	if t, err = ParseTuple(raw); err != nil {
		return Tuple{}, false, err
	}
	t.Offset = n
	return t, true, nil
}
