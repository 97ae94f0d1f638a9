package walreader

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// SummaryDir is the directory of the WAL summaries, inside that of the WAL.
const SummaryDir = "summaries"

const summarySuffix = ".summary"

// SummaryName is what the name of a WAL summary tells: it is about the WAL of a
// timeline in [Start, End) (backup/walsummary.c, 17). As a rule these are redo
// points; where a timeline ends, or wal_level changes, there are others.
type SummaryName struct {
	TLI        pgdata.TimelineID
	Start, End pgdata.LSN
}

func (n SummaryName) String() string {
	return fmt.Sprintf("%08X%016X%016X%s", uint32(n.TLI), uint64(n.Start), uint64(n.End), summarySuffix)
}

// ParseSummaryName undoes String. Any other name is none of a summary, that of one
// that is being written (temp.summary) among them.
func ParseSummaryName(name string) (n SummaryName, ok bool) {
	digits, ok := strings.CutSuffix(name, summarySuffix)
	if !ok || len(digits) != 40 || strings.Trim(digits, "0123456789ABCDEF") != "" {
		return SummaryName{}, false
	}
	// These are hexadecimal digits, and not too many.
	number := func(from, to int) uint64 { v, _ := strconv.ParseUint(digits[from:to], 16, 64); return v }
	n = SummaryName{TLI: pgdata.TimelineID(number(0, 8)), Start: pgdata.LSN(number(8, 24)), End: pgdata.LSN(number(24, 40))}
	if n.TLI == 0 || n.Start >= n.End {
		return SummaryName{}, false
	}
	return n, true
}

// SummaryGapError says that no WAL summary covers a part of what was asked for.
type SummaryGapError struct {
	TLI pgdata.TimelineID
	LSN pgdata.LSN // the first position that is not covered
	End pgdata.LSN // up to which it was wanted
}

func (e *SummaryGapError) Error() string {
	return fmt.Sprintf("no WAL summary covers timeline %d from %s on, up to %s: that WAL itself is needed (summarize_wal may have been off)",
		e.TLI, e.LSN, e.End)
}

// CoverSummaries chooses, of the summaries that there are, those that tell of all
// WAL of the stretches (timeline.History.Stretches makes them of a history), in
// their order and no more than are needed. They may reach beyond: that something
// counts as changed that did not change does no harm.
//
// The error is a [*SummaryGapError]. Those that are returned with it cover all
// before the gap. The newest summary ends at the redo point of the last checkpoint,
// so as a rule the WAL from there on is to be read: [Read] takes that position, and
// a [ChangesVisitor] collects the rest.
//
// Names prove nothing about whose WAL it was: two servers can have a timeline of
// one number.
func CoverSummaries(have []SummaryName, stretches []pgdata.TimelineStretch) ([]SummaryName, error) {
	have = slices.Clone(have)
	slices.SortFunc(have, func(a, b SummaryName) int { return cmp.Compare(a.Start, b.Start) })
	var chosen []SummaryName
	for _, want := range stretches {
		at, next := want.From, 0
		var farthest SummaryName // of those that begin in time
		for at < want.To {
			for ; next < len(have) && have[next].Start <= at; next++ {
				if s := have[next]; s.TLI == want.TLI && s.End > farthest.End {
					farthest = s
				}
			}
			if farthest.End <= at {
				return chosen, &SummaryGapError{TLI: want.TLI, LSN: at, End: want.To}
			}
			chosen, at = append(chosen, farthest), farthest.End
		}
	}
	return chosen, nil
}

// ReadSummaryChanges reads a WAL summary as [ReadSummary] does, and adds to changes
// what it says, in the shape in which a [Scan] says what WAL does: blocks and limits
// of main forks, where an init fork stands for its relation's main fork. Of blocks
// behind a limit a summary has less than the WAL; they count as changed anyhow. What
// is kept wanted says, as for [NewChangesVisitor]. On an error changes is as it was.
func ReadSummaryChanges(r io.Reader, name string, g pgdata.Geometry, wanted func(pgdata.RelSegment) bool, changes *pgdata.Changes) error {
	if err := g.Validate(); err != nil {
		return err
	}
	c := newChanges(g)
	c.wanted = wanted
	err := ReadSummary(r, name, func(f SummaryFork, blocks []pgdata.BlockNumber) {
		if f.Limited && (f.Fork == pgdata.MainFork || f.Fork == pgdata.InitFork) {
			c.limit(f.Locator, f.Limit)
		}
		if f.Fork == pgdata.MainFork {
			for _, b := range blocks {
				c.add(f.Locator, b)
			}
		}
	})
	if err != nil {
		return err
	}
	changes.Merge(pgdata.Changes{Blocks: c.blocks, Limits: c.limits.Limits})
	return nil
}
