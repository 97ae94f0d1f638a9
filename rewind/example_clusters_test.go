package rewind_test

import (
	"context"
	"os"
	"path/filepath"

	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// exampleClusters makes the data directories of an old primary and of the server that
// took over.
func exampleClusters() (target, newPrimary string, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	target, newPrimary = filepath.Join(dir, "target"), filepath.Join(dir, "source")
	for _, name := range []string{"target", "source"} {
		if err := savedcluster.Restore(filepath.Join("..", "testdata", "clusters", "18-basic", name), filepath.Join(dir, name)); err != nil {
			panic(err)
		}
	}
	return target, newPrimary, func() { _ = os.RemoveAll(dir) }
}

// interruptAfterCommit runs a rewind whose context is cancelled at the commit.
func interruptAfterCommit(target, newPrimary string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := applyExample(ctx, target, newPrimary, rewind.Observer{PhaseBegan: func(p rewind.Phase) {
		if p == rewind.PhaseApply {
			cancel()
		}
	}})
	if rewind.Classify(err).Action != rewind.ActionResume {
		panic(err)
	}
}

func rewindExample(target, newPrimary string) {
	if err := applyExample(context.Background(), target, newPrimary, rewind.Observer{}); err != nil {
		panic(err)
	}
}

func applyExample(ctx context.Context, target, newPrimary string, o rewind.Observer) error {
	src, err := source.OpenDir(newPrimary)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: target, Source: src, Observer: o})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	return r.Apply(ctx)
}
