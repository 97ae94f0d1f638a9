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

// SummaryDir is the directory of the WAL summaries, inside the WAL directory.
const SummaryDir = "summaries"

const summarySuffix = ".summary"

// SummaryName is the content of a WAL summary's name: it covers the WAL of a
// timeline in [Start, End) (backup/walsummary.c, 17). The limits are usually redo
// points; they are others where a timeline ends or wal_level changes.
type SummaryName struct {
	TLI        pgdata.TimelineID
	Start, End pgdata.LSN
}

func (n SummaryName) String() string {
	return fmt.Sprintf("%08X%016X%016X%s", uint32(n.TLI), uint64(n.Start), uint64(n.End), summarySuffix)
}

// ParseSummaryName is the inverse of String. ok is false for any other name, including that
// of a summary that is being written (temp.summary).
func ParseSummaryName(name string) (n SummaryName, ok bool) {
	digits, ok := strings.CutSuffix(name, summarySuffix)
	if !ok || len(digits) != 40 || strings.Trim(digits, "0123456789ABCDEF") != "" {
		return SummaryName{}, false
	}
	// These are hexadecimal digits, and not too many, so there is no error.
	number := func(from, to int) uint64 { v, _ := strconv.ParseUint(digits[from:to], 16, 64); return v }
	n = SummaryName{TLI: pgdata.TimelineID(number(0, 8)), Start: pgdata.LSN(number(8, 24)), End: pgdata.LSN(number(24, 40))}
	if n.TLI == 0 || n.Start >= n.End {
		return SummaryName{}, false
	}
	return n, true
}

// SummaryGapError says that no WAL summary covers a part of the requested WAL.
type SummaryGapError struct {
	TLI pgdata.TimelineID
	LSN pgdata.LSN // the first position that is not covered
	End pgdata.LSN // the end of the requested WAL
}

func (e *SummaryGapError) Error() string {
	return fmt.Sprintf("no WAL summary covers timeline %d from %s on, up to %s: that WAL itself is needed (summarize_wal may have been off)",
		e.TLI, e.LSN, e.End)
}

// CoverSummaries chooses, from the available summaries, those that cover all WAL of the
// stretches (timeline.History.Stretches makes them from a history), in their order and
// no more than necessary. They may extend beyond the stretches: it does no harm if
// an unchanged block counts as changed.
//
// The error is a [*SummaryGapError]. The summaries returned with it cover everything
// before the gap. The newest summary ends at the redo point of the last checkpoint,
// so usually the WAL from there on must be read: [Read] takes that position, and
// a [ChangesVisitor] collects the rest.
//
// Names do not prove whose WAL it was: two servers can have a timeline with the same
// number.
func CoverSummaries(have []SummaryName, stretches []pgdata.TimelineStretch) ([]SummaryName, error) {
	have = slices.Clone(have)
	slices.SortFunc(have, func(a, b SummaryName) int { return cmp.Compare(a.Start, b.Start) })
	var chosen []SummaryName
	for _, want := range stretches {
		at, next := want.From, 0
		var farthest SummaryName // of those that begin early enough
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

// ReadSummaryChanges reads a WAL summary as [ReadSummary] does, and adds its content
// to changes, in the form in which a [Scan] reports changes: blocks and limits
// of main forks, where an init fork stands for its relation's main fork. A summary may
// lack blocks beyond a limit that the WAL has; they count as changed anyway. wanted
// says what is kept, as for [NewChangesVisitor]. On an error changes is not modified.
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
