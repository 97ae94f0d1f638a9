package rewindtest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/rewindtest"
	"github.com/gorewind/gorewind/source"
)

// rejoin stands for the program under test: it makes an old primary follow again.
func rejoin(ctx context.Context, dir string, src source.Source) error {
	r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: dir, Source: src, NoSync: true})
	if err != nil {
		return err
	}
	return errors.Join(r.Apply(ctx), r.Close())
}

// pair does what New does in a test.
func pair(o rewindtest.Options) (p *rewindtest.Pair, remove func()) {
	dir, err := os.MkdirTemp("", "pair")
	if err != nil {
		log.Fatal(err)
	}
	if p, err = rewindtest.Make(dir, o); err != nil {
		log.Fatal(err)
	}
	return p, func() { _ = os.RemoveAll(dir) }
}

// A program rewinds an old primary to a running server.
func ExampleOpenLive() {
	p, remove := pair(rewindtest.Options{Major: "18"})
	defer remove()
	ctx := context.Background()

	live, err := rewindtest.OpenLive(ctx, p.Source)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = live.Close() }()
	if err := rejoin(ctx, p.Target, live); err != nil {
		log.Fatal(err)
	}
	different, err := rewindtest.Differences(ctx, p.Target, p.Source, p.SourceEnd)
	fmt.Println(len(different), "differences,", err)
	// Output: 0 differences, <nil>
}

// In a test, New does the same, and removes the pair at the end.
func ExampleMake() {
	dir, err := os.MkdirTemp("", "pair")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	p, err := rewindtest.Make(dir, rewindtest.Options{Major: "9.6"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("PostgreSQL", p.Version, "diverged at", p.Fork)
	// Output: PostgreSQL 9.6 diverged at 0/1006E0
}

// A program starts after a crash interrupted its rewind.
func ExamplePair_Interrupt() {
	p, remove := pair(rewindtest.Options{})
	defer remove()
	ctx := context.Background()
	if err := p.Interrupt(ctx); err != nil {
		log.Fatal(err)
	}

	s, err := rewind.ReadStatus(p.Target)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.State)
	if s.State == rewind.StateUnfinished {
		if err := rewind.Resume(ctx, rewind.Options{TargetDir: p.Target, NoSync: true}); err != nil {
			log.Fatal(err)
		}
	}
	if s, err = rewind.ReadStatus(p.Target); err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.State)
	// Output:
	// unfinished
	// rewound
}

// A program meets a target that only a base backup can help.
func ExamplePair_LoseWAL() {
	p, remove := pair(rewindtest.Options{})
	defer remove()
	if err := p.LoseWAL(); err != nil {
		log.Fatal(err)
	}
	src, err := source.OpenDir(p.Source)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = src.Close() }()

	var e *rewind.Error
	if err := rejoin(context.Background(), p.Target, src); errors.As(err, &e) {
		fmt.Println(e.Condition, e.BaseBackupNeeded())
	}
	// Output: missing_wal true
}

// A program is interrupted when its rewind is about to be applied.
func ExampleFailAt() {
	p, remove := pair(rewindtest.Options{})
	defer remove()
	src, err := source.OpenDir(p.Source)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = src.Close() }()

	ctx := rewindtest.FailAt(context.Background(), rewind.PhaseApply, errors.New("the disk is gone"))
	var e *rewind.Error
	if err := rejoin(ctx, p.Target, src); errors.As(err, &e) {
		fmt.Println(e.Phase, e.TargetUntouched, e.Err)
	}
	// Output: apply false the disk is gone (Run the rewind again to finish it, or rewind.Resume; neither needs the source.)
}

// The connection breaks while a table is copied.
func ExampleLive() {
	p, remove := pair(rewindtest.Options{})
	defer remove()
	ctx := context.Background()
	live, err := rewindtest.OpenLive(ctx, p.Source)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = live.Close() }()

	live.Fail = func(call, path string) error {
		if call == "Fetch" && strings.HasPrefix(path, "base/") {
			return source.ErrUnavailable
		}
		return nil
	}
	var e *rewind.Error
	if err := rejoin(ctx, p.Target, live); errors.As(err, &e) {
		fmt.Println(e.Phase, e.Condition, e.Retryable())
	}
	// Output: stage source_unavailable true
}

// List the differences between two servers' files.
func ExampleDifferences() {
	p, remove := pair(rewindtest.Options{})
	defer remove()
	list, err := rewindtest.Differences(context.Background(), p.Target, p.Source, 0, rewindtest.Configuration)
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range list {
		fmt.Println(d)
	}
	// Output:
	// base/5/16384: 32768 and 40960 bytes
	//   blocks 1 to 2: content
	// base/5/16400: only in a
	// base/5/16401: only in b
}
