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

// encodings are those of databases, by their numbers in mb/pg_wchar.h. UTF8 needs
// none; of SQL_ASCII and of those that are missing only what is UTF-8 is taken for text.
var encodings = map[int32]encoding.Encoding{
	1: japanese.EUCJP, 2: simplifiedchinese.GBK, 3: korean.EUCKR, 5: japanese.EUCJP,
	8: charmap.ISO8859_1, 9: charmap.ISO8859_2, 10: charmap.ISO8859_3, 11: charmap.ISO8859_4, 12: charmap.ISO8859_9,
	13: charmap.ISO8859_10, 14: charmap.ISO8859_13, 15: charmap.ISO8859_14, 16: charmap.ISO8859_15, 17: charmap.ISO8859_16,
	18: charmap.Windows1256, 19: charmap.Windows1258, 20: charmap.CodePage866, 21: charmap.Windows874, 22: charmap.KOI8R,
	23: charmap.Windows1251, 24: charmap.Windows1252, 25: charmap.ISO8859_5, 26: charmap.ISO8859_6, 27: charmap.ISO8859_7, 28: charmap.ISO8859_8,
	29: charmap.Windows1250, 30: charmap.Windows1253, 31: charmap.Windows1254, 32: charmap.Windows1255, 33: charmap.Windows1257, 34: charmap.KOI8U,
}

// textDecoder makes UTF-8 of a database's text.
type textDecoder struct{ from encoding.Encoding }

func decoderFor(number int32) textDecoder { return textDecoder{encodings[number]} }

// decode makes UTF-8 of text. Bytes that are no text become \xNN, and escaped is true.
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
		return escapeBytes(s), true
	}
	text, err := d.from.NewDecoder().String(s)
	if err != nil || strings.ContainsRune(text, utf8.RuneError) {
		return escapeBytes(s), true
	}
	return text, false
}

// escapeBytes keeps what is UTF-8 and writes all else as \xNN.
func escapeBytes(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[0])
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}
