package rewindtest

import (
	"context"

	"github.com/gorewind/gorewind/internal/seam"
	"github.com/gorewind/gorewind/rewind"
)

// FailAt gives a context with which every rewind fails with err when it comes to a
// phase: with rewind.PhaseStage the target is untouched, with rewind.PhaseApply it is committed,
// and is to be finished. It reaches whatever is given the context, so that a program is
// tested as it is.
func FailAt(ctx context.Context, phase rewind.Phase, err error) context.Context {
	return seam.With(ctx, func(place string) error {
		if place == string(phase) {
			return err
		}
		return nil
	})
}
