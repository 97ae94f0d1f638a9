package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest/scratch"
)

// narrator prints the story. It is also the cluster.T that the test harness requires:
// what would fail a test ends the program.
type narrator struct {
	ctx      context.Context // ends when the program is interrupted
	out      io.Writer
	verbose  bool
	colour   bool
	steps    int
	failed   bool
	cleanups []func()
	busy     sync.Mutex // see writing
}

func newNarrator(ctx context.Context, out *os.File, verbose bool) *narrator {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &narrator{
		ctx: ctx, out: out, verbose: verbose,
		colour: terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
	}
}

// Colours, as the parameters of the terminal's escape sequences.
const (
	bold  = "1"
	faint = "2"
	red   = "1;31"
	green = "1;32"
)

func (n *narrator) paint(colour, text string) string {
	if !n.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// step begins a chapter.
func (n *narrator) step(title string) {
	n.steps++
	fmt.Fprintf(n.out, "\n%s\n", n.paint(bold, fmt.Sprintf("%d. %s", n.steps, title)))
}

// say prints a line of a chapter.
func (n *narrator) say(format string, args ...any) {
	fmt.Fprintf(n.out, "   "+format+"\n", args...)
}

// command prints what a user would type.
func (n *narrator) command(args ...string) {
	for i, arg := range args {
		if strings.ContainsAny(arg, " ") {
			args[i] = "'" + arg + "'"
		}
	}
	n.say("%s", n.paint(bold, "$ "+strings.Join(args, " ")))
}

// closing prints the outcome, after everything was stopped and removed.
func (n *narrator) closing(agree bool, took time.Duration, kept string) {
	verdict := n.paint(green, "Both servers agree.")
	if !agree {
		verdict = n.paint(red, "The servers do not agree: see above.")
	}
	fmt.Fprintf(n.out, "\n%s That took %.1f s. The servers are stopped and removed; only the download is kept, in %s\n",
		verdict, took.Seconds(), kept)
}

const statusInterrupted = 130 // as in shells

// cleanUpWhenInterrupted ends the program when it is interrupted.
func (n *narrator) cleanUpWhenInterrupted() {
	go func() {
		<-n.ctx.Done()
		fmt.Fprintln(n.out, "\nInterrupted: stopping the servers and removing their directories.")
		n.busy.Lock()
		scratch.CleanUp()
		os.Exit(statusInterrupted)
	}()
}

// writing runs a function that writes files and that an interrupt must not overtake:
// nothing may be added to a directory while it is being removed.
func (n *narrator) writing(do func()) {
	n.busy.Lock()
	defer n.busy.Unlock()
	do()
}

// fail ends the program.
func (n *narrator) fail(reason string) {
	// An interrupt may be the cause, and be noticed only now.
	select {
	case <-n.ctx.Done():
		n.finish()
		os.Exit(statusInterrupted)
	case <-time.After(100 * time.Millisecond):
	}
	n.failed = true
	fmt.Fprintln(os.Stderr, n.paint(red, "\nThe demo failed: ")+strings.TrimSpace(reason))
	n.finish()
	os.Exit(1)
}

// finish stops all servers and removes all files.
func (n *narrator) finish() {
	for i := len(n.cleanups) - 1; i >= 0; i-- {
		n.cleanups[i]()
	}
	scratch.CleanUp()
}

// The methods of cluster.T.

func (n *narrator) Helper()                           {}
func (n *narrator) Name() string                      { return "demo" }
func (n *narrator) Failed() bool                      { return n.failed }
func (n *narrator) Cleanup(f func())                  { n.cleanups = append(n.cleanups, f) }
func (n *narrator) Fatalf(format string, args ...any) { n.fail(fmt.Sprintf(format, args...)) }

func (n *narrator) Logf(format string, args ...any) {
	if n.verbose {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}
}

// quoted passes on a program's output, indented.
type quoted struct {
	n    *narrator
	line []byte // not yet complete
}

func (q *quoted) Write(b []byte) (int, error) {
	q.line = append(q.line, b...)
	for {
		line, rest, complete := bytes.Cut(q.line, []byte("\n"))
		if !complete {
			return len(b), nil
		}
		q.n.say("%s", q.n.paint(faint, "| "+string(line)))
		q.line = bytes.Clone(rest)
	}
}

// oneLine joins the lines of an error.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// count writes a number with separators: 12,345.
func count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
