package source_test

import (
	"context"
	"io/fs"
	"iter"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/source"
)

// answering is a source with a fixed answer, whatever it is asked for.
type answering struct {
	source.Source
	answer func(dst source.Sink) error
}

func (a answering) Fetch(_ context.Context, ranges iter.Seq[source.Range], dst source.Sink) error {
	for range ranges {
		if err := a.answer(dst); err != nil {
			return err
		}
	}
	return nil
}

func TestARangeIsWhatWasAskedForOrAnError(t *testing.T) {
	write := func(path, data string, offset int64) func(source.Sink) error {
		return func(dst source.Sink) error { return dst.WriteAt(path, []byte(data), offset) }
	}
	for _, c := range []struct {
		name   string
		answer func(source.Sink) error
		want   string
		err    string
	}{
		{"all of it", write("file", "12345", 100), "12345", ""},
		{"less, where the file ends", write("file", "123", 100), "123", ""},
		{"nothing, where the file ended before", write("file", "", 100), "", ""},
		{"nothing at its end", write("file", "", 105), "", ""},
		{"in two pieces", func(dst source.Sink) error {
			if err := dst.WriteAt("file", []byte("123"), 100); err != nil {
				return err
			}
			return dst.WriteAt("file", []byte("45"), 103)
		}, "12345", ""},
		{"another file", write("elif", "12345", 100), "", "which were not asked for"},
		{"a byte before", write("file", "12345", 99), "", "which were not asked for"},
		{"a byte more", write("file", "123456", 100), "", "which were not asked for"},
		{"a byte behind", write("file", "1", 105), "", "which were not asked for"},
		{"the end of all offsets", write("file", "12345", math.MaxInt64), "", "which were not asked for"},
		{"a negative offset", write("file", "12345", math.MinInt64), "", "which were not asked for"},
		{"that it is gone", func(dst source.Sink) error { return dst.Vanished("file") }, "", "does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := source.ReadRange(t.Context(), answering{answer: c.answer}, source.Range{Path: "file", Offset: 100, Length: 5})
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, string(got))
		})
	}
	_, err := source.ReadRange(t.Context(), answering{answer: func(dst source.Sink) error { return dst.Vanished("file") }}, source.Range{Path: "file", Length: 1})
	assert.ErrorIs(t, err, fs.ErrNotExist)
}
