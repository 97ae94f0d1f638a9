// Makeclusters makes the small clusters of testdata/clusters with real servers;
// make.sh there runs it.
//
//	makeclusters [-only REGEXP] DIRECTORY
//
// It writes DIRECTORY/<major>-<scenario>/, and never into one that exists. As
// root it works as an unprivileged user, who must be able to write there.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/gorewind/gorewind/internal/pgtest/scratch"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/internal/pgtest/unprivileged"
	"github.com/gorewind/gorewind/pgdata"
)

func main() {
	code, done, err := unprivileged.Program()
	if err != nil {
		fmt.Fprintln(os.Stderr, "makeclusters:", err)
	}
	if !done {
		scratch.CleanUpOnSignal()
		code = run()
		scratch.CleanUp()
	}
	os.Exit(code)
}

func run() int {
	only := flag.String("only", "", "make only those whose name matches this regular expression")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil || flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: makeclusters [-only REGEXP] DIRECTORY")
		return 2
	}
	failed := 0
	for _, v := range pgdata.Versions() {
		for _, s := range scenarios {
			name := v.Name + "-" + s.name
			if !s.has(v.Name) || !pattern.MatchString(name) {
				continue
			}
			fmt.Println(name)
			m := &maker{name: name}
			m.do(func() {
				in, err := servers.Major(context.Background(), v.Name)
				if err != nil {
					m.Fatalf("%v", err)
				}
				target, source := s.make(m, in)
				save(m, target, source, filepath.Join(flag.Arg(0), name), s.name == rowsScenario)
			})
			if m.Failed() {
				failed++
			}
		}
	}
	if failed > 0 {
		fmt.Printf("%d clusters could not be made\n", failed)
		return 1
	}
	return 0
}

// maker makes one fixture. It is a cluster.T.
type maker struct {
	name     string
	failed   bool
	cleanups []func()
}

type giveUp struct{}

// do calls fn, which Fatalf ends.
func (m *maker) do(fn func()) {
	defer func() {
		for i := len(m.cleanups) - 1; i >= 0; i-- {
			m.cleanups[i]()
		}
		if p := recover(); p != nil && p != (giveUp{}) {
			panic(p)
		}
	}()
	fn()
}

func (m *maker) Helper()           {}
func (m *maker) Name() string      { return m.name }
func (m *maker) Failed() bool      { return m.failed }
func (m *maker) Cleanup(fn func()) { m.cleanups = append(m.cleanups, fn) }

func (m *maker) Logf(format string, args ...any) {
	fmt.Printf(m.name+": "+format+"\n", args...)
}

func (m *maker) Fatalf(format string, args ...any) {
	m.Logf(format, args...)
	m.failed = true
	panic(giveUp{})
}
