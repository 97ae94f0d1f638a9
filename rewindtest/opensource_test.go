package rewindtest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/rewindtest"
	"github.com/gorewind/gorewind/source"
)

// counted is a source that counts how often it is closed.
type counted struct {
	source.Source
	closed int
}

func (c *counted) Close() error {
	c.closed++
	return c.Source.Close()
}

func TestTheSourceIsOpenedOnlyWhenItIsNeeded(t *testing.T) {
	lost := errors.New("the network is down")
	for _, c := range []struct {
		name        string
		unfinished  bool
		both        bool
		fails       error
		opens, ends int // how often it is opened and closed
		want        error
	}{
		{name: "for a rewind, and closed with it", opens: 1, ends: 1},
		{name: "not to finish one that was committed", unfinished: true},
		{name: "and if it cannot be, that is the error", fails: lost, opens: 1, want: lost},
		{name: "not beside one that is open", both: true, want: rewind.ErrOptions},
	} {
		t.Run(c.name, func(t *testing.T) {
			pair := rewindtest.New(t, rewindtest.Options{})
			if c.unfinished {
				require.NoError(t, pair.Interrupt(t.Context()))
			}
			src, opened := &counted{Source: pair.OpenSource(t)}, 0
			o := rewind.Options{TargetDir: pair.Target, OpenSource: func(context.Context) (source.Source, error) {
				if opened++; c.fails != nil {
					return nil, c.fails
				}
				return src, nil
			}}
			if c.both {
				o.Source = src
			}
			r, err := rewind.Prepare(t.Context(), o)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
				assert.True(t, rewind.Classify(err).TargetUntouched)
			} else {
				require.NoError(t, err)
				require.NoError(t, r.Apply(t.Context()))
				assert.Zero(t, src.closed, "before Close")
				require.NoError(t, r.Close())
				require.NoError(t, r.Close(), "once more")
				rewindtest.Equal(t, pair.Target, pair.Source, pair.SourceEnd)
			}
			assert.Equal(t, c.opens, opened)
			assert.Equal(t, c.ends, src.closed)
		})
	}
}
