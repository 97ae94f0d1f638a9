package rewindtest

import (
	"context"

	"github.com/gorewind/gorewind/internal/seam"
	"github.com/gorewind/gorewind/rewind"
)

// FailAt returns a context with which every rewind fails with err when it reaches a
// phase. With rewind.PhaseStage the target is untouched; with rewind.PhaseApply it is
// committed and must be finished. It works through any code that passes the context on,
// so a program can be tested without changes.
func FailAt(ctx context.Context, phase rewind.Phase, err error) context.Context {
	return seam.With(ctx, func(place string) error {
		if place == string(phase) {
			return err
		}
		return nil
	})
}
