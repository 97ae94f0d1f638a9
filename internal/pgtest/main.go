package pgtest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/gorewind/gorewind/internal/pgtest/console"
	"github.com/gorewind/gorewind/internal/pgtest/process"
	"github.com/gorewind/gorewind/internal/pgtest/scratch"
	"github.com/gorewind/gorewind/internal/pgtest/unprivileged"
)

// Main runs a package's tests and ends the process; call it from TestMain. As
// root it runs them as an unprivileged user, because PostgreSQL refuses root.
// At the end it prints which servers and genuine programs the tests ran with.
func Main(m *testing.M) {
	if code, done := unprivileged.Tests(); done {
		os.Exit(code)
	}
	if process.IsRoot() { // fuzzing, which writes to the checkout
		os.Exit(m.Run())
	}
	if _, err := scratch.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		os.Exit(1)
	}
	scratch.CleanUpOnSignal()
	scratch.UseMemory()
	moreAtATime()
	debug.SetGCPercent(400) // the live heap is small, and much is read only once
	code := m.Run()
	scratch.CleanUp()
	if line := summary(); line != "" {
		say(line + "\n")
	}
	os.Exit(code)
}

// moreAtATime sets -parallel if it was not given.
func moreAtATime() {
	if !flag.Parsed() {
		flag.Parse()
	}
	if f := flag.Lookup("test.parallel"); f != nil && f.Value.String() == f.DefValue {
		_ = f.Value.Set(strconv.Itoa(atATime))
	}
}

// say prints a line for the person who runs the tests. go test
// discards the output of passing packages, unless it is verbose: then the line goes to the go
// command's own standard error, if that is accessible.
func say(line string) {
	if !testing.Verbose() {
		if out := console.Open(); out != nil {
			_, err := out.WriteString(line)
			if errors.Join(err, out.Close()) == nil {
				return
			}
		}
	}
	fmt.Print(line)
}
