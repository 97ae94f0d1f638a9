package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// DefaultWidth is how wide text is where no terminal says otherwise.
const DefaultWidth = 80

// minWidth is the least that anything can be set in.
const minWidth = 40

// Options say how text is set.
type Options struct {
	Width   int  // columns, at least 40; no line is longer
	Color   bool // with the escapes of a terminal (SGR, ECMA-48)
	Unicode bool // lines are drawn with more than ASCII
}

// Text writes a document for people: the fork, what is lost, what is copied,
// whether the server will start, and of a rewind that was carried out what it
// took.
func Text(w io.Writer, d *Document, o Options) error {
	t := &text{Options: o}
	t.Width = max(t.Width, minWidth)
	t.heading(d)
	t.fork(d)
	t.lost(d.Lost)
	t.copied(d)
	t.start(d.Startability)
	t.space(d)
	t.phases(d)
	t.problems(d)
	_, err := w.Write(t.out.Bytes())
	return err
}

// text is text that is being set.
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

// clean keeps what came from outside from steering a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}

// cut makes a text fit, by leaving out its middle.
func cut(s string, width int) string {
	r := []rune(clean(s))
	if len(r) <= width {
		return string(r)
	}
	if width < 5 {
		return string(r[:max(width, 0)])
	}
	head := (width - 3) / 2
	return string(r[:head]) + "..." + string(r[len(r)-(width-3-head):])
}

// line writes a line that fits by itself.
func (t *text) line(s string) { t.out.WriteString(strings.TrimRight(s, " ") + "\n") }

// title begins a section.
func (t *text) title(s string) { t.titled(bold, s) }

func (t *text) titled(how, s string) { t.out.WriteString("\n" + t.paint(how, s) + "\n") }

// wrapped writes words in as many lines as they need, indented by two columns,
// the first of them behind a label.
func (t *text) wrapped(label, s string) {
	indent := strings.Repeat(" ", 2+len(label))
	at := "  " + label
	empty := true
	for word := range strings.FieldsSeq(clean(s)) {
		word = cut(word, t.Width-len(indent))
		if !empty && utf8.RuneCountInString(at)+1+utf8.RuneCountInString(word) > t.Width {
			t.line(at)
			at, empty = indent, true
		}
		if !empty {
			at += " "
		}
		at += word
		empty = false
	}
	t.line(at)
}

// Bytes writes a size for people, as in "12.3 MB", in powers of 1024.
func Bytes(n int64) string {
	if n < 0 {
		return "-" + Bytes(-n)
	}
	units := []string{"bytes", "kB", "MB", "GB", "TB", "PB", "EB"}
	f, unit := float64(n), 0
	for f >= 1000 && unit < len(units)-1 {
		f, unit = f/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d %s", n, units[0])
	}
	if f < 9.95 {
		return fmt.Sprintf("%.1f %s", f, units[unit])
	}
	return fmt.Sprintf("%.0f %s", f, units[unit])
}

// Count writes a number with what it counts, as in "1 file", "2 files".
func Count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (t *text) heading(d *Document) {
	what := map[Kind]string{Plan: "Plan of a rewind", Result: "A rewind", Failed: "A rewind that failed"}[d.Kind]
	t.line(t.paint(bold, what))
	for _, side := range []struct {
		label string
		side  *Side
	}{{"target  ", d.Target}, {"source  ", d.Source}} {
		if s := side.side; s != nil {
			t.line("  " + side.label + cut(s.Name, t.Width-10))
			t.wrapped("        ", fmt.Sprintf("PostgreSQL %s, %s, timeline %d", s.Version, s.State, s.Timeline))
		}
	}
	switch {
	case d.Resumes:
		t.wrapped("", "It completes a rewind that was interrupted.")
	case !d.Required && d.Target != nil:
		t.wrapped("", "No rewind is required: "+d.Reason+".")
	}
}

// fork draws where the two histories part.
func (t *text) fork(d *Document) {
	if d.Divergence == nil || d.Target == nil || d.Source == nil {
		return
	}
	lines := struct{ flat, up, down, both, mark, source, end string }{"-", "/", "\\", "+", "o", ">", "x"}
	if t.Unicode {
		lines = struct{ flat, up, down, both, mark, source, end string }{"─", "╭", "╰", "┤", "◆", "▶", "✕"}
	}
	const before, after = 14, 10 // columns up to the fork, and behind it
	common := strings.Repeat(lines.flat, 4) + lines.mark + strings.Repeat(lines.flat, before-5)
	if d.Checkpoint == nil {
		common = strings.Repeat(lines.flat, before)
	}
	t.title("Where they part")
	indent := strings.Repeat(" ", 2+before)
	t.line(cutLine(indent+lines.up+strings.Repeat(lines.flat, after)+lines.source+" ", fmt.Sprintf("source, timeline %d", d.Source.Timeline), t.Width))
	t.line("  " + common + lines.both)
	lost := fmt.Sprintf("target, timeline %d", d.Target.Timeline)
	if d.Target.EndOfWAL != "" {
		lost += ", up to " + d.Target.EndOfWAL
	}
	t.line(cutLine(indent+lines.down+strings.Repeat(lines.flat, after)+lines.end+" ", lost, t.Width))
	t.wrapped("", fmt.Sprintf("divergence at %s on timeline %d", d.Divergence.LSN, d.Divergence.Timeline))
	if c := d.Checkpoint; c != nil {
		t.wrapped("", fmt.Sprintf("last common checkpoint at %s, replay from %s", c.LSN, c.Redo))
	}
	if r := d.WALRead; r != nil {
		archived := 0
		for _, s := range r.Segments {
			if s.Where == "archive" {
				archived++
			}
		}
		read := fmt.Sprintf("read %s of WAL in %s", Bytes(r.Bytes), Count(int64(len(r.Segments)), "segment"))
		if archived > 0 {
			read += fmt.Sprintf(", %d of them from the archive", archived)
		}
		t.wrapped("", read)
	}
}

func cutLine(drawing, words string, width int) string {
	return drawing + cut(words, width-utf8.RuneCountInString(drawing))
}

// maxRows is how many relations a table has.
const maxRows = 10

func (t *text) lost(l *Lost) {
	if l == nil {
		return
	}
	t.title("What is lost")
	commits := Count(int64(l.Committed), "committed transaction")
	if l.Prepared > 0 {
		commits += ", " + Count(int64(l.Prepared), "prepared one")
	}
	if l.FirstCommit != nil && l.LastCommit != nil {
		commits += fmt.Sprintf(", from %s to %s", l.FirstCommit.Format(time.DateTime), l.LastCommit.Format(time.DateTime+" MST"))
	}
	t.wrapped("", commits)
	t.wrapped("", fmt.Sprintf("%s of WAL, which changed %s of %s", Bytes(l.WALBytes), Count(l.Blocks, "block"), Count(int64(len(l.Relations)), "relation")))
	var rows [][]string
	for i, r := range l.Relations {
		if i == maxRows {
			rows = append(rows, []string{"", fmt.Sprintf("and %d more", len(l.Relations)-maxRows)})
			break
		}
		rows = append(rows, []string{Count(r.Blocks, "block"), r.String()})
	}
	t.table(rows)
	for _, list := range []struct {
		what  string
		names []string
	}{{"databases created: ", l.CreatedDatabases}, {"databases dropped: ", l.DroppedDatabases}, {"created: ", relationNames(l.Created)}, {"dropped: ", relationNames(l.Dropped)}} {
		if n := len(list.names); n > 0 {
			more := ""
			if n > maxRows {
				more = fmt.Sprintf(", and %d more", n-maxRows)
			}
			t.wrapped(list.what, strings.Join(list.names[:min(n, maxRows)], ", ")+more)
		}
	}
	if l.Unparsed > 0 {
		t.wrapped("", fmt.Sprintf("%s could not be understood and may add to this", Count(int64(l.Unparsed), "record")))
	}
	if l.SavedIn != "" {
		t.wrapped("", "kept in "+l.SavedIn)
	}
}

// String names a relation, by its file where its name is not known.
func (r Relation) String() string {
	name := r.Name
	if name == "" {
		name = fmt.Sprintf("file %d", r.FileNode)
	}
	if r.DBName != "" {
		return name + " in " + r.DBName
	} else if r.Database != 0 {
		return fmt.Sprintf("%s in database %d", name, r.Database)
	}
	return name
}

func relationNames(list []Relation) []string {
	var names []string
	for _, r := range list {
		names = append(names, r.String())
	}
	return names
}

// table sets two or more columns: the first ones to the right, the last to the
// left, in what width is left.
func (t *text) table(rows [][]string) {
	widths := map[int]int{}
	for _, row := range rows {
		for i, cell := range row[:max(len(row)-1, 0)] {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		at := "  "
		for i, cell := range row {
			if i == len(row)-1 {
				at += cut(cell, t.Width-utf8.RuneCountInString(at))
				break
			}
			at += strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + cell + "  "
		}
		t.line(at)
	}
}

func (t *text) copied(d *Document) {
	if d.Totals == nil {
		return
	}
	s := d.Totals
	t.title("What is copied")
	t.wrapped("", fmt.Sprintf("%s of %s on the source", Bytes(s.FetchBytes), Bytes(s.SourceBytes)))
	for _, group := range []struct {
		what string
		list []Total
	}{{"kind", s.ByKind}, {"database", s.ByDatabase}, {"tablespace", s.ByTablespace}} {
		var rows [][]string
		for i, sum := range group.list {
			if i == maxRows {
				rows = append(rows, []string{"", "", fmt.Sprintf("and %d more", len(group.list)-maxRows)})
				break
			}
			rows = append(rows, []string{Bytes(sum.FetchBytes), Count(int64(sum.Files), "file"), group.what + " " + sum.Name})
		}
		t.table(rows)
	}
	if s.RemoveBytes > 0 {
		t.wrapped("", fmt.Sprintf("%s are removed or cut off", Bytes(s.RemoveBytes)))
	}
	var rows [][]string
	for _, saving := range d.Saved {
		rows = append(rows, []string{Bytes(saving.Bytes), Count(int64(saving.Files), "file"), "not copied: " + saving.Rule})
	}
	t.table(rows)
	var kept []string
	for _, f := range d.Files {
		if f.Reason == "kept as asked" {
			kept = append(kept, f.Path)
		}
	}
	if n := len(kept); n > 0 {
		more := ""
		if n > maxRows {
			more = fmt.Sprintf(", and %d more", n-maxRows)
		}
		t.wrapped("kept: ", strings.Join(kept[:min(n, maxRows)], ", ")+more)
	}
	if d.Sync != "" {
		t.wrapped("made durable: ", d.Sync)
	}
}

func (t *text) start(s *Start) {
	if s == nil {
		return
	}
	t.title("Whether it will start")
	where := map[string]int64{}
	for _, segment := range s.Segments {
		where[segment.Where]++
	}
	t.wrapped("", fmt.Sprintf("recovery reads WAL from %s to %s, which is on", s.From, s.To))
	for _, place := range []struct{ where, words string }{
		{"target", "the target"}, {"source", "the source, to be copied"}, {"archive", "the archive, brought back"}, {"missing", "no side: it cannot start"},
	} {
		if n := where[place.where]; n > 0 {
			t.wrapped("", fmt.Sprintf("%s: %s", place.words, Count(n, "segment")))
		}
	}
}

func (t *text) space(d *Document) {
	if len(d.Space) == 0 || d.Kind == Result {
		return
	}
	t.title("What room it takes")
	var rows [][]string
	for _, s := range d.Space {
		rows = append(rows, []string{Bytes(s.Needed), "of " + Bytes(s.Free) + " free", "where " + s.Directory + " is"})
	}
	t.table(rows)
}

func (t *text) phases(d *Document) {
	if d.Kind == Plan || len(d.Phases) == 0 {
		return
	}
	t.title("What it took")
	var rows [][]string
	for _, p := range d.Phases {
		fetched := ""
		if p.Bytes > 0 {
			fetched = fmt.Sprintf(", %s of %s copied", Bytes(p.Bytes), Count(int64(p.Files), "file"))
		}
		rows = append(rows, []string{fmt.Sprintf("%.2f s", p.Seconds), p.Name + fetched})
	}
	t.table(rows)
}

func (t *text) problems(d *Document) {
	if len(d.Warnings) > 0 {
		t.titled(yellow, "Warnings")
		for _, w := range d.Warnings {
			t.wrapped("", w)
		}
	}
	e := d.Error
	if e == nil {
		return
	}
	t.titled(red, "What went wrong")
	t.wrapped("", e.Message)
	for _, more := range append(append([]string{}, e.Details...), e.Hints...) {
		t.wrapped("", more)
	}
	state := "The target was not changed."
	if !e.TargetUntouched {
		state = "The target was changed: no server starts on it until the rewind is finished."
	}
	t.wrapped("", state)
}
