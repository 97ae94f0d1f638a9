// Package html makes a web page from a report: one file without scripts, which loads
// nothing from elsewhere.
package html

import (
	_ "embed"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
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
	"capital": func(s string) string { return strings.ToUpper(s[:1]) + s[1:] },
}).Parse(page))

// Write writes a document as a page. The document can be a plan, a result or an error.
func Write(w io.Writer, d *report.Document) error {
	v := &view{Document: d, copied: d.ByRelation(), touched: touched(d.Files)}
	if d.Lost != nil {
		for _, r := range v.LostRelations().List {
			v.mostLost = max(v.mostLost, r.Blocks)
		}
	}
	return pageTemplate.Execute(w, v)
}

// grouped formats a number of five digits or more in groups of three.
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

// The most entries of unbounded lists that a page shows.
const (
	maxRelations = 50
	maxFiles     = 200
	maxGroups    = 100
	maxHeatRows  = 40
	maxNames     = 50
	maxSegments  = 100
)

// view is a document with values that the page uses several times.
type view struct {
	*report.Document
	copied   []report.RelationTotal // relations of which something is copied
	touched  []report.File
	mostLost int64 // the most lost blocks of any relation
}

// Title is what the page is about.
func (v *view) Title() string {
	switch v.Kind {
	case report.Plan:
		return "Plan of a rewind"
	case report.Result:
		return "Report of a rewind"
	}
	return "Report of a rewind that failed"
}

// Bad reports whether the verdict is alarming.
func (v *view) Bad() bool { return v.Error != nil || v.Kind == report.Failed }

// cutOff is a list of which only the beginning is shown.
type cutOff[T any] struct {
	List []T
	More int
}

func cut[T any](list []T, most int) cutOff[T] {
	return cutOff[T]{list[:min(len(list), most)], max(0, len(list)-most)}
}

// LostRelations are the relations with lost blocks.
func (v *view) LostRelations() cutOff[report.Relation] { return cut(v.Lost.Relations, maxRelations) }

// Names is the beginning of a list of names, of which more are missing.
func (v *view) Names(names []string, more int) cutOff[string] {
	c := cut(names, maxNames)
	c.More += more
	return c
}

// CommitsByDatabase are the databases in which transactions are lost.
func (v *view) CommitsByDatabase() cutOff[report.DatabaseCommits] {
	return cut(v.Lost.CommittedByDatabase, maxNames)
}

// Share is a relation's lost blocks as a percentage of the largest number.
func (v *view) Share(blocks int64) float64 { return part(float64(blocks), float64(v.mostLost)) }

// CopiedRelations are the relations with the most copied bytes.
func (v *view) CopiedRelations() cutOff[report.RelationTotal] { return cut(v.copied, maxRelations) }

// CopiedShare is a relation's copied bytes as a percentage of the largest number.
func (v *view) CopiedShare(bytes int64) float64 {
	return part(float64(bytes), float64(v.copied[0].FetchBytes))
}

// part is a part of a whole, in percent.
func part(n, all float64) float64 {
	if all <= 0 {
		return 0
	}
	return min(100, max(0, 100*n/all))
}

// sums is a table of totals.
type sums struct {
	By string
	cutOff[report.Total]
}

// inWords replaces codes with words for people.
func inWords(list []report.Total, words func(string) string) []report.Total {
	list = slices.Clone(list)
	for i := range list {
		list[i].Name = words(list[i].Name)
	}
	return list
}

// Sums are all tables of totals.
func (v *view) Sums() (list []sums) {
	t := v.Totals
	for _, s := range []sums{
		{"database", cut(t.ByDatabase, maxRelations)},
		{"tablespace", cut(t.ByTablespace, maxRelations)},
		{"kind", cut(inWords(t.ByKind, report.KindWords), maxRelations)},
		{"action", cut(inWords(t.ByAction, report.ActionWords), maxRelations)},
	} {
		if len(s.List) > 0 {
			list = append(list, s)
		}
	}
	return list
}

// Missing are the missing WAL segments that prevent the server from starting.
func (v *view) Missing() (names []string) {
	for _, s := range v.Startability.Segments {
		if s.Where == report.Missing {
			names = append(names, s.Name)
		}
	}
	return names
}

// NeededSegments are the WAL segments that recovery reads.
func (v *view) NeededSegments() cutOff[report.Segment] {
	return cut(v.Startability.Segments, maxSegments)
}

// Where counts the needed WAL segments by location.
func (v *view) Where() []report.Segment {
	var list []report.Segment
	for _, place := range []report.Origin{report.OnTarget, report.OnSource, report.InArchive, report.Missing} {
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

// Duration is the total time of all phases.
func (v *view) Duration() (seconds float64) {
	for _, p := range v.Phases {
		seconds += max(0, p.Seconds)
	}
	return seconds
}

// Part is a phase's percentage of the total time.
func (v *view) Part(seconds float64) float64 { return part(seconds, v.Duration()) }

// Follows reports whether the standby will be able to stream from the source.
func (v *view) Follows() bool { return v.WillFollow != nil && *v.WillFollow }
