package pgtest

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Main runs a package's tests and ends the process; call it from TestMain. As
// root it runs them as an unprivileged user, because PostgreSQL refuses root.
// At the end it prints which servers and genuine programs the tests ran with.
func Main(m *testing.M) {
	if code, done := unprivilegedTest(m); done {
		os.Exit(code)
	}
	if isRoot() { // fuzzing, which writes to the checkout
		os.Exit(m.Run())
	}
	if _, err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		os.Exit(1)
	}
	CleanUpOnSignal()
	useMemory()
	moreAtATime()
	debug.SetGCPercent(400) // there is little that lives, and much that is read once
	code := m.Run()
	CleanUp()
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

// Chores are what root does for a program that UnprivilegedWith runs again.
type Chores struct {
	// Genuine is whether to install the genuine programs of the majors that
	// GOREWIND_TEST_MAJORS names.
	Genuine bool
	// Outputs are files to write, by the name of the flag that sets them. The
	// program must have no operands.
	Outputs map[string]string
}

// say prints a line for whoever runs the tests. Of passing packages go test
// throws away what they print, unless it is verbose: then go's own standard
// error is the place, where it can be had.
func say(line string) {
	if !testing.Verbose() {
		if console := openConsole(); console != nil {
			_, err := console.WriteString(line)
			if errors.Join(err, console.Close()) == nil {
				return
			}
		}
	}
	fmt.Print(line)
}

// CleanUpOnSignal makes an interrupted or terminated process clean up and exit
// with the status that shells give to that.
func CleanUpOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		signal.Stop(signals) // a second one kills
		CleanUp()
		n, _ := s.(syscall.Signal)
		os.Exit(128 + int(n))
	}()
}

// What the tests ran with, and what they missed.
var used = struct {
	sync.Mutex
	servers map[*Installation]bool
	missing map[string]error
	notes   []string
}{servers: map[*Installation]bool{}, missing: map[string]error{}}

func noteUsed(in *Installation) {
	used.Lock()
	defer used.Unlock()
	used.servers[in] = true
}

func noteMissing(what string, err error) {
	used.Lock()
	defer used.Unlock()
	used.missing[what] = err
}

// Note adds to the line that is printed at the end of a package's tests, whatever
// go test is told to show.
func Note(line string) {
	used.Lock()
	defer used.Unlock()
	used.notes = append(used.notes, line)
}

// summary is empty if no test asked for a server or noted something.
func summary() string {
	used.Lock()
	defer used.Unlock()
	var servers, genuine, missing []string
	for _, in := range byVersion(slices.Collect(maps.Keys(used.servers))) {
		if in.Genuine {
			genuine = append(genuine, in.Full)
		} else {
			servers = append(servers, in.Full)
		}
	}
	byReason := map[string][]string{}
	for what, err := range used.missing {
		reason := err.Error()
		if _, short, ok := strings.Cut(reason, ErrUnavailable.Error()+": "); ok {
			reason = short
		}
		byReason[reason] = append(byReason[reason], what)
	}
	for _, reason := range slices.Sorted(maps.Keys(byReason)) {
		slices.Sort(byReason[reason])
		missing = append(missing, fmt.Sprintf("%s (%s)", strings.Join(byReason[reason], ", "), reason))
	}
	var parts []string
	for _, p := range []struct {
		what string
		list []string
	}{
		{"ran with PostgreSQL ", servers},
		{"ran with PostgreSQL and all its programs ", genuine},
		{"without ", missing},
	} {
		if len(p.list) > 0 {
			parts = append(parts, p.what+strings.Join(p.list, ", "))
		}
	}
	slices.Sort(used.notes)
	parts = append(parts, used.notes...)
	if len(parts) == 0 {
		return ""
	}
	return "pgtest: " + strings.Join(parts, "; ")
}
