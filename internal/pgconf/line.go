package pgconf

import (
	"errors"
	"regexp"
	"strings"
)

type tokenKind int

const (
	tokSpace tokenKind = iota
	tokComment
	tokID
	tokQualifiedID
	tokString
	tokUnquoted
	tokInteger
	tokReal
	tokEquals
	tokEnd // end of the line
	tokBad
)

// tokens are the rules of the server's scanner, in its order: the longest match
// wins, and of equally long ones the first. Bytes beyond ASCII are letters.
var tokens = []struct {
	kind tokenKind
	re   *regexp.Regexp
}{
	{tokSpace, token(`[ \t\r]+`)},
	{tokComment, token(`#.*`)},
	{tokID, token(`[A-Za-z_\x{80}-\x{10FFFF}][A-Za-z_0-9\x{80}-\x{10FFFF}]*`)},
	{tokQualifiedID, token(`[A-Za-z_\x{80}-\x{10FFFF}][A-Za-z_0-9\x{80}-\x{10FFFF}]*\.[A-Za-z_\x{80}-\x{10FFFF}][A-Za-z_0-9\x{80}-\x{10FFFF}]*`)},
	// In the server a zero byte ends the value, one character early; no valid file has one.
	{tokString, token(`'([^'\\\x00]|\\[^\x00]|'')*'`)},
	{tokUnquoted, token(`[A-Za-z_\x{80}-\x{10FFFF}][A-Za-z_0-9\x{80}-\x{10FFFF}._:/-]*`)},
	{tokInteger, token(`[-+]?([0-9]+|0x[0-9a-fA-F]+)[a-zA-Z]*`)},
	{tokReal, token(`[-+]?[0-9]*\.[0-9]*([Ee][-+]?[0-9]+)?`)},
	{tokEquals, token(`=`)},
}

func token(expr string) *regexp.Regexp {
	re := regexp.MustCompile(`^(?:` + expr + `)`)
	re.Longest()
	return re
}

// scanner splits a line into tokens. No token spans lines.
type scanner struct{ rest string }

func (s *scanner) next() (kind tokenKind, text string) {
	for s.rest != "" {
		kind = tokBad
		length := 0
		for _, t := range tokens {
			if m := t.re.FindStringIndex(s.rest); m != nil && m[1] > length {
				kind, length = t.kind, m[1]
			}
		}
		if kind == tokBad {
			return tokBad, s.rest
		}
		text, s.rest = s.rest[:length], s.rest[length:]
		if kind != tokSpace && kind != tokComment {
			return kind, text
		}
	}
	return tokEnd, ""
}

var errSyntax = errors.New("syntax error")

// parseLine returns the setting on a line; the name of an empty line is empty. The
// line may end with a newline.
func parseLine(line string) (name, value string, err error) {
	s := scanner{strings.TrimSuffix(line, "\n")}
	kind, name := s.next()
	switch kind {
	case tokEnd:
		return "", "", nil
	case tokID, tokQualifiedID:
	default:
		return "", "", errSyntax
	}
	kind, value = s.next()
	if kind == tokEquals {
		kind, value = s.next()
	}
	switch kind {
	case tokString:
		value = unquote(value)
	case tokID, tokUnquoted, tokInteger, tokReal:
	default: // "a.b" is a name, but not a value unless quoted
		return "", "", errSyntax
	}
	if kind, _ = s.next(); kind != tokEnd {
		return "", "", errSyntax
	}
	return name, value, nil
}

// unquote returns the value of a quoted string. An escaped zero byte ends it, as
// it ends strings in the server.
func unquote(quoted string) string {
	s := quoted[1 : len(quoted)-1]
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch c {
		case '\'':
			i++ // skip the second quote
		case '\\':
			i++
			if c = s[i]; isOctal(c) {
				c = 0
				end := min(i+3, len(s))
				for ; i < end && isOctal(s[i]); i++ {
					c = c<<3 + s[i] - '0' // overflow is truncated, as in the server
				}
				i--
			} else if e := strings.IndexByte("bfnrt", c); e >= 0 {
				c = "\b\f\n\r\t"[e]
			}
			if c == 0 {
				return b.String()
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

func isOctal(c byte) bool { return '0' <= c && c <= '7' }

// Quote quotes a value so that the server reads it back unchanged. A value with a zero byte
// cannot be written.
func Quote(value string) (string, error) {
	if strings.ContainsRune(value, 0) {
		return "", errors.New("a zero byte cannot be part of a setting")
	}
	return "'" + strings.NewReplacer("'", "''", `\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(value) + "'", nil
}

// lower compares names as the server does (guc_name_compare): only ASCII letters are folded.
func lower(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, name)
}
