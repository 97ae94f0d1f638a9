package main

import (
	"fmt"
	"os"
	"slices"
)

// scope is the cluster.T that the test harness requires: what is created in a scope
// is removed at its end.
type scope struct {
	name     string
	failed   bool
	cleanups []func()
}

// failure is what Fatalf panics with.
type failure string

// scoped runs a function, and cleans up whether it fails or not.
func scoped(name string, do func(*scope)) (err error) {
	t := &scope{name: name}
	defer func() {
		if r := recover(); r != nil {
			f, ours := r.(failure)
			if !ours {
				panic(r)
			}
			t.failed, err = true, fmt.Errorf("%s", string(f))
		}
		for _, cleanUp := range slices.Backward(t.cleanups) {
			cleanUp()
		}
	}()
	do(t)
	return nil
}

// must fails on an error.
func (t *scope) must(err error) {
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// The methods of cluster.T.

func (t *scope) Helper()                           {}
func (t *scope) Name() string                      { return t.name }
func (t *scope) Failed() bool                      { return t.failed }
func (t *scope) Cleanup(f func())                  { t.cleanups = append(t.cleanups, f) }
func (t *scope) Logf(format string, args ...any)   { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (t *scope) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }
