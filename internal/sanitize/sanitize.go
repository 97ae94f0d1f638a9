package sanitize

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxMessage is how many bytes a message may have: it fits on a screen of 24 lines.
const MaxMessage = 1800

// Unlimited is no limit.
const Unlimited = 0

// Text is s with all that is not printable escaped as in a Go literal: control
// characters, ends of lines, marks that turn the direction of writing, and bytes
// that are not UTF-8. Of what is longer than max bytes then, the middle is left out,
// and said how much: messages end with the reason. A backslash stays as it is, so
// that names can be read, and the result is for people and not to be read back.
func Text(s string, max int) string {
	if !isPlain(s) {
		s = escape(s)
	}
	if max > Unlimited && len(s) > max {
		return shorten(s, max)
	}
	return s
}

func isPlain(s string) bool {
	for _, r := range s {
		if !printable(r) {
			return false
		}
	}
	return true
}

// printable is false for utf8.RuneError, too, so that it cannot hide bytes.
func printable(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }

func escape(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case printable(r):
			b.WriteRune(r)
		case r != utf8.RuneError || strings.HasPrefix(s[i:], string(utf8.RuneError)):
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		}
	}
	return b.String()
}

// shorten leaves out the middle of a text, and no part of a character. The result
// has at most max bytes, as long as what stands for the rest fits into them.
func shorten(s string, max int) string {
	note := func(n int) string { return fmt.Sprintf(" [%d bytes left out] ", n) }
	room := max - len(note(len(s)))
	if room <= 0 {
		return strings.TrimSpace(note(len(s)))
	}
	head, tail := room*2/3, len(s)-(room-room*2/3)
	for !utf8.RuneStart(s[head]) {
		head--
	}
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	return s[:head] + note(tail-head) + s[tail:]
}

// JSON is a JSON text with all that is not printable escaped as JSON has it, so
// that it says the same. encoding/json does that for the controls of ASCII only.
func JSON(text []byte) []byte {
	if isPlain(strings.ReplaceAll(string(text), "\n", "")) {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	for _, r := range string(text) {
		switch {
		case r == '\n' || r == utf8.RuneError || printable(r): // between values there are ends of lines, within strings none
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}
