package conninfo

import (
	"errors"
	"fmt"
	"strings"
)

// Settings are the values of keywords. A keyword can have an empty value, which
// differs from having none: an empty value is not replaced by a default.
type Settings struct {
	values  map[string]string
	suspect bool
}

// Value is the value of a keyword, empty if it has none.
func (s *Settings) Value(keyword string) string { return s.values[keyword] }

// Set sets a keyword's value and replaces any earlier one.
func (s *Settings) Set(keyword, value string) { s.values[keyword] = value }

// Suspect reports whether a URI has an "@" where none should be. Most likely its
// password contains special characters, so the host, the port and the database
// may be pieces of it, and nothing of the URI may be shown.
func (s *Settings) Suspect() bool { return s.suspect }

func (s *Settings) has(keyword string) bool {
	_, ok := s.values[keyword]
	return ok
}

// setDefault sets a keyword's value unless it has one.
func (s *Settings) setDefault(keyword, value string) {
	if !s.has(keyword) {
		s.values[keyword] = value
	}
}

// Parse parses a connection string, in the form of keywords and values or
// of a URI. Errors have libpq's wording.
func Parse(connString string) (*Settings, error) {
	if strings.Contains(connString, "\x00") {
		return nil, errors.New("the connection string contains a NUL byte")
	}
	p := &parser{settings: &Settings{values: map[string]string{}}}
	for _, scheme := range []string{"postgresql://", "postgres://"} {
		if rest, ok := strings.CutPrefix(connString, scheme); ok {
			return p.settings, p.parseURI(rest, len(scheme))
		}
	}
	return p.settings, p.parsePairs(connString)
}

// parser keeps passwords out of messages.
type parser struct {
	settings   *Settings
	secretSeen bool // from then on, anything may be a part of a password
}

// mention quotes a piece of the connection string for a message, or hides it.
func (p *parser) mention(piece string) string {
	plain := strings.Trim(piece, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == ""
	if p.secretSeen || p.settings.suspect || !plain {
		return `"..."`
	}
	return `"` + piece + `"`
}

// errUnknown is the error for a keyword that does not exist.
var errUnknown = errors.New("unknown keyword")

// store sets a value. The last value of a keyword counts.
func (p *parser) store(keyword, value string) error {
	if keyword == "requiressl" { // the predecessor of sslmode
		keyword = "sslmode"
		if strings.HasPrefix(value, "1") {
			value = "require"
		} else {
			value = "prefer"
		}
	}
	k := find(keyword)
	if k == nil {
		return errUnknown
	}
	p.secretSeen = p.secretSeen || k.Secret
	p.settings.values[keyword] = value
	return nil
}

// spaces are the white-space characters of C.
const spaces = " \t\n\v\f\r"

func isSpace(c byte) bool { return strings.IndexByte(spaces, c) >= 0 }

// parsePairs reads keyword = value pairs.
func (p *parser) parsePairs(s string) error {
	for s = strings.TrimLeft(s, spaces); s != ""; s = strings.TrimLeft(s, spaces) {
		end := strings.IndexAny(s, "="+spaces)
		if end < 0 {
			end = len(s)
		}
		keyword := s[:end]
		rest, ok := strings.CutPrefix(strings.TrimLeft(s[end:], spaces), "=")
		if !ok {
			return fmt.Errorf(`missing "=" after %s in connection info string`, p.mention(keyword))
		}
		value, rest, ok := cutValue(strings.TrimLeft(rest, spaces))
		if !ok {
			return errors.New("unterminated quoted string in connection info string")
		}
		if p.store(keyword, value) != nil {
			return fmt.Errorf("invalid connection option %s", p.mention(keyword))
		}
		s = rest
	}
	return nil
}

// cutValue reads a value up to white space or, if it is quoted, up to the closing
// quote. A backslash escapes the next character.
func cutValue(s string) (value, rest string, ok bool) {
	quoted := strings.HasPrefix(s, "'")
	if quoted {
		s = s[1:]
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		case quoted && c == '\'', !quoted && isSpace(c):
			return b.String(), s[i+1:], true
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", !quoted
}
