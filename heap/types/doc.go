// Package types writes values down as PostgreSQL's output functions do: what COPY
// shows of them, with DateStyle ISO, IntervalStyle postgres, bytea_output hex, the
// time zone UTC and floats in as many digits as they need.
//
// The types that come with the server are in a table by their OIDs, which are the
// same in every major. Arrays, composite types, domains, enums, ranges and
// multiranges are what the catalog says they are ([Types]). Few of the types that
// extensions bring are known, by the function that writes them. Any other type is an
// [ErrUnknown]; its values are never guessed.
package types

import (
	"errors"
	"fmt"

	"github.com/gorewind/gorewind/heap"
)

// ErrUnknown is wrapped by the error about a value whose type has no text here.
var ErrUnknown = errors.New("how the type writes its values is not known")

// Type is what must be known of a type to write its values (catalog/pg_type.h).
type Type struct {
	OID       uint32
	Schema    string
	Name      string
	Kind      byte // typtype: b(ase), c(omposite), d(omain), e(num), m(ultirange), p(seudo), r(ange)
	Len       int16
	Align     byte
	Storage   byte   // typstorage: p(lain) and others
	Delimiter byte   // between elements of an array of it
	Element   uint32 // of an array; zero for all else
	Base      uint32 // of a domain
	Subtype   uint32 // of a range what it is of, of a multirange the range
	Columns   []Column
	Labels    map[uint32]string // of an enum, by OID
	// OutputProc is the OID of the function that writes its values. Output is what that
	// is, of types that extensions bring: "name" of one that comes with the server, "library
	// name" of others.
	OutputProc uint32
	Output     string
}

// Column is one of a composite type.
type Column struct {
	heap.Column
	Type    uint32
	Dropped bool
}

// Types is a database's catalog, as far as values need it.
type Types interface {
	// Type finds a type, or nil.
	Type(oid uint32) *Type
	// Name is how a type whose values are OIDs of something (regclass and the like)
	// writes one down, if it knows it.
	Name(regType, oid uint32) (string, bool)
}

// Printer writes values. Its fields must be set.
type Printer struct {
	Types Types
	// Fetch brings a value that lies in a TOAST table, as it is stored there.
	Fetch func(*heap.External) ([]byte, error)
	// Dollars is that money is written as with lc_monetary = C. Without it money is
	// not known: how many of its digits are a fraction depends on the locale.
	Dollars bool
	// FormatLSN writes a pg_lsn, as the major does.
	FormatLSN func(uint64) string
	// NoDatetime is that the kinds of items of a jsonpath are numbered as they were before
	// 13, and BareNumbers that its numbers are written as before 15, without brackets.
	NoDatetime, BareNumbers bool
}

// maxDepth bounds how deep types and documents can lie in each other.
const maxDepth = 100

// maxText is the most that a server makes of a value (MaxAllocSize).
const maxText = 1 << 30

// Text is what a value looks like. raw is that of [heap.Value].
func (p *Printer) Text(typ uint32, raw []byte) (string, error) {
	b, err := p.append(nil, typ, raw, 0)
	if err != nil {
		return "", err
	}
	return string(b), nil
}

// Bytes are a value's own, without a header: what there is to show of a value whose
// type is not known.
func (p *Printer) Bytes(length int16, raw []byte) ([]byte, error) {
	switch {
	case length == -2 && len(raw) > 0:
		return raw[:len(raw)-1], nil
	case length != -1:
		return raw, nil
	}
	b, external, err := heap.Inline(raw)
	if err != nil || external == nil {
		return b, err
	}
	if p.Fetch == nil {
		return nil, corrupt("a value in a TOAST table where there can be none")
	}
	stored, err := p.Fetch(external)
	if err != nil {
		return nil, err
	}
	return external.Assemble(stored)
}

func (p *Printer) append(dst []byte, typ uint32, raw []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, corrupt("types lie in each other more than %d deep", maxDepth)
	}
	t := p.Types.Type(typ)
	if t == nil {
		return nil, fmt.Errorf("type %d is not in the catalog: %w", typ, ErrUnknown)
	}
	if t.Kind == 'd' {
		return p.append(dst, t.Base, raw, depth+1)
	}
	b, err := p.Bytes(t.Len, raw)
	if err != nil {
		return nil, err
	}
	if write, known := writers[typ]; known {
		if t.Len > 0 && len(b) != int(t.Len) {
			return nil, corrupt("%d bytes of type %s", len(b), t.Name)
		}
		return write(p, dst, b)
	}
	switch {
	case t.Kind == 'e':
		return t.label(dst, b)
	case t.Kind == 'c':
		return p.composite(dst, t, b, depth)
	case t.Kind == 'r':
		return p.aRange(dst, t, b, depth)
	case t.Kind == 'm':
		return p.multirange(dst, t, b, depth)
	case t.Element != 0 && t.Len == -1:
		return p.array(dst, t, b, depth)
	}
	if write, known := extensions[t.Output]; known && t.Len == -1 {
		return write(p, dst, b)
	}
	return nil, fmt.Errorf("type %s.%s: %w", t.Schema, t.Name, ErrUnknown)
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), heap.ErrCorrupt)
}
