package timeline

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// MaxSize is the largest size of a history file, in bytes. An entry takes about 50 bytes, so
// this is enough for hundreds of thousands of promotions.
const MaxSize = 16 << 20

// ParseError says what is wrong with a history file, in pg_rewind's words if
// it has a message for it.
type ParseError struct {
	TLI    pgdata.TimelineID // the timeline of the history file
	Number int               // the line number, from 1; zero for the file as a whole
	Line   string            // the line's text
	Msg    string
	Hint   string
}

func (e *ParseError) Error() string {
	s := pgdata.HistoryFileName(e.TLI)
	if e.Number > 0 {
		s += fmt.Sprintf(", line %d", e.Number)
	}
	s += ": " + e.Msg
	if e.Number > 0 {
		s += ": " + printable(e.Line)
	}
	return s + ": " + e.Hint
}

// printable makes a line of any file safe for a message.
func printable(line string) string {
	const most = 100
	if len(line) > most {
		line = line[:most] + "..."
	}
	line = strings.ReplaceAll(line, "\t", " ")
	if quoted := strconv.Quote(line); len(quoted) != len(line)+2 {
		return quoted
	}
	return line
}

// Parse reads the history file of timeline tli. Timeline 1 has none: pass nil.
//
// Each line has the number of an ancestor in decimal, white space, and the LSN
// of the switch to the next entry, zero-padded or not; after white space the rest
// is a comment. Blank lines and lines that begin with # are skipped, also if they are
// blank except for a carriage return. Signs, prefixes and overlong numbers, which the
// server's sscanf accepts, are errors, and so is a file without any entry, because it
// was truncated. LSNs may decrease; see [History].
//
// The error is a *ParseError.
func Parse(tli pgdata.TimelineID, b []byte) (History, error) {
	if len(b) > MaxSize {
		return nil, &ParseError{
			TLI: tli, Msg: fmt.Sprintf("history file has %d bytes", len(b)),
			Hint: fmt.Sprintf("No history is longer than %d bytes.", MaxSize),
		}
	}
	var h History
	var begin pgdata.LSN
	number := 0
	for line := range strings.SplitSeq(string(b), "\n") {
		number++
		rest := trimSpace(line)
		if rest == "" || rest[0] == '#' {
			continue
		}
		fail := func(msg, hint string) (History, error) {
			return nil, &ParseError{TLI: tli, Number: number, Line: strings.TrimRight(line, "\r"), Msg: msg, Hint: hint}
		}
		ancestor, rest, ok := cutNumber(rest, 10)
		if !ok {
			return fail("syntax error in history file", "Expected a numeric timeline ID.")
		}
		end, ok := switchpoint(rest)
		if !ok {
			return fail("syntax error in history file", "Expected a write-ahead log switchpoint location.")
		}
		if id := pgdata.TimelineID(ancestor); id <= h.Newest() {
			return fail("invalid data in history file", "Timeline IDs must be in increasing sequence.")
		}
		h = append(h, Entry{TLI: pgdata.TimelineID(ancestor), Begin: begin, End: end})
		begin = end
	}
	switch {
	case h.Newest() >= tli:
		return nil, &ParseError{TLI: tli, Msg: "invalid data in history file", Hint: "Timeline IDs must be less than child timeline's ID."}
	case len(h) == 0 && tli != 1:
		return nil, &ParseError{TLI: tli, Msg: "no entries in history file", Hint: "It was cut short: restore it from another server or the WAL archive."}
	}
	return append(h, Entry{TLI: tli, Begin: begin}), nil
}

// switchpoint reads white space and an LSN, which ends at white space or the
// end of the line. Zero is not valid: no timeline ends before its first record, and
// an End of zero has another meaning.
func switchpoint(s string) (pgdata.LSN, bool) {
	s = trimSpace(s)
	hi, s, ok := cutNumber(s, 16)
	s, slash := strings.CutPrefix(s, "/")
	lo, s, ok2 := cutNumber(s, 16)
	l := pgdata.LSN(hi)<<32 | pgdata.LSN(lo)
	return l, ok && slash && ok2 && (s == "" || isSpace(s[0])) && l != 0
}

// cutNumber reads a number of at most 32 bits from the start of s.
func cutNumber(s string, base int) (n uint32, rest string, ok bool) {
	end := 0
	for end < len(s) && isDigit(s[end], base) {
		end++
	}
	if base == 16 && end > 8 {
		return 0, s, false
	}
	v, err := strconv.ParseUint(s[:end], base, 32)
	return uint32(v), s[end:], err == nil
}

func isDigit(c byte, base int) bool {
	return '0' <= c && c <= '9' || base == 16 && ('a' <= c && c <= 'f' || 'A' <= c && c <= 'F')
}

// trimSpace removes leading white space as isspace defines it in the C locale.
func trimSpace(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	return s
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
