package types

import (
	"encoding/binary"
	"strconv"
)

// The kinds of items in a tsquery, and its operators (tsearch/ts_type.h).
const (
	queryItem    = 12 // bytes
	queryValue   = 1
	queryOperand = 2

	queryNot    = 1
	queryAnd    = 2
	queryOr     = 3
	queryPhrase = 4
)

// queryPriority is how strongly an operator binds.
var queryPriority = map[byte]int{queryNot: 4, queryAnd: 2, queryOr: 1, queryPhrase: 3}

// tsquery formats the number of items, the items in prefix order (the right operand
// before the left one), and the zero-terminated lexemes.
func tsquery(_ *Printer, dst, b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, corrupt("a tsquery of %d bytes", len(b))
	}
	count := int64(binary.LittleEndian.Uint32(b))
	if count*queryItem > int64(len(b)-4) {
		return nil, corrupt("a tsquery of %d items in %d bytes", count, len(b))
	}
	if count == 0 {
		return dst, nil
	}
	q := query{items: b[4 : 4+count*queryItem], lexemes: b[4+count*queryItem:]}
	q.left = len(q.lexemes)
	text, err := q.infix(0, false, 0)
	if err == nil && len(q.items) > 0 {
		err = corrupt("a tsquery with %d bytes after its items", len(q.items))
	}
	return append(dst, text...), err
}

// query is the part of a tsquery that is not written yet.
type query struct {
	items, lexemes []byte
	left           int // how many bytes the remaining lexemes may have: they do not overlap
}

func (q *query) infix(outer int, rightOfPhrase bool, depth int) ([]byte, error) {
	if len(q.items) < queryItem || depth > maxDepth*100 {
		return nil, corrupt("a tsquery with an operator without its operands")
	}
	item := q.items[:queryItem]
	q.items = q.items[queryItem:]
	switch item[0] {
	case queryValue:
		return q.lexeme(item)
	case queryOperand:
	default:
		return nil, corrupt("a tsquery with an item of kind %d", item[0])
	}
	operator := item[1]
	priority, known := queryPriority[operator]
	if !known {
		return nil, corrupt("a tsquery with operator %d", operator)
	}
	brackets := priority < outer || operator == queryPhrase && rightOfPhrase
	var dst []byte
	if brackets {
		dst = append(dst, "( "...)
	}
	if operator == queryNot {
		operand, err := q.infix(priority, false, depth+1)
		if err != nil {
			return nil, err
		}
		dst = append(append(dst, '!'), operand...)
	} else {
		right, err := q.infix(priority, operator == queryPhrase, depth+1)
		if err != nil {
			return nil, err
		}
		left, err := q.infix(priority, false, depth+1)
		if err != nil {
			return nil, err
		}
		dst = append(dst, left...)
		switch distance := int16(binary.LittleEndian.Uint16(item[2:])); {
		case operator == queryAnd:
			dst = append(dst, " & "...)
		case operator == queryOr:
			dst = append(dst, " | "...)
		case distance == 1:
			dst = append(dst, " <-> "...)
		default:
			dst = append(strconv.AppendInt(append(dst, " <"...), int64(distance), 10), "> "...)
		}
		dst = append(dst, right...)
	}
	if brackets {
		dst = append(dst, " )"...)
	}
	return dst, nil
}

// lexeme writes a value, which is stored as its weights, whether it is a prefix, a
// checksum, and the offset of the lexeme.
func (q *query) lexeme(item []byte) ([]byte, error) {
	weights, prefix := item[1], item[2] != 0
	where := binary.LittleEndian.Uint32(item[8:])
	length, at := int(where&0xFFF), int(where>>12)
	if q.left -= length; q.left < 0 || at+length > len(q.lexemes) {
		return nil, corrupt("a lexeme of %d bytes at %d of %d", length, at, len(q.lexemes))
	}
	dst := []byte{'\''}
	for _, c := range q.lexemes[at : at+length] {
		if c == '\'' || c == '\\' {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	dst = append(dst, '\'')
	if weights == 0 && !prefix {
		return dst, nil
	}
	dst = append(dst, ':')
	if prefix {
		dst = append(dst, '*')
	}
	for i := 3; i >= 0; i-- {
		if weights&(1<<i) != 0 {
			dst = append(dst, "DCBA"[i])
		}
	}
	return dst, nil
}
