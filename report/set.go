package report

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/gorewind/gorewind/internal/sanitize"
)

// text is text that is being laid out.
type text struct {
	Options
	out bytes.Buffer
}

// SGR parameters.
const (
	bold   = "1"
	red    = "1;31"
	yellow = "1;33"
)

func (t *text) paint(how, s string) string {
	if !t.Color || s == "" {
		return s
	}
	return "\x1b[" + how + "m" + s + "\x1b[0m"
}

// clean prevents text from outside from controlling a terminal, and from hiding or
// reordering what is around it.
func clean(s string) string { return sanitize.Text(s, sanitize.Unlimited) }

// wide are, roughly, the characters that take two columns: those of East Asia and
// emoji (Unicode Standard Annex 11).
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{{0x1100, 0x115f, 1}, {0x231a, 0x23ff, 1}, {0x2600, 0x27bf, 1}, {0x2e80, 0xa4cf, 1}, {0xa960, 0xa97f, 1}, {0xac00, 0xd7a3, 1}, {0xf900, 0xfaff, 1}, {0xfe10, 0xfe6f, 1}, {0xff01, 0xff60, 1}, {0xffe0, 0xffe6, 1}},
	R32: []unicode.Range32{{0x16fe0, 0x1b2ff, 1}, {0x1f000, 0x1faff, 1}, {0x20000, 0x3fffd, 1}},
}

// columns is the most columns that a character takes.
func columns(r rune) int {
	if r >= 0x1100 && unicode.Is(wide, r) {
		return 2
	}
	return 1
}

// columnsOf is the number of columns that a text takes.
func columnsOf(s string) (n int) {
	for _, r := range s {
		n += columns(r)
	}
	return n
}

// cut shortens a text to a width by leaving out its middle.
func cut(s string, width int) string {
	s = clean(s)
	if columnsOf(s) <= width {
		return s
	}
	const gap = "..."
	if width <= 2*len(gap) {
		return headOf(s, width)
	}
	head := headOf(s, (width-len(gap))/2)
	runes := []rune(s)
	at, room := len(runes), width-len(gap)-columnsOf(head)
	for at > 0 && room >= columns(runes[at-1]) {
		at--
		room -= columns(runes[at])
	}
	return head + gap + string(runes[at:])
}

// headOf is as much of the beginning as fits.
func headOf(s string, width int) string {
	for i, r := range s {
		if width -= columns(r); width < 0 {
			return s[:i]
		}
	}
	return s
}

// line writes a line that is short enough.
func (t *text) line(s string) { t.out.WriteString(strings.TrimRight(s, " ") + "\n") }

// title begins a section.
func (t *text) title(s string) { t.titled(bold, s) }

func (t *text) titled(how, s string) { t.out.WriteString("\n" + t.paint(how, s) + "\n") }

// wrapped wraps words into lines, indented by two columns,
// the first of them after a label.
func (t *text) wrapped(label, s string) {
	t.flow("  "+label, strings.Repeat(" ", 2+len(label)), s)
}

// flow wraps words into lines. The first line begins with one text, all others with
// another one of the same width.
func (t *text) flow(first, other, s string) {
	room := t.Width - columnsOf(first)
	var line string
	for word := range strings.FieldsSeq(clean(s)) {
		word = cut(word, room)
		if line != "" && columnsOf(line)+1+columnsOf(word) > room {
			t.line(first + line)
			first, line = other, ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	t.line(first + line)
}

// maxCell is the most lines of a cell.
const maxCell = 3

// table lays out two or more columns: all but the last are right-aligned, the last is
// left-aligned in the remaining width.
func (t *text) table(rows [][]string) {
	widths := map[int]int{}
	for _, row := range rows {
		for i, cell := range row[:max(len(row)-1, 0)] {
			widths[i] = max(widths[i], columnsOf(cell))
		}
	}
	for _, row := range rows {
		at := "  "
		for i, cell := range row[:max(len(row)-1, 0)] {
			at += strings.Repeat(" ", widths[i]-columnsOf(cell)) + cell + "  "
		}
		if len(row) > 0 {
			room := t.Width - columnsOf(at)
			t.flow(at, strings.Repeat(" ", columnsOf(at)), cut(row[len(row)-1], (maxCell-1)*room))
		}
	}
}
