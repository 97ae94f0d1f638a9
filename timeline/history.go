package timeline

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// Entry is the part of a history that was written on one timeline
// (TimeLineHistoryEntry, access/timeline.h).
type Entry struct {
	TLI   pgdata.TimelineID
	Begin pgdata.LSN // the switch from the previous entry; zero in the first
	End   pgdata.LSN // the switch to the next entry; zero ("no end") in the last
}

// History is the history of a timeline: its ancestors, oldest first, and itself.
// A History from [Parse] or [First] is never empty.
//
// Switches normally happen at increasing LSNs, but need not: a recovery that
// followed a timeline, and was told to stop before that timeline began, creates a
// child that still lists it as an ancestor. No WAL of such an ancestor
// belongs to the history, as its End is before its Begin.
type History []Entry

// First is the history of timeline 1, which has no history file.
func First() History { return History{{TLI: 1}} }

// Newest is the timeline whose history this is, or zero if h is empty.
func (h History) Newest() pgdata.TimelineID {
	if len(h) == 0 {
		return 0
	}
	return h[len(h)-1].TLI
}

// TimelineOf is the timeline in the name of the file from which the WAL of segment s must
// be read. The segment in which a switch happened exists on both timelines. The
// newer one's file has all of it that belongs to this history, since it was
// created as a copy up to the switch. It is zero if h is empty.
func (h History) TimelineOf(g pgdata.Geometry, s pgdata.SegNo) pgdata.TimelineID {
	// Not the start of the next segment, which the very last one does not have.
	last := g.SegStart(s) + pgdata.LSN(g.WALSegSize-1)
	for i := len(h) - 1; i > 0; i-- {
		if h[i].Begin <= last {
			return h[i].TLI
		}
	}
	if len(h) == 0 {
		return 0
	}
	return h[0].TLI
}

// Stretches divides [from, to) by the timelines on which the WAL of this
// history was written, oldest first. Each begins where the previous one ends.
func (h History) Stretches(from, to pgdata.LSN) []pgdata.TimelineStretch {
	var newestFirst []pgdata.TimelineStretch
	for i := len(h) - 1; i >= 0 && from < to; i-- {
		if begin := max(from, h[i].Begin); begin < to {
			newestFirst = append(newestFirst, pgdata.TimelineStretch{TLI: h[i].TLI, From: begin, To: to})
			to = begin
		}
	}
	slices.Reverse(newestFirst)
	return newestFirst
}

// Lines describes the entries in the words of pg_rewind's debug output, one line
// each. format formats LSNs, as [pgdata.Version.FormatLSN] does for a major.
func (h History) Lines(format func(pgdata.LSN) string) []string {
	lines := make([]string, len(h))
	for i, e := range h {
		lines[i] = strconv.FormatUint(uint64(e.TLI), 10) + ": " + format(e.Begin) + " - " + format(e.End)
	}
	return lines
}

// String joins the Lines.
func (h History) String() string { return strings.Join(h.Lines(pgdata.LSN.String), "\n") }
