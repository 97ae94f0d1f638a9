// Package types formats values as PostgreSQL's output functions do, and as COPY shows
// them with DateStyle ISO, IntervalStyle postgres, bytea_output hex, the time zone UTC,
// and as many digits of floats as needed.
//
// The types that come with the server are in a table by their OIDs, which are the same
// in every major. Arrays, composite types, domains, enums, ranges and multiranges are
// as the catalog describes them ([Types]). A few of the types that extensions add are
// known, by their output functions. Any other type is an [ErrUnknown]; its values are
// never guessed.
package types

import (
	"errors"
	"fmt"

	"github.com/gorewind/gorewind/heap"
)

// ErrUnknown is wrapped by the error about a value of a type that cannot be formatted.
var ErrUnknown = errors.New("how the type writes its values is not known")

// Type is what must be known of a type to format its values (catalog/pg_type.h).
type Type struct {
	OID       uint32
	Schema    string
	Name      string
	Kind      byte // typtype: b(ase), c(omposite), d(omain), e(num), m(ultirange), p(seudo), r(ange)
	Len       int16
	Align     byte
	Storage   byte   // typstorage: p(lain) and others
	Delimiter byte   // between elements of an array of this type
	Element   uint32 // element type of an array; otherwise zero
	Base      uint32 // base type of a domain
	Subtype   uint32 // of a range, the type of its bounds; of a multirange, the range type
	Columns   []Column
	Labels    map[uint32]string // labels of an enum, by OID
	// OutputProc is the OID of its output function. Output identifies that function for
	// types from extensions: "name" for a function that comes with the server, "library
	// name" for others.
	OutputProc uint32
	Output     string
}

// Column is a column of a composite type.
type Column struct {
	heap.Column
	Type    uint32
	Dropped bool
}

// Types is the part of a database's catalog that is needed to format values.
type Types interface {
	// Type returns a type, or nil.
	Type(oid uint32) *Type
	// Name returns the text of an OID for a type whose values are OIDs of objects
	// (regclass and the like), if it is known.
	Name(regType, oid uint32) (string, bool)
}

// Printer formats values. Its fields must be set.
type Printer struct {
	Types Types
	// Fetch returns a value from a TOAST table, as it is stored there.
	Fetch func(*heap.External) ([]byte, error)
	// Dollars says that lc_monetary is C. Without it, money cannot be formatted: the
	// number of fractional digits depends on the locale.
	Dollars bool
	// FormatLSN formats a pg_lsn, as the major does.
	FormatLSN func(uint64) string
	// NoDatetime says that the kinds of jsonpath items are numbered as before 13.
	// BareNumbers says that jsonpath numbers are written without parentheses, as before
	// 15.
	NoDatetime, BareNumbers bool
}

// maxDepth limits the nesting of types and documents.
const maxDepth = 100

// maxText is the longest text that a server makes of a value (MaxAllocSize).
const maxText = 1 << 30

// Text formats a value. raw is as in [heap.Value].
func (p *Printer) Text(typ uint32, raw []byte) (string, error) {
	b, err := p.append(nil, typ, raw, 0)
	if err != nil {
		return "", err
	}
	return string(b), nil
}

// Bytes returns a value's bytes without a header. This is what can be shown of a value
// of unknown type.
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
		return nil, corrupt("a value in a TOAST table where none is allowed")
	}
	stored, err := p.Fetch(external)
	if err != nil {
		return nil, err
	}
	return external.Assemble(stored)
}

func (p *Printer) append(dst []byte, typ uint32, raw []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, corrupt("types are nested more than %d deep", maxDepth)
	}
	var t *Type
	if p.Types != nil {
		t = p.Types.Type(typ)
	}
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
		return p.rangeValue(dst, t, b, depth)
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
