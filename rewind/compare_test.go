package rewind_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// unwilling returns a number of hashes, and then refuses.
type unwilling struct {
	*movedSource
	gives int
}

func (s *unwilling) Hash(ctx context.Context, ranges iter.Seq[source.Range], result func(source.Range, []byte) error) error {
	given := 0
	return s.Dir.Hash(ctx, ranges, func(r source.Range, sum []byte) error {
		if given++; given > s.gives {
			return fmt.Errorf("%w: permission denied for function sha256", errors.ErrUnsupported)
		}
		return result(r, sum)
	})
}

// TestFilesWithoutHashesAreCopied also covers a server that refuses in the
// middle: what is not known to be equal is copied.
func TestFilesWithoutHashesAreCopied(t *testing.T) {
	for _, gives := range []int{0, 1} {
		t.Run(fmt.Sprintf("it gives %d", gives), func(t *testing.T) {
			p := newSpecimen(t)
			p.restore(t)
			opts := p.options(t)
			opts.Source = &unwilling{opts.Source.(*movedSource), gives}
			r, err := rewind.Prepare(t.Context(), opts)
			require.NoError(t, err)
			defer func() { _ = r.Close() }()
			for _, e := range r.Plan().Files.Entries {
				assert.NotEqual(t, filemap.SameContent, e.Reason, e.Path)
			}
			require.NoError(t, r.Apply(t.Context()))
			p.mustBeRewound(t, "a rewind without hashes")
		})
	}
}
