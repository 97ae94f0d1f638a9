package decide

import (
	"iter"

	"github.com/gorewind/gorewind/pgdata"
)

// Merge yields the entries of two listings side by side, sorted by directory and
// then by name. Both results have the path; for a side without such an entry,
// nothing else is set, not even the type.
func Merge(a, b *Listing) iter.Seq2[pgdata.FileInfo, pgdata.FileInfo] {
	return func(yield func(a, b pgdata.FileInfo) bool) {
		for left, right := a.begin(), b.begin(); left.ok() || right.ok(); {
			order := left.compare(right)
			at := left
			if order > 0 {
				at = right
			}
			f := pgdata.FileInfo{Path: at.path()}
			g := f
			if order <= 0 {
				f = a.describe(f.Path, left.record())
				left.next()
			}
			if order >= 0 {
				g = b.describe(g.Path, right.record())
				right.next()
			}
			if !yield(f, g) {
				return
			}
		}
	}
}
