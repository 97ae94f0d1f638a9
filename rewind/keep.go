package rewind

import (
	"maps"
	"slices"
	"sync"

	"github.com/gorewind/gorewind/internal/decide"
)

// keeper asks Options.KeepFunc, once for each path and one path at a time, and
// remembers the answers. Earlier answers apply if there is no function.
type keeper struct {
	ask func(path string) bool

	mu      sync.Mutex
	answers map[string]bool
}

// keeps returns what the target keeps: what is asked for now and, without a function,
// what the function of an earlier run in place answered.
func (r *Rewind) keeps(earlier *Plan) decide.Keep {
	r.keeper = &keeper{ask: r.opts.KeepFunc, answers: map[string]bool{}}
	if earlier != nil && r.keeper.ask == nil {
		r.keeper.only(earlier.Kept)
	}
	return decide.Keep{Patterns: r.opts.Keep, Func: r.keeper.keeps}
}

func (k *keeper) keeps(path string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	keep, asked := k.answers[path]
	if !asked && k.ask != nil {
		keep = k.ask(path)
		k.answers[path] = keep
	}
	return keep
}

// only restricts a keeper to what a plan keeps, and asks no more.
func (k *keeper) only(kept []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ask, k.answers = nil, map[string]bool{}
	for _, path := range kept {
		k.answers[path] = true
	}
}

// kept lists what is kept, for a plan.
func (k *keeper) kept() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	yes := maps.Clone(k.answers)
	maps.DeleteFunc(yes, func(_ string, keep bool) bool { return !keep })
	return slices.Sorted(maps.Keys(yes))
}
