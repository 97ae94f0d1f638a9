package decide_test

import (
	"errors"
	"iter"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/pgdata"
)

func TestAListingThatFailsMakesNoPlan(t *testing.T) {
	broken := errors.New("the disk is broken")
	fails := func(yield func(pgdata.FileInfo, error) bool) { yield(pgdata.FileInfo{}, broken) }
	none := func(func(pgdata.FileInfo, error) bool) {}
	rules := decide.Rules{Version: pgdata.VersionByName("17"), Geometry: pgdata.Geometry{BlockSize: 8192, RelSegBlocks: 131072, WALBlockSize: 8192, WALSegSize: 16 << 20}}
	for _, c := range []struct {
		name           string
		source, target iter.Seq2[pgdata.FileInfo, error]
		is             error
	}{
		{"the source's", fails, none, broken},
		{"the target's", none, fails, broken},
		{"a path that leads out", listing(pgdata.FileInfo{Path: "../x", Type: pgdata.Regular}), none, decide.ErrUntrusted},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan, err := decide.Decide(rules, decide.Facts{}, c.source, c.target)
			assert.ErrorIs(t, err, c.is)
			assert.Nil(t, plan)
		})
	}
	_, err := decide.Decide(rules, decide.Facts{}, none, none)
	assert.ErrorContains(t, err, "is it a complete data directory?", "a source without what every cluster has")
}
