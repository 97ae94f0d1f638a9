package types

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/gorewind/gorewind/heap"
)

// Bits of a jsonb container's header and of its entries (utils/jsonb.h).
const (
	jsonCount  = 0x0FFFFFFF
	jsonScalar = 0x10000000
	jsonObject = 0x20000000
	jsonArray  = 0x40000000

	entryLength    = 0x0FFFFFFF // or where it ends, if entryOffset is set
	entryType      = 0x70000000
	entryString    = 0x00000000
	entryNumeric   = 0x10000000
	entryFalse     = 0x20000000
	entryTrue      = 0x30000000
	entryNull      = 0x40000000
	entryContainer = 0x50000000
	entryOffset    = 0x80000000
)

func jsonb(p *Printer, dst, b []byte) ([]byte, error) { return p.container(dst, b, 0) }

// container formats a jsonb container: a header with the number of its elements or
// pairs; an entry for each element, or for each key and then each value; and the data
// of these.
func (p *Printer) container(dst, b []byte, depth int) ([]byte, error) {
	if len(b) < 4 || depth > maxDepth*100 {
		return nil, corrupt("a jsonb container of %d bytes", len(b))
	}
	header := binary.LittleEndian.Uint32(b)
	count := int(header & jsonCount)
	isObject := header&jsonObject != 0
	entries := count
	if isObject {
		entries *= 2
	}
	if isObject == (header&jsonArray != 0) || 4*entries > len(b)-4 || header&jsonScalar != 0 && (isObject || count != 1) {
		return nil, corrupt("a jsonb container of %d bytes that begins %08X", len(b), header)
	}
	c := jsonContainer{p: p, entries: b[4 : 4+4*entries], data: b[4+4*entries:], depth: depth}
	if header&jsonScalar != 0 {
		return c.element(dst, 0, 0)
	}
	if !isObject {
		dst = append(dst, '[')
		at, err := 0, error(nil)
		for i := range count {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			if dst, err = c.element(dst, i, at); err != nil {
				return nil, err
			}
			at = c.end(i, at)
		}
		return append(dst, ']'), nil
	}
	valuesAt := 0
	for i := range count {
		valuesAt = c.end(i, valuesAt)
	}
	dst = append(dst, '{')
	for i, key, value := 0, 0, valuesAt; i < count; i++ {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		var err error
		if c.entry(i)&entryType != entryString {
			return nil, corrupt("a jsonb object with a key that is no text")
		}
		if dst, err = c.element(dst, i, key); err != nil {
			return nil, err
		}
		if dst, err = c.element(append(dst, ": "...), count+i, value); err != nil {
			return nil, err
		}
		key, value = c.end(i, key), c.end(count+i, value)
	}
	return append(dst, '}'), nil
}

type jsonContainer struct {
	p             *Printer
	entries, data []byte
	depth         int
}

func (c *jsonContainer) entry(i int) uint32 { return binary.LittleEndian.Uint32(c.entries[4*i:]) }

// end returns where the element ends that begins at an offset.
func (c *jsonContainer) end(i, at int) int {
	e := c.entry(i)
	if e&entryOffset != 0 {
		return int(e & entryLength)
	}
	return at + int(e&entryLength)
}

func (c *jsonContainer) element(dst []byte, i, at int) ([]byte, error) {
	end := c.end(i, at)
	kind := c.entry(i) & entryType
	if kind == entryNumeric || kind == entryContainer { // these are aligned, and their length includes the padding
		at = (at + 3) &^ 3
	}
	if at > end || end > len(c.data) {
		return nil, corrupt("a jsonb element from %d to %d of %d bytes", at, end, len(c.data))
	}
	if len(dst) > maxText {
		return nil, corrupt("a jsonb document that takes more than %d bytes", maxText)
	}
	b := c.data[at:end]
	switch kind {
	case entryString:
		return appendJSON(dst, b), nil
	case entryNumeric:
		digits, external, err := heap.Inline(b)
		if err != nil || external != nil {
			return nil, corrupt("a number in a jsonb document")
		}
		return numeric(c.p, dst, digits)
	case entryFalse:
		return append(dst, "false"...), nil
	case entryTrue:
		return append(dst, "true"...), nil
	case entryNull:
		return append(dst, "null"...), nil
	case entryContainer:
		return c.p.container(dst, b, c.depth+1)
	}
	return nil, corrupt("a jsonb element of type %08X", kind)
}

// appendJSON writes a string as the server does (escape_json, utils/adt/json.c).
func appendJSON(dst, b []byte) []byte {
	dst = append(dst, '"')
	for _, c := range b {
		switch c {
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '"', '\\':
			dst = append(dst, '\\', c)
		default:
			if c < ' ' {
				dst = fmt.Appendf(dst, `\u%04x`, c)
			} else {
				dst = append(dst, c)
			}
		}
	}
	return append(dst, '"')
}

// tsvector formats a number of lexemes, an entry for each of them (whether it has
// positions, its length and its offset), and the lexemes with their positions.
func tsvector(_ *Printer, dst, b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, corrupt("a tsvector of %d bytes", len(b))
	}
	count := int64(int32(binary.LittleEndian.Uint32(b)))
	if count < 0 || 4*count > int64(len(b)-4) {
		return nil, corrupt("a tsvector of %d lexemes in %d bytes", count, len(b))
	}
	texts, begin := b[4+4*count:], len(dst)
	for i := range count {
		// Overlapping lexemes could make a long text of few bytes. Lexemes that do not
		// overlap take less: two characters for a byte, seven for the two bytes of a
		// position.
		if len(dst)-begin > 4*len(b) {
			return nil, corrupt("a tsvector of %d bytes whose lexemes overlap", len(b))
		}
		entry := binary.LittleEndian.Uint32(b[4+4*i:])
		length, at := int(entry>>1&0x7FF), int(entry>>12)
		if at+length > len(texts) {
			return nil, corrupt("a lexeme of %d bytes at %d of %d", length, at, len(texts))
		}
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, '\'')
		for _, c := range texts[at : at+length] {
			if c == '\'' || c == '\\' {
				dst = append(dst, c)
			}
			dst = append(dst, c)
		}
		dst = append(dst, '\'')
		if entry&1 == 0 {
			continue
		}
		at = (at + length + 1) &^ 1
		if at+2 > len(texts) {
			return nil, corrupt("a lexeme without its positions")
		}
		n := int(binary.LittleEndian.Uint16(texts[at:]))
		if at += 2; at+2*n > len(texts) {
			return nil, corrupt("a lexeme with %d positions", n)
		}
		for j := range n {
			separator := byte(',')
			if j == 0 {
				separator = ':'
			}
			pos := binary.LittleEndian.Uint16(texts[at+2*j:])
			dst = strconv.AppendInt(append(dst, separator), int64(pos&0x3FFF), 10)
			if weight := pos >> 14; weight > 0 {
				dst = append(dst, "DCBA"[weight])
			}
		}
	}
	return dst, nil
}
