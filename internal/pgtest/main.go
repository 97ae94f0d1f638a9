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
	debug.SetGCPercent(400) // there is little that lives, and much that is read once
	code := m.Run()
	scratch.CleanUp()
	if line := summary(); line != "" {
		say(line + "\n")
	}
	os.Exit(code)
}

// moreAtATime is -parallel where nobody gave it.
func moreAtATime() {
	if !flag.Parsed() {
		flag.Parse()
	}
	if f := flag.Lookup("test.parallel"); f != nil && f.Value.String() == f.DefValue {
		_ = f.Value.Set(strconv.Itoa(atATime))
	}
}

// say prints a line for whoever runs the tests. Of passing packages go test
// throws away what they print, unless it is verbose: then go's own standard
// error is the place, where it can be had.
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
