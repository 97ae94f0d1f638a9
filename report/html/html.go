// Package html makes a web page from a report: one file without scripts, which loads
// nothing from elsewhere.
package html

import (
	"io"
	"slices"
	"strconv"

	"github.com/gorewind/gorewind/report"
)

// Write writes a document as a page. The document can be a plan, a result or an error.
func Write(w io.Writer, d *report.Document) error {
	v := &view{Document: d, copied: d.ByRelation(), touched: touched(d.Files)}
	if d.Lost != nil {
		for _, r := range v.lostRelations().List {
			v.mostLost = max(v.mostLost, r.Blocks)
		}
	}
	var p page
	v.write(&p)
	_, err := w.Write(p.out.Bytes())
	return err
}

func number(n int) string { return grouped(int64(n)) }

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

// title is what the page is about.
func (v *view) title() string {
	switch v.Kind {
	case report.Plan:
		return "Plan of a rewind"
	case report.Result:
		return "Report of a rewind"
	}
	return "Report of a rewind that failed"
}

// verdictClass is the style of the verdict, which may be alarming.
func (v *view) verdictClass() string {
	if v.Error != nil || v.Kind == report.Failed {
		return "verdict bad"
	}
	return "verdict"
}

// cutOff is a list of which only the beginning is shown.
type cutOff[T any] struct {
	List []T
	More int
}

func cut[T any](list []T, most int) cutOff[T] {
	return cutOff[T]{list[:min(len(list), most)], max(0, len(list)-most)}
}

// lostRelations are the relations with lost blocks.
func (v *view) lostRelations() cutOff[report.Relation] { return cut(v.Lost.Relations, maxRelations) }

// commitsByDatabase are the databases in which transactions are lost.
func (v *view) commitsByDatabase() cutOff[report.DatabaseCommits] {
	return cut(v.Lost.CommittedByDatabase, maxNames)
}

// copiedRelations are the relations with the most copied bytes.
func (v *view) copiedRelations() cutOff[report.RelationTotal] { return cut(v.copied, maxRelations) }

// part is a part of a whole, in percent.
func part(n, all float64) float64 {
	if all <= 0 {
		return 0
	}
	return min(100, max(0, 100*(n/all))) // in this order, or it could be infinite / infinite
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

// sums are all tables of totals.
func (v *view) sums() (list []sums) {
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

// missing are the missing WAL segments that prevent the server from starting.
func (v *view) missing() (names []string) {
	for _, s := range v.Startability.Segments {
		if s.Where == report.Missing {
			names = append(names, s.Name)
		}
	}
	return names
}

// neededSegments are the WAL segments that recovery reads.
func (v *view) neededSegments() cutOff[report.Segment] {
	return cut(v.Startability.Segments, maxSegments)
}

// where counts the needed WAL segments by location.
func (v *view) where() []report.Segment {
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

// duration is the total time of all phases.
func (v *view) duration() (seconds float64) {
	for _, p := range v.Phases {
		seconds += max(0, p.Seconds)
	}
	return seconds
}
