package decide

import (
	"iter"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// Decide makes a plan from two listings, which may be in any order, and the other
// facts. An error of a listing is returned unchanged. [Builder] is for callers that list both
// sides concurrently, or look something up before they know the facts.
func Decide(rules Rules, facts Facts, source, target iter.Seq2[pgdata.FileInfo, error]) (*filemap.Plan, error) {
	b := NewBuilder(rules)
	for _, side := range []struct {
		files iter.Seq2[pgdata.FileInfo, error]
		add   func(pgdata.FileInfo) error
	}{{source, b.AddSource}, {target, b.AddTarget}} {
		for f, err := range side.files {
			if err == nil {
				err = side.add(f)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	if err := b.EndSource(); err != nil {
		return nil, err
	}
	return b.Plan(facts)
}
