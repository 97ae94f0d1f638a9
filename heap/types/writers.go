package types

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
)

// writer appends the text of a value. b has as many bytes as the type or, for a
// varlena, its content without the header.
type writer = func(p *Printer, dst, b []byte) ([]byte, error)

// writers has the writers of the types that come with the server, by their OIDs.
var writers = map[uint32]writer{
	16: boolean, 17: bytea, 18: char, 19: name,
	20: signed, 21: signed, 23: signed,
	26: unsigned, 28: unsigned, 29: unsigned, 5069: unsigned, // oid, xid, cid, xid8
	25: verbatim, 114: verbatim, 1042: verbatim, 1043: verbatim, 1790: verbatim, 194: verbatim, // text, json, bpchar, varchar, refcursor, pg_node_tree
	142: xml, 27: tid, 22: int2vector, 30: oidvector,
	700: float4, 701: float8, 790: money, 1700: numeric,
	600: point, 601: lseg, 602: path, 603: box, 604: polygon, 628: line, 718: circle,
	829: mac, 774: mac, 869: inet, 650: cidr, 2950: uuid, 3220: lsn,
	1082: date, 1083: timeOfDay, 1114: timestamp, 1184: timestampTZ, 1186: interval, 1266: timeTZ,
	1560: bits, 1562: bits, 3614: tsvector, 3802: jsonb,
	3615: tsquery, 4072: jsonpath,
	// regproc, regprocedure, regoper, regoperator, regclass, regtype, regrole, regnamespace, regconfig, regdictionary, regcollation, regdatabase
	24: reg(24, "-"), 2202: reg(2202, "-"), 2203: reg(2203, "0"), 2204: reg(2204, "0"), 2205: reg(2205, "-"), 2206: reg(2206, "-"), 4096: reg(4096, "-"),
	4089: reg(4089, "-"), 3734: reg(3734, "-"), 3769: reg(3769, "-"), 4191: reg(4191, "-"), 6490: reg(6490, "-"),
}

// extensions has the writers of varlena types from extensions, by [Type].Output.
var extensions = map[string]writer{
	"textout":                   verbatim, // citext
	"$libdir/hstore hstore_out": hstore,
}

func verbatim(_ *Printer, dst, b []byte) ([]byte, error) { return append(dst, b...), nil }

func boolean(_ *Printer, dst, b []byte) ([]byte, error) {
	if b[0] != 0 {
		return append(dst, 't'), nil
	}
	return append(dst, 'f'), nil
}

func bytea(_ *Printer, dst, b []byte) ([]byte, error) {
	return hex.AppendEncode(append(dst, `\x`...), b), nil
}

// char formats "char": a byte, of which zero is an empty text. A byte that is not ASCII
// is written as a number from 16 on. Before that it is written as it is, which is valid
// text in few encodings.
func char(_ *Printer, dst, b []byte) ([]byte, error) {
	switch {
	case b[0] == 0:
		return dst, nil
	case b[0] >= 0x80:
		return fmt.Appendf(dst, `\%03o`, b[0]), nil
	}
	return append(dst, b[0]), nil
}

func name(_ *Printer, dst, b []byte) ([]byte, error) {
	if n := bytes.IndexByte(b, 0); n >= 0 {
		b = b[:n]
	}
	return append(dst, b...), nil
}

func signed(_ *Printer, dst, b []byte) ([]byte, error) {
	var n int64
	switch len(b) {
	case 2:
		n = int64(int16(binary.LittleEndian.Uint16(b)))
	case 4:
		n = int64(int32(binary.LittleEndian.Uint32(b)))
	default:
		n = int64(binary.LittleEndian.Uint64(b))
	}
	return strconv.AppendInt(dst, n, 10), nil
}

func unsigned(_ *Printer, dst, b []byte) ([]byte, error) {
	if len(b) == 4 {
		return strconv.AppendUint(dst, uint64(binary.LittleEndian.Uint32(b)), 10), nil
	}
	return strconv.AppendUint(dst, binary.LittleEndian.Uint64(b), 10), nil
}

func tid(_ *Printer, dst, b []byte) ([]byte, error) {
	block := uint32(binary.LittleEndian.Uint16(b))<<16 | uint32(binary.LittleEndian.Uint16(b[2:]))
	return fmt.Appendf(dst, "(%d,%d)", block, binary.LittleEndian.Uint16(b[4:])), nil
}

// int2vector and oidvector are arrays that are written as lists of words.
func int2vector(p *Printer, dst, b []byte) ([]byte, error) { return vector(p, dst, b, 2, signed) }
func oidvector(p *Printer, dst, b []byte) ([]byte, error)  { return vector(p, dst, b, 4, unsigned) }

func vector(p *Printer, dst, b []byte, size int, write writer) ([]byte, error) {
	const header = 20 // ndim, dataoffset, elemtype, dim, lbound
	if len(b) < header || (len(b)-header)%size != 0 || int64(binary.LittleEndian.Uint32(b[12:])) != int64((len(b)-header)/size) {
		return nil, corrupt("a vector of %d bytes", len(b))
	}
	for i := header; i < len(b); i += size {
		if i > header {
			dst = append(dst, ' ')
		}
		dst, _ = write(p, dst, b[i:i+size])
	}
	return dst, nil
}

func uuid(_ *Printer, dst, b []byte) ([]byte, error) {
	for i, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst, nil
}

func mac(_ *Printer, dst, b []byte) ([]byte, error) {
	for i := range b {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = hex.AppendEncode(dst, b[i:i+1])
	}
	return dst, nil
}

func lsn(p *Printer, dst, b []byte) ([]byte, error) {
	return append(dst, p.FormatLSN(binary.LittleEndian.Uint64(b))...), nil
}

// bits formats bit and bit varying: the number of bits, and the bits, the highest bit
// of each byte first.
func bits(_ *Printer, dst, b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, corrupt("a bit string of %d bytes", len(b))
	}
	n, b := int64(int32(binary.LittleEndian.Uint32(b))), b[4:]
	if n < 0 || (n+7)/8 != int64(len(b)) {
		return nil, corrupt("a bit string of %d bits in %d bytes", n, len(b))
	}
	for i := range n {
		dst = append(dst, '0'+b[i/8]>>(7-i%8)&1)
	}
	return dst, nil
}

// reg returns a writer for OIDs of objects, which uses the object's name if it exists.
func reg(typ uint32, nothing string) writer {
	return func(p *Printer, dst, b []byte) ([]byte, error) {
		oid := binary.LittleEndian.Uint32(b)
		if oid == 0 {
			return append(dst, nothing...), nil
		}
		if s, known := p.Types.Name(typ, oid); known {
			return append(dst, s...), nil
		}
		return strconv.AppendUint(dst, uint64(oid), 10), nil
	}
}

// xml removes the encoding from an XML declaration, as the server does, because the
// text is in the client's encoding (xml_out_internal, utils/adt/xml.c).
func xml(_ *Printer, dst, b []byte) ([]byte, error) {
	rest, isDecl := bytes.CutPrefix(b, []byte("<?xml"))
	if !isDecl || len(rest) == 0 || !isSpace(rest[0]) {
		return append(dst, b...), nil
	}
	decl, rest, closed := bytes.Cut(rest, []byte("?>"))
	if !closed {
		return append(dst, b...), nil
	}
	version, standalone := attribute(decl, "version"), attribute(decl, "standalone")
	if version == "1.0" && standalone == "" {
		rest = bytes.TrimPrefix(rest, []byte("\n"))
		return append(dst, rest...), nil
	}
	dst = fmt.Appendf(dst, `<?xml version="%s"`, version)
	if standalone != "" {
		dst = fmt.Appendf(dst, ` standalone="%s"`, standalone)
	}
	return append(append(dst, "?>"...), rest...), nil
}

// attribute returns the value of an attribute of an XML declaration.
func attribute(decl []byte, name string) string {
	_, rest, found := bytes.Cut(decl, []byte(name))
	rest = bytes.TrimLeft(rest, " \t\r\n=")
	if !found || len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	value, _, _ := bytes.Cut(rest[1:], rest[:1])
	return string(value)
}

// isSpace is C's isspace for ASCII.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
