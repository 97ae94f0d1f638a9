package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gorewind/gorewind/rewind"
)

func TestManyReasonsForOneRefusalAreCounted(t *testing.T) {
	for _, c := range []struct {
		name  string
		files int
		lines int
		last  string
	}{
		{"all of a few are listed", 3, 3, "gorewind: error: file 3\n"},
		{"as many as there is room for are listed", 50, 50, "gorewind: error: file 50\n"},
		{"the rest of many is counted", 12345, 51, "gorewind: error: and 12295 more of this kind\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all rewind.Obstacles
			for i := range c.files {
				all = append(all, fmt.Errorf("file %d", i+1))
			}
			var b strings.Builder
			in := &invocation{ctx: t.Context(), out: &messages{name: "gorewind", w: &b}}
			assert.Equal(t, 1, in.failed(all))
			assert.Equal(t, c.lines, strings.Count(b.String(), "\n"))
			assert.True(t, strings.HasSuffix(b.String(), c.last), b.String())
		})
	}
}
