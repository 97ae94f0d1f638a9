package timeline

import (
	"errors"

	"github.com/gorewind/gorewind/pgdata"
)

// ErrNoCommonAncestor says that two histories have no timeline in common: the
// clusters have separate pasts and cannot be rewound to each other.
var ErrNoCommonAncestor = errors.New("could not find common ancestor of the source and target cluster's timelines")

// CommonAncestor finds where two histories diverge. fork is the divergence point:
// WAL before it is the same in both. index is the entry of a (and of b, which is
// equal up to there) that contains the WAL just before fork.
//
// A fork of zero means "never": the histories are the same. That is also so for two
// clusters that chose the same number for different timelines at the same LSN;
// history files cannot show the difference.
//
// The error is ErrNoCommonAncestor.
func CommonAncestor(a, b History) (fork pgdata.LSN, index int, err error) {
	n := 0
	for n < len(a) && n < len(b) && a[n].TLI == b[n].TLI && a[n].Begin == b[n].Begin {
		n++
	}
	if n == 0 {
		return 0, 0, ErrNoCommonAncestor
	}
	index = n - 1
	// The lower of the two ends, unless one history later went back to before it.
	for _, h := range []History{a[index:], b[index:]} {
		for _, e := range h {
			if e.End != 0 && (fork == 0 || e.End < fork) {
				fork = e.End
			}
		}
	}
	for index > 0 && fork != 0 && a[index].Begin > fork {
		index--
	}
	return fork, index, nil
}
