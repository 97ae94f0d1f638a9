package seam_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gorewind/gorewind/internal/seam"
)

func TestOnlyAPlaceThatIsToFailFails(t *testing.T) {
	broken := errors.New("broken")
	ctx := seam.With(t.Context(), func(place string) error {
		if place == "here" {
			return broken
		}
		return nil
	})
	assert.Equal(t, broken, seam.At(ctx, "here"))
	assert.Equal(t, broken, seam.At(context.WithoutCancel(ctx), "here"))
	assert.NoError(t, seam.At(ctx, "there"))
	assert.NoError(t, seam.At(t.Context(), "here"))
}
