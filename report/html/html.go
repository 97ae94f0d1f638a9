// Package html makes a page of a report: one file without scripts, which needs
// nothing from elsewhere.
package html

import (
	_ "embed"
	"html/template"
	"io"
	"strconv"
	"time"

	"github.com/gorewind/gorewind/report"
)

//go:embed page.html
var page string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"bytes":   report.Bytes,
	"count":   func(n int, what string) string { return report.Count(int64(n), what) },
	"count64": report.Count,
	"number":  func(n int) string { return grouped(int64(n)) },
	"blocks":  grouped,
	"when":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") },
	"seconds": report.Duration,
}).Parse(page))

// Write writes a document as a page. It can be a plan, a result or an error.
func Write(w io.Writer, d *report.Document) error {
	return pageTemplate.Execute(w, &view{Document: d})
}

// grouped writes a number of five digits or more in groups of three.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	if -10_000 < n && n < 10_000 {
		return s
	}
	const narrowSpace = "\u202f"
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + narrowSpace + s[i:]
	}
	return s
}

// What a page shows at most of lists without end.
const (
	maxRelations = 50
	maxFiles     = 200
	maxGroups    = 100
	maxHeatRows  = 40
	maxNames     = 50
	maxSegments  = 100
)

// view is a document with what the page makes of it.
type view struct {
	*report.Document
	copied []report.RelationTotal
}

// Title says in a word what the page is about.
func (v *view) Title() string {
	switch v.Kind {
	case report.Plan:
		return "Plan of a rewind"
	case report.Result:
		return "Report of a rewind"
	}
	return "Report of a rewind that failed"
}

// Bad reports whether the verdict is one to be alarmed at.
func (v *view) Bad() bool { return v.Error != nil || v.Kind == report.Failed }

// Cut is a list of which only the beginning is shown.
type Cut[T any] struct {
	List []T
	More int
}

func cut[T any](list []T, most int) Cut[T] {
	return Cut[T]{list[:min(len(list), most)], max(0, len(list)-most)}
}

// LostRelations are those of which blocks are lost.
func (v *view) LostRelations() Cut[report.Relation] { return cut(v.Lost.Relations, maxRelations) }

// Names are those of relations or databases in a sentence.
func (v *view) Names(list any) Cut[string] {
	switch list := list.(type) {
	case []string:
		return cut(list, maxNames)
	case []report.Relation:
		var names []string
		for _, r := range list {
			names = append(names, r.String())
		}
		return cut(names, maxNames)
	}
	return Cut[string]{}
}

// Share is how much of the most a relation has, in percent.
func (v *view) Share(blocks int64) float64 {
	var most int64
	for _, r := range v.LostRelations().List {
		most = max(most, r.Blocks)
	}
	return part(float64(blocks), float64(most))
}

// relations are those that something is copied of, added up once.
func (v *view) relations() []report.RelationTotal {
	if v.copied == nil {
		v.copied = v.ByRelation()
	}
	return v.copied
}

// CopiedRelations are the first of them.
func (v *view) CopiedRelations() Cut[report.RelationTotal] { return cut(v.relations(), maxRelations) }

// CopiedShare is how much of the most is copied of a relation, in percent.
func (v *view) CopiedShare(bytes int64) float64 {
	return part(float64(bytes), float64(v.CopiedRelations().List[0].FetchBytes))
}

// part is a part of a whole, in percent.
func part(n, all float64) float64 {
	if all <= 0 {
		return 0
	}
	return min(100, max(0, 100*n/all))
}

// Sums is a table of totals.
type Sums struct {
	By string
	Cut[report.Total]
}

// Sums are all tables of totals.
func (v *view) Sums() (list []Sums) {
	t := v.Totals
	for _, s := range []Sums{
		{"database", cut(t.ByDatabase, maxRelations)},
		{"tablespace", cut(t.ByTablespace, maxRelations)},
		{"kind", cut(t.ByKind, maxRelations)},
		{"action", cut(t.ByAction, maxRelations)},
	} {
		if len(s.List) > 0 {
			list = append(list, s)
		}
	}
	return list
}

// Missing are the WAL segments without which the server cannot start.
func (v *view) Missing() (names []string) {
	for _, s := range v.Startability.Segments {
		if s.Where == "missing" {
			names = append(names, s.Name)
		}
	}
	return names
}

// NeededSegments are the WAL segments that recovery reads.
func (v *view) NeededSegments() Cut[report.Segment] {
	return cut(v.Startability.Segments, maxSegments)
}

// Where adds up where the needed WAL is.
func (v *view) Where() []report.Segment {
	var list []report.Segment
	for _, place := range []string{"target", "source", "archive", "missing"} {
		n := 0
		for _, s := range v.Startability.Segments {
			if s.Where == place {
				n++
			}
		}
		if n > 0 {
			list = append(list, report.Segment{Name: report.Count(int64(n), "segment"), Where: place})
		}
	}
	return list
}

// Duration is how long all phases took together.
func (v *view) Duration() (seconds float64) {
	for _, p := range v.Phases {
		seconds += max(0, p.Seconds)
	}
	return seconds
}

// Part is a phase's part of the whole time, in percent.
func (v *view) Part(seconds float64) float64 { return part(seconds, v.Duration()) }
