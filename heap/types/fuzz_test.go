package types_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/heap/types"
)

// catalog has one type of each kind, and all that come with the server.
type catalog struct{}

const (
	myArray = 20_000 + iota
	myEnum
	myDomain
	myComposite
	myRange
	myMultirange
	myTextArray
	myHstore
)

func (catalog) Type(oid uint32) *types.Type {
	switch oid {
	case myArray:
		return &types.Type{OID: oid, Name: "_int4", Kind: 'b', Len: -1, Align: 'i', Element: 23}
	case myTextArray:
		return &types.Type{OID: oid, Name: "_text", Kind: 'b', Len: -1, Align: 'i', Element: 25}
	case myHstore:
		return &types.Type{OID: oid, Name: "hstore", Kind: 'b', Len: -1, Align: 'i', Output: "$libdir/hstore hstore_out"}
	case myEnum:
		return &types.Type{OID: oid, Name: "mood", Kind: 'e', Len: 4, Align: 'i', Labels: map[uint32]string{1: "sad"}}
	case myDomain:
		return &types.Type{OID: oid, Name: "label", Kind: 'd', Len: -1, Align: 'i', Base: 25}
	case myComposite:
		return &types.Type{OID: oid, Name: "pair", Kind: 'c', Len: -1, Align: 'd', Columns: []types.Column{
			{Column: heap.Column{Len: 4, Align: 'i'}, Type: 23}, {Column: heap.Column{Len: -1, Align: 'i'}, Type: myTextArray},
		}}
	case myRange:
		return &types.Type{OID: oid, Name: "textrange", Kind: 'r', Len: -1, Align: 'i', Subtype: 25}
	case myMultirange:
		return &types.Type{OID: oid, Name: "textmultirange", Kind: 'm', Len: -1, Align: 'i', Subtype: myRange}
	}
	for _, t := range []struct {
		length int16
		align  byte
		oids   []uint32
	}{
		{1, 'c', []uint32{16, 18}},
		{2, 's', []uint32{21}},
		{4, 'i', []uint32{23, 24, 26, 28, 29, 700, 1082, 2205, 2206, 4089, 4096, 3734, 3769, 4191, 2202, 2203, 2204, 6490}},
		{6, 's', []uint32{27}},
		{6, 'i', []uint32{829}},
		{8, 'd', []uint32{20, 701, 790, 1083, 1114, 1184, 3220, 5069}},
		{8, 'i', []uint32{774}},
		{12, 'd', []uint32{1266}},
		{16, 'd', []uint32{600, 1186}},
		{16, 'c', []uint32{2950}},
		{24, 'd', []uint32{628, 718}},
		{32, 'd', []uint32{601, 603}},
		{64, 'c', []uint32{19}},
		{-1, 'i', []uint32{17, 22, 25, 30, 114, 142, 194, 602, 604, 650, 869, 1042, 1043, 1560, 1562, 1700, 1790, 3614, 3615, 3802, 4072}},
	} {
		for _, o := range t.oids {
			if o == oid {
				return &types.Type{OID: oid, Name: "builtin", Kind: 'b', Len: t.length, Align: t.align}
			}
		}
	}
	return nil
}

func (catalog) Name(uint32, uint32) (string, bool) { return "", false }

func printer() *types.Printer {
	return &types.Printer{Types: catalog{}, Dollars: true, FormatLSN: func(uint64) string { return "0/0" }}
}

// Whatever the bytes are, the result is a text or an error.
func FuzzText(f *testing.F) {
	for oid := range uint32(myHstore - myArray + 1) {
		f.Add(myArray+oid, []byte("\x40\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x17\x00\x00\x00"))
	}
	for _, oid := range []uint32{16, 17, 1700, 3802, 3614, 869, 1186, 602, 604, 1562, 142, 30} {
		f.Add(oid, []byte("\x1babcdefghijkl"))
	}
	// An hstore of two pairs, a tsquery, and jsonpaths, as servers store them.
	for oid, s := range map[uint32]string{
		myHstore: "\x02\x00\x00\x80\x01\x00\x00\x80\x02\x00\x00\x00\x03\x00\x00\x00\x03\x00\x00\x40a1b",
		3615:     "\x03\x00\x00\x00\x02\x02\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x20\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00a\x00b\x00",
		4072:     "\x01\x00\x00\x80\x1b\x00\x00\x00\x08\x00\x00\x00\x19\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00a\x00",
	} {
		f.Add(oid, append(binary.LittleEndian.AppendUint32(nil, uint32(len(s)+4)<<2), s...))
	}
	f.Fuzz(func(t *testing.T, oid uint32, raw []byte) {
		p := printer()
		if typ := p.Types.Type(oid); typ != nil && typ.Len > 0 && len(raw) > int(typ.Len) {
			raw = raw[:typ.Len]
		}
		text, err := p.Text(oid, raw)
		if err == nil && len(text) > 100*len(raw)+200_000 {
			t.Fatalf("%d bytes of text of %d", len(text), len(raw))
		}
	})
}

func TestEmptyAndShortValuesAreErrorsOrTexts(t *testing.T) {
	p := printer()
	for oid := range uint32(6000) {
		typ := p.Types.Type(oid)
		if typ == nil {
			continue
		}
		for n := range 70 {
			raw := make([]byte, n)
			if typ.Len == -1 {
				raw = binary.LittleEndian.AppendUint32(nil, uint32(n+4)<<2)
				raw = append(raw, make([]byte, n)...)
			}
			_, _ = p.Text(oid, raw)
		}
	}
}

// Overlapping lexemes are refused: a few bytes could become a very long text.
func TestOverlappingLexemesAreRefused(t *testing.T) {
	const lexemes = 2000
	vector := binary.LittleEndian.AppendUint32(nil, lexemes)
	query := binary.LittleEndian.AppendUint32(nil, 2*lexemes-1)
	for i := range lexemes {
		vector = binary.LittleEndian.AppendUint32(vector, 2047<<1)
		if i < lexemes-1 {
			query = append(query, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) // &, whose operands are this item and what follows
		}
		query = append(query, 1, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0x07, 0, 0)
	}
	for typ, b := range map[uint32][]byte{3614: vector, 3615: query} {
		b = append(b, make([]byte, 2048)...)
		text, err := printer().Text(typ, append(binary.LittleEndian.AppendUint32(nil, uint32(len(b)+4)<<2), b...))
		assert.Zero(t, len(text), typ)
		require.ErrorIs(t, err, heap.ErrCorrupt, typ)
		assert.ErrorContains(t, err, "lexeme", typ)
	}
}
