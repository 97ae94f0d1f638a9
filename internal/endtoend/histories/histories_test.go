package histories_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/randomtest"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
)

// histories is how many there are in go test, and twice that, times
// GOREWIND_TORTURE, in make torture.
const histories = 8

func howMany() int { return histories * max(1, 2*randomtest.Torture()) }

// tally counts the outcomes of rewinds.
type tally struct {
	sync.Mutex
	verdicts map[string]int
}

func (t *tally) add(verdict string) {
	t.Lock()
	defer t.Unlock()
	t.verdicts[verdict]++
}

func (t *tally) String() string {
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(t.verdicts)) {
		parts = append(parts, fmt.Sprintf("%d %s", t.verdicts[v], v))
	}
	return strings.Join(parts, ", ")
}

// sampleSeed is the first seed that go test tries.
const sampleSeed uint64 = 1

// TestHistories lets random events happen to a primary and its standbys, and then
// rewinds one of them to another. Either the rewind is refused and the target is
// untouched, or the target follows and has the source's rows. A seed repeats all
// choices that are made here, but not how fast the servers are:
//
//	GOREWIND_TEST_SEED=17 go test ./internal/endtoend/histories -run TestHistories/17$
//
// Without make torture the seeds are the same every time.
func TestHistories(t *testing.T) {
	seed := sampleSeed
	if _, given := randomtest.GivenSeed(); given || randomtest.Torture() > 0 {
		seed = randomtest.Seed()
	}
	count := tally{verdicts: map[string]int{}}
	slots := make(chan struct{}, 2*runtime.NumCPU()+1)
	t.Run("all", func(t *testing.T) {
		for i := range uint64(howMany()) {
			t.Run(fmt.Sprint(seed+i), func(t *testing.T) {
				t.Parallel()
				slots <- struct{}{}
				t.Cleanup(func() { <-slots })
				history(t, seed+i, &count)
			})
		}
	})
	pgtest.Note(fmt.Sprintf("tried %d histories (seed %d): %s", howMany(), seed, &count))
}

// history runs the history of one seed.
func history(t *testing.T, seed uint64, count *tally) {
	w := &world{T: t, rnd: rand.New(rand.NewPCG(seed, 14))}
	majors := servers.Majors()
	in, err := servers.Major(t.Context(), majors[w.rnd.IntN(len(majors))])
	if err != nil {
		t.Skip(err)
	}
	w.in = in
	t.Cleanup(func() {
		for _, n := range w.nodes {
			w.forget(n)
		}
		if t.Failed() || testing.Verbose() {
			t.Logf("what happened (GOREWIND_TEST_SEED=%d):\n%s", seed, strings.Join(w.log, "\n"))
		}
	})
	defer func() {
		if p := recover(); p != nil {
			u, ok := p.(endedEarly)
			if !ok {
				panic(p)
			}
			w.note(nil, "the history ends: %s", u.why)
			t.Logf("the history ends early: %s", u.why)
			count.add("histories that ended early")
		}
	}()
	w.begin()
	for range 1 + w.rnd.IntN(3) {
		for range 8 + w.rnd.IntN(16) {
			w.happen()
		}
		verdict, f := w.try(rand.New(rand.NewPCG(w.rnd.Uint64(), 1)))
		if f != nil {
			count.add("FINDINGS")
			t.Fatalf("GOREWIND_TEST_SEED=%d: %v\n%s", seed, f.what, f.context)
		}
		count.add(verdict)
	}
}
