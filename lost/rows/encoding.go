package rows

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// charset is a database encoding, most of which have an equivalent in Go.
type charset struct {
	encoding.Encoding // nil: only ASCII is treated as text
	// lastLead, for EUC encodings, is the last byte that begins a two-byte character on
	// servers. The decoder here also accepts characters after that.
	lastLead byte
	unlike   string // characters that servers convert differently or not at all (utils/mb/Unicode)
}

// charsets has the database encodings, by their numbers in mb/pg_wchar.h. SQL_ASCII and
// UTF8 are left out: in both, what is valid UTF-8 is text.
var charsets = map[int32]charset{
	1: {japanese.EUCJP, 0xF4, "¦～"}, 2: {simplifiedchinese.GBK, 0xF7, "·—ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹ€ɑńňǹɡ︵︶︹︺︿﹀︽︾﹁﹂﹃﹄︻︼︷︸︱︳︴"}, 3: {korean.EUCKR, 0xFE, ""},
	4: {}, 5: {}, 7: {}, // EUC_TW, EUC_JIS_2004, MULE_INTERNAL
	8: {Encoding: charmap.ISO8859_1}, 9: {Encoding: charmap.ISO8859_2}, 10: {Encoding: charmap.ISO8859_3}, 11: {Encoding: charmap.ISO8859_4},
	12: {Encoding: charmap.ISO8859_9}, 13: {Encoding: charmap.ISO8859_10}, 14: {Encoding: charmap.ISO8859_13}, 15: {Encoding: charmap.ISO8859_14},
	16: {Encoding: charmap.ISO8859_15}, 17: {Encoding: charmap.ISO8859_16}, 18: {Encoding: charmap.Windows1256}, 19: {Encoding: charmap.Windows1258},
	20: {Encoding: charmap.CodePage866}, 21: {Encoding: charmap.Windows874}, 22: {Encoding: charmap.KOI8R}, 23: {Encoding: charmap.Windows1251},
	24: {Encoding: charmap.Windows1252}, 25: {Encoding: charmap.ISO8859_5}, 26: {Encoding: charmap.ISO8859_6}, 27: {Encoding: charmap.ISO8859_7},
	28: {Encoding: charmap.ISO8859_8}, 29: {Encoding: charmap.Windows1250}, 30: {Encoding: charmap.Windows1253}, 31: {Encoding: charmap.Windows1254},
	32: {Encoding: charmap.Windows1255, unlike: "\u05ba"}, 33: {Encoding: charmap.Windows1257}, 34: {Encoding: charmap.KOI8U, unlike: "Ўў"},
}

// has reports whether servers also accept the characters of an EUC text.
func (c *charset) has(s string) bool {
	for i := 0; c.lastLead != 0 && i < len(s); i++ {
		switch b := s[i]; {
		case b < utf8.RuneSelf:
		case b == 0x8F: // three bytes
			i += 2
		case b <= c.lastLead:
			i++
		default:
			return false
		}
	}
	return true
}

// textDecoder converts a database's text to UTF-8.
type textDecoder struct{ from *charset }

func decoderFor(number int32) textDecoder {
	if c, has := charsets[number]; has {
		return textDecoder{&c}
	}
	return textDecoder{}
}

// decode converts text to UTF-8. Bytes that are not valid text become \xNN, and then
// escaped is true.
func (d textDecoder) decode(s string) (text string, escaped bool) {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	switch {
	case ascii:
		return s, false
	case d.from == nil:
		if utf8.ValidString(s) {
			return s, false
		}
		return escapeBytes(s, utf8.DecodeRuneInString), true
	case d.from.Encoding == nil || !d.from.has(s):
		return escapeBytes(s, noRune), true
	}
	text, err := d.from.NewDecoder().String(s)
	if err != nil || strings.ContainsRune(text, utf8.RuneError) || strings.ContainsAny(text, d.from.unlike) {
		return escapeBytes(s, noRune), true
	}
	return text, false
}

// noRune accepts only ASCII characters.
func noRune(s string) (rune, int) {
	if s[0] < utf8.RuneSelf {
		return rune(s[0]), 1
	}
	return utf8.RuneError, 1
}

// escapeBytes keeps the characters that find accepts and writes everything else as
// \xNN.
func escapeBytes(s string, find func(string) (rune, int)) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := find(s)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[0])
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}
