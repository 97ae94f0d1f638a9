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

// History is how a timeline came to be: its ancestors, oldest first, and itself.
// One that [Parse] or [First] made is never empty.
//
// Switches normally happen at ever higher LSNs, but need not: a recovery that
// followed a timeline, and was told to stop before that timeline began, makes a
// child that lists it as an ancestor all the same. No WAL of such an ancestor
// belongs to the history, as its End lies before its Begin.
type History []Entry

// First is the history of timeline 1, which has no history file.
func First() History { return History{{TLI: 1}} }

// Newest is the timeline whose history this is, or zero if there is none.
func (h History) Newest() pgdata.TimelineID {
	if len(h) == 0 {
		return 0
	}
	return h[len(h)-1].TLI
}

// TimelineOf is the timeline under whose name the WAL of segment s is to be
// read. The segment in which a switch happened exists on both timelines; the
// younger one's file has all of it that belongs to this history, since it was
// made as a copy up to the switch. Zero if h is empty.
func (h History) TimelineOf(g pgdata.Geometry, s pgdata.SegNo) pgdata.TimelineID {
	// Not the start of the next segment: after the very last one there is none.
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

// Stretches are the parts of [from, to) by the timelines on which the WAL of this
// history was written, oldest first. Each begins where the one before ends.
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
// each. format writes LSNs, as [pgdata.Version.FormatLSN] does for a major.
func (h History) Lines(format func(pgdata.LSN) string) []string {
	lines := make([]string, len(h))
	for i, e := range h {
		lines[i] = strconv.FormatUint(uint64(e.TLI), 10) + ": " + format(e.Begin) + " - " + format(e.End)
	}
	return lines
}

// String joins the Lines.
func (h History) String() string { return strings.Join(h.Lines(pgdata.LSN.String), "\n") }
