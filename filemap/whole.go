package filemap

import (
	"iter"

	"github.com/gorewind/gorewind/pgdata"
)

// Decide makes a plan of two listings, which may come in any order, and of what else is
// known. An error of a listing is returned as it is. [Builder] is for those who list both
// sides at the same time, or look something up before they know the facts.
func Decide(rules Rules, facts Facts, source, target iter.Seq2[pgdata.FileInfo, error]) (*Plan, error) {
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
