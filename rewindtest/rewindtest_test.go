package rewindtest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/stretchr/testify/assert"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/rewindtest"
)

func eachMajor(t *testing.T, test func(t *testing.T, major string)) {
	for _, v := range pgdata.Versions() {
		t.Run(v.Name, func(t *testing.T) { test(t, v.Name) })
	}
}

func TestThePairOfEveryMajorIsRewound(t *testing.T) {
	eachMajor(t, func(t *testing.T, major string) {
		p := rewindtest.New(t, rewindtest.Options{Major: major})
		r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.Target, Source: p.OpenSource(t), NoSync: true})
		require.NoError(t, err)
		defer func() { _ = r.Close() }()
		plan := r.Plan()
		assert.True(t, plan.Required)
		assert.Equal(t, p.Fork, plan.Divergence)
		assert.Equal(t, p.Checkpoint, plan.Checkpoint.LSN)
		require.NoError(t, r.Apply(t.Context()))
	})
}
