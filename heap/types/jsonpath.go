package types

import (
	"encoding/binary"
	"fmt"

	"github.com/gorewind/gorewind/heap"
)

const (
	pathVersion = 1
	pathLax     = 0x80000000
	lastLevel   = 0xFFFFFFFF // the level in .**{last}
)

// pathKind says how a jsonpath item is stored and written.
type pathKind struct {
	layout   pathLayout
	word     string
	priority int // of an operator; operands of lower or equal priority need parentheses
}

type pathLayout uint8

const (
	pathWord       pathLayout = iota // only its word
	pathString                       // length, text
	pathKey                          // length, text
	pathNumber                       // a numeric
	pathBool                         // a byte
	pathBinary                       // left and right
	pathSign                         // operand
	pathAround                       // operand, with a word before it and ) after it
	pathUnknown                      // operand
	pathSubscripts                   // number, from and to of each
	pathLevels                       // first and last
	pathRegex                        // flags, operand, length, pattern
	pathMethod                       // operand, or none
	pathMethod2                      // two operands at most
	pathNothing                      // never stored
)

const pathDatetime = 37 // number of .datetime()

const highest = 6 // priority of what needs no parentheses

// pathKinds has the kinds of items, by the numbers that are stored (enum
// JsonPathItemType, utils/jsonpath.h). New majors add kinds at the end.
var pathKinds = []pathKind{
	{pathWord, "null", highest},
	{pathString, "", highest},
	{pathNumber, "", highest},
	{pathBool, "", highest},
	{pathBinary, "&&", 1},
	{pathBinary, "||", 0},
	{pathAround, "!(", highest},
	{pathUnknown, "", highest},
	{pathBinary, "==", 2},
	{pathBinary, "!=", 2},
	{pathBinary, "<", 2},
	{pathBinary, ">", 2},
	{pathBinary, "<=", 2},
	{pathBinary, ">=", 2},
	{pathBinary, "+", 3},
	{pathBinary, "-", 3},
	{pathBinary, "*", 4},
	{pathBinary, "/", 4},
	{pathBinary, "%", 4},
	{pathSign, "+", 5},
	{pathSign, "-", 5},
	{pathWord, "[*]", highest},
	{pathKey, "*", highest}, // any key, which has no text
	{pathSubscripts, "", highest},
	{pathLevels, "", highest},
	{pathKey, "", highest},
	{pathWord, "@", highest},
	{pathWord, "$", highest},
	{pathString, "$", highest},
	{pathAround, "?(", highest},
	{pathAround, "exists (", highest},
	{pathWord, ".type()", highest},
	{pathWord, ".size()", highest},
	{pathWord, ".abs()", highest},
	{pathWord, ".floor()", highest},
	{pathWord, ".ceiling()", highest},
	{pathWord, ".double()", highest},
	{pathMethod, ".datetime(", highest},
	{pathWord, ".keyvalue()", highest},
	{pathNothing, "", highest},
	{pathWord, "last", highest},
	{pathBinary, "starts with", 2},
	{pathRegex, "", highest},
	{pathWord, ".bigint()", highest}, // 17
	{pathWord, ".boolean()", highest},
	{pathWord, ".date()", highest},
	{pathMethod2, ".decimal(", highest},
	{pathWord, ".integer()", highest},
	{pathWord, ".number()", highest},
	{pathWord, ".string()", highest},
	{pathMethod, ".time(", highest},
	{pathMethod, ".time_tz(", highest},
	{pathMethod, ".timestamp(", highest},
	{pathMethod, ".timestamp_tz(", highest},
	{pathMethod2, ".replace(", highest}, // 19
	{pathWord, ".lower()", highest},
	{pathWord, ".upper()", highest},
	{pathMethod, ".ltrim(", highest},
	{pathMethod, ".rtrim(", highest},
	{pathMethod, ".btrim(", highest},
	{pathWord, ".initcap()", highest},
	{pathMethod2, ".split_part(", highest},
}

// jsonpath formats a header and a tree of items. Each item has its kind, the offset of
// the item that follows it, and what its kind has. Offsets are relative to the item.
func jsonpath(p *Printer, dst, b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, corrupt("a jsonpath of %d bytes", len(b))
	}
	header := binary.LittleEndian.Uint32(b)
	if header&^pathLax != pathVersion {
		return nil, fmt.Errorf("a jsonpath of version %d: %w", header&^pathLax, ErrUnknown)
	}
	if header&pathLax == 0 {
		dst = append(dst, "strict "...)
	}
	w := &jsonPath{p: p, data: b[4:], left: len(b)}
	return w.item(dst, 0, false, true, 0)
}

type jsonPath struct {
	p    *Printer
	data []byte
	left int // how many more items there can be, given the remaining bytes
}

// pathItem is a decoded item.
type pathItem struct {
	pathKind
	at   int // offset in the data
	next int // offset of the next item; zero: none
	body []byte
}

func (w *jsonPath) read(at int) (i pathItem, err error) {
	next := (at + 4) &^ 3 // its content is aligned
	if w.left--; w.left < 0 || at < 0 || next+4 > len(w.data) {
		return i, corrupt("an item of a jsonpath at %d of %d bytes", at, len(w.data))
	}
	number := int(w.data[at])
	if w.p.NoDatetime && number >= pathDatetime {
		number++
	}
	if number >= len(pathKinds) || pathKinds[number].layout == pathNothing {
		return i, fmt.Errorf("a jsonpath with an item of kind %d: %w", number, ErrUnknown)
	}
	i = pathItem{pathKind: pathKinds[number], at: at, body: w.data[next+4:]}
	if by := int32(binary.LittleEndian.Uint32(w.data[next:])); by != 0 {
		if i.next = at + int(by); i.next <= 0 {
			return i, corrupt("an item of a jsonpath whose next item is before it")
		}
	}
	return i, nil
}

// has checks that an item starts with the given number of numbers.
func (i *pathItem) has(numbers int) error {
	if len(i.body) < 4*numbers {
		return corrupt("an item of a jsonpath that ends too early")
	}
	return nil
}

func (i *pathItem) number(n int) uint32 { return binary.LittleEndian.Uint32(i.body[4*n:]) }

// text returns the text after its length, which is one of the numbers.
func (i *pathItem) text(length int) ([]byte, error) {
	if err := i.has(length + 1); err != nil {
		return nil, err
	}
	b, n := i.body[4*length+4:], i.number(length)
	if uint64(n) > uint64(len(b)) {
		return nil, corrupt("a text of %d bytes in a jsonpath", n)
	}
	return b[:n], nil
}

// item writes an item and those that follow it.
func (w *jsonPath) item(dst []byte, at int, inKey, brackets bool, depth int) ([]byte, error) {
	if depth > maxDepth*100 {
		return nil, corrupt("items of a jsonpath are nested too deeply")
	}
	if len(dst) > maxText {
		return nil, corrupt("a jsonpath that takes more than %d bytes", maxText)
	}
	i, err := w.read(at)
	if err != nil {
		return nil, err
	}
	if dst, err = w.one(dst, &i, inKey, brackets, depth+1); err != nil || i.next == 0 {
		return dst, err
	}
	return w.item(dst, i.next, true, true, depth+1)
}

// operand writes the item whose offset is the n-th number of another item.
func (w *jsonPath) operand(dst []byte, i *pathItem, n, depth int) ([]byte, error) {
	if err := i.has(n + 1); err != nil {
		return nil, err
	}
	at := i.at + int(int32(i.number(n)))
	brackets := false
	switch i.layout {
	case pathBinary, pathSign, pathRegex:
		of, err := w.read(at)
		if err != nil {
			return nil, err
		}
		brackets = of.priority <= i.priority
	}
	return w.item(dst, at, false, brackets, depth)
}

func (w *jsonPath) one(dst []byte, i *pathItem, inKey, brackets bool, depth int) (_ []byte, err error) {
	bracket := func(c byte) {
		if brackets {
			dst = append(dst, c)
		}
	}
	switch i.layout {
	case pathWord:
		return append(dst, i.word...), nil
	case pathString:
		text, err := i.text(0)
		return appendJSON(append(dst, i.word...), text), err
	case pathKey:
		if inKey {
			dst = append(dst, '.')
		}
		if i.word != "" {
			return append(dst, i.word...), nil
		}
		text, err := i.text(0)
		return appendJSON(dst, text), err
	case pathNumber:
		return w.numeric(dst, i)
	case pathBool:
		if len(i.body) == 0 {
			return nil, corrupt("an item of a jsonpath that ends too early")
		}
		return fmt.Append(dst, i.body[0] != 0), nil
	case pathBinary:
		bracket('(')
		if dst, err = w.operand(dst, i, 0, depth); err != nil {
			return nil, err
		}
		dst = append(append(append(dst, ' '), i.word...), ' ')
		dst, err = w.operand(dst, i, 1, depth)
		bracket(')')
	case pathSign:
		bracket('(')
		dst, err = w.operand(append(dst, i.word...), i, 0, depth)
		bracket(')')
	case pathAround:
		dst, err = w.operand(append(dst, i.word...), i, 0, depth)
		dst = append(dst, ')')
	case pathUnknown:
		dst, err = w.operand(append(dst, '('), i, 0, depth)
		dst = append(dst, ") is unknown"...)
	case pathSubscripts:
		return w.subscripts(dst, i, depth)
	case pathLevels:
		if inKey {
			dst = append(dst, '.')
		}
		return levels(dst, i)
	case pathRegex:
		bracket('(')
		dst, err = w.regex(dst, i, depth)
		bracket(')')
	case pathMethod, pathMethod2:
		dst = append(dst, i.word...)
		for n := range 1 + int(i.layout-pathMethod) {
			if err := i.has(n + 1); err != nil {
				return nil, err
			}
			if i.number(n) == 0 {
				continue
			}
			if n > 0 {
				dst = append(dst, ',')
			}
			if dst, err = w.operand(dst, i, n, depth); err != nil {
				return nil, err
			}
		}
		dst = append(dst, ')')
	}
	return dst, err
}

// numeric writes a number, in parentheses if what follows begins with a point.
func (w *jsonPath) numeric(dst []byte, i *pathItem) ([]byte, error) {
	size, err := heap.VarlenaSize(i.body)
	if err != nil || size > len(i.body) {
		return nil, corrupt("a number in a jsonpath")
	}
	digits, external, err := heap.Inline(i.body[:size])
	if err != nil || external != nil {
		return nil, corrupt("a number in a jsonpath")
	}
	if i.next == 0 || w.p.BareNumbers {
		return numeric(w.p, dst, digits)
	}
	dst, err = numeric(w.p, append(dst, '('), digits)
	return append(dst, ')'), err
}

func (w *jsonPath) subscripts(dst []byte, i *pathItem, depth int) (_ []byte, err error) {
	if err := i.has(1); err != nil {
		return nil, err
	}
	count := i.number(0)
	if uint64(count)*8 > uint64(len(i.body)-4) {
		return nil, corrupt("%d subscripts in a jsonpath", count)
	}
	dst = append(dst, '[')
	for n := range int(count) {
		if n > 0 {
			dst = append(dst, ',')
		}
		if dst, err = w.operand(dst, i, 1+2*n, depth); err != nil {
			return nil, err
		}
		if i.number(2+2*n) == 0 {
			continue
		}
		if dst, err = w.operand(append(dst, " to "...), i, 2+2*n, depth); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// levels writes the levels of .**.
func levels(dst []byte, i *pathItem) ([]byte, error) {
	if err := i.has(2); err != nil {
		return nil, err
	}
	level := func(n uint32) string {
		if n == lastLevel {
			return "last"
		}
		return fmt.Sprint(n)
	}
	dst = append(dst, "**"...)
	switch first, last := i.number(0), i.number(1); {
	case first == 0 && last == lastLevel:
		return dst, nil
	case first == last:
		return fmt.Appendf(dst, "{%s}", level(first)), nil
	default:
		return fmt.Appendf(dst, "{%s to %s}", level(first), level(last)), nil
	}
}

func (w *jsonPath) regex(dst []byte, i *pathItem, depth int) (_ []byte, err error) {
	if dst, err = w.operand(dst, i, 1, depth); err != nil {
		return nil, err
	}
	pattern, err := i.text(2)
	if err != nil {
		return nil, err
	}
	dst = appendJSON(append(dst, " like_regex "...), pattern)
	flags := i.number(0)
	if flags == 0 {
		return dst, nil
	}
	dst = append(dst, ` flag "`...)
	for n, c := range []byte("ismxq") {
		if flags&(1<<n) != 0 {
			dst = append(dst, c)
		}
	}
	return append(dst, '"'), nil
}
