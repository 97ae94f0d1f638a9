// Package html makes a page of a report: one file without scripts, which needs
// nothing from elsewhere.
package html

import (
	_ "embed"
	"html/template"
	"io"
	"time"

	"github.com/gorewind/gorewind/report"
)

//go:embed page.html
var page string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"bytes":   report.Bytes,
	"count":   func(n int, what string) string { return report.Count(int64(n), what) },
	"count64": report.Count,
	"when":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") },
	"seconds": report.Duration,
}).Parse(page))

// Write writes a document as a page. It can be a plan, a result or an error.
func Write(w io.Writer, d *report.Document) error {
	return pageTemplate.Execute(w, &view{Document: d})
}

// What a page shows at most of lists without end.
const (
	maxRelations = 50
	maxFiles     = 200
	maxHeatRows  = 40
)

// view is a document with what the page makes of it.
type view struct{ *report.Document }

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

// Relations are the lost ones that are shown.
func (v *view) Relations() []report.Relation {
	return v.Lost.Relations[:min(len(v.Lost.Relations), maxRelations)]
}

// MoreRelations is how many are not.
func (v *view) MoreRelations() int { return max(0, len(v.Lost.Relations)-maxRelations) }

// Share is how much of the most a relation has, in percent.
func (v *view) Share(blocks int64) int64 {
	if len(v.Lost.Relations) == 0 || v.Lost.Relations[0].Blocks == 0 {
		return 0
	}
	return max(1, 100*blocks/v.Lost.Relations[0].Blocks)
}

// ShownFiles are those that the page lists: the first ones of the plan that are
// more than mentioned.
func (v *view) ShownFiles() []report.File {
	var list []report.File
	for _, f := range v.Files {
		if f.Action != "none" && len(list) < maxFiles {
			list = append(list, f)
		}
	}
	return list
}

// MoreFiles is how many it does not list.
func (v *view) MoreFiles() int {
	n := 0
	for _, f := range v.Files {
		if f.Action != "none" {
			n++
		}
	}
	return max(0, n-maxFiles)
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
		seconds += p.Seconds
	}
	return seconds
}

// Part is a phase's part of the whole time, in percent.
func (v *view) Part(seconds float64) float64 {
	if all := v.Duration(); all > 0 {
		return 100 * seconds / all
	}
	return 0
}
