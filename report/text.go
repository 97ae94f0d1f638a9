package report

import (
	"cmp"
	"fmt"
	"io"
)

// DefaultWidth is the width of text if no terminal has another.
const DefaultWidth = 80

// minWidth is the smallest width in which anything can be laid out.
const minWidth = 40

// Options are how text is laid out.
type Options struct {
	Width   int  // columns, at least 40; no line is longer. Zero: DefaultWidth
	Color   bool // with the escapes of a terminal (SGR, ECMA-48)
	Unicode bool // draw lines with more than ASCII; names are never changed
}

// Text writes a document for people: the fork, what is lost, what is copied,
// whether the server will start and, for a completed rewind, how much time and space it
// took.
func Text(w io.Writer, d *Document, o Options) error {
	t := newText(o)
	t.heading(d)
	t.because(d)
	t.fork(d)
	t.lost(d)
	t.damaged(d)
	t.copied(d)
	t.start(d.Startability)
	t.following(d)
	t.space(d)
	t.phases(d)
	t.problems(d)
	_, err := w.Write(t.out.Bytes())
	return err
}

func newText(o Options) *text {
	o.Width = max(cmp.Or(o.Width, DefaultWidth), minWidth)
	return &text{Options: o}
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
	if d.RecoversFirst {
		t.wrapped("", "The target's crash recovery comes first; the plan is based on its present WAL.")
	}
	switch {
	case d.Resumes:
		t.wrapped("", "It completes a rewind that was interrupted.")
	case d.Evidence == ByChanges:
		t.wrapped("", "It copies what either side changed since both had the same files.")
	case d.Evidence == ByComparison:
		t.wrapped("", "It compares all files, "+Bytes(d.Compared)+" on each side"+d.ComparedWords()+".")
	case !d.Required && d.Target != nil && d.Error == nil: // an early failure does not know
		t.wrapped("", "No rewind is required: "+d.Reason+".")
	}
}

// because says why cheaper evidence could not be used.
func (t *text) because(d *Document) {
	for _, p := range d.Because {
		t.wrapped("not by "+p.Evidence.Words()+": ", p.Reason)
	}
}

// damaged lists the damaged blocks of the target.
func (t *text) damaged(d *Document) {
	if len(d.Damaged) == 0 {
		return
	}
	t.title("Damaged on the target, and replaced")
	var rows [][]string
	for i, f := range d.Damaged {
		if i == maxRows {
			rows = append(rows, []string{"", "", more(len(d.Damaged))})
			break
		}
		rows = append(rows, []string{Count(f.Count, "block"), cmp.Or(f.Blocks, "-"), f.Label()})
	}
	t.table(rows)
}

// maxRows is the most rows of a table in the text.
const maxRows = 10

// more is the last row of a shortened table.
func more(n int) string { return fmt.Sprintf("and %d more", n-maxRows) }

func (t *text) copied(d *Document) {
	if d.Totals == nil {
		return
	}
	s := d.Totals
	t.title("What is copied")
	t.wrapped("", fmt.Sprintf("%s of %s on the source", Bytes(s.FetchBytes), Bytes(s.SourceBytes)))
	var rows [][]string
	add := func(name string, files int, bytes int64) {
		rows = append(rows, []string{Bytes(bytes), Count(int64(files), "file"), name})
	}
	for _, group := range []struct {
		words func(string) string
		list  []Total
	}{{KindWords, s.ByKind}, {databaseWords, s.ByDatabase}, {tablespaceWords, s.ByTablespace}, {ActionWords, s.ByAction}} {
		for i, sum := range group.list {
			if i == maxRows {
				rows = append(rows, []string{"", "", more(len(group.list))})
				break
			}
			add(group.words(sum.Name), sum.Files, sum.FetchBytes)
		}
	}
	t.table(rows)
	rows = nil
	relations := d.ByRelation()
	shown, system := usersFirst(relations, func(r RelationTotal) Relation { return r.Relation })
	for i, r := range shown {
		if i == maxRows {
			rows = append(rows, []string{"", "", more(len(shown))})
			break
		}
		add(r.String(), r.Files, r.FetchBytes)
	}
	if len(system) > 0 {
		var files int
		var bytes int64
		for _, r := range system {
			files, bytes = files+r.Files, bytes+r.FetchBytes
		}
		add(systemCatalogs(len(system)), files, bytes)
	}
	if len(rows) > 0 {
		t.wrapped("", "tables and indexes, the most first:")
		t.table(rows)
	}
	if s.RemoveBytes > 0 {
		t.wrapped("", fmt.Sprintf("%s removed or truncated", Bytes(s.RemoveBytes)))
	}
	if len(d.Saved) > 0 {
		t.wrapped("", "Not copied:")
		t.saved(d)
	}
	var kept []string
	for _, f := range d.Files {
		if f.Reason == ReasonKept {
			kept = append(kept, f.Path)
		}
	}
	if len(kept) > 0 {
		t.wrapped("kept: ", Listing{Names: kept}.shown())
	}
	if d.Sync != "" {
		t.wrapped("made durable: ", d.Sync)
	}
}

func (t *text) saved(d *Document) {
	var rows [][]string
	for _, saving := range d.Saved {
		rows = append(rows, []string{Bytes(saving.Bytes), Count(int64(saving.Files), "file"), saving.Rule})
	}
	t.table(rows)
}

func (t *text) start(s *Start) {
	if s == nil {
		return
	}
	t.title("Whether it will start")
	where := map[Origin]int64{}
	var missing []string
	for _, segment := range s.Segments {
		where[segment.Where]++
		if segment.Where == Missing {
			missing = append(missing, segment.Name)
		}
	}
	t.wrapped("", fmt.Sprintf("recovery reads WAL from %s to %s:", s.From, s.To))
	var rows [][]string
	for _, place := range []struct {
		where Origin
		words string
	}{
		{OnTarget, "on the target"}, {OnSource, "on the source, to be copied"}, {InArchive, "in the archive, to be restored"}, {Missing, "nowhere: the server cannot start"},
	} {
		if n := where[place.where]; n > 0 {
			rows = append(rows, []string{Count(n, "segment"), place.words})
		}
	}
	t.table(rows)
	if len(missing) > 0 {
		t.wrapped("missing: ", Listing{Names: missing}.shown())
	}
}

func (t *text) space(d *Document) {
	if len(d.Space) == 0 || d.Kind == Result {
		return
	}
	t.title("How much space it takes")
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
	var all float64
	for _, p := range d.Phases {
		fetched := ""
		if p.Bytes > 0 {
			fetched = fmt.Sprintf(", %s of %s copied", Bytes(p.Bytes), Count(int64(p.Files), "file"))
		}
		all += p.Seconds
		rows = append(rows, []string{Duration(p.Seconds), p.Name + fetched})
	}
	if len(rows) > 1 {
		rows = append(rows, []string{Duration(all), "in all"})
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
	state := e.untouched()
	if !e.TargetUntouched {
		state = "The target was changed: no server starts on it until the rewind is finished."
	}
	t.wrapped("", state)
	if words := e.Action.Words(); words != "" {
		t.wrapped("", words)
	}
}
