package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/script. In addition to testscript's own commands they have
//
//	restore CLUSTER     creates $WORK/target and $WORK/source from a stored cluster
//	exits N NAME ARG…   runs gorewind, called NAME, which must exit with status N
//	spills FILE N NAME ARG…   likewise; its stderr is also written to FILE
//	interrupt LINE ARG… runs gorewind and interrupts it when it writes LINE
//	same A B            the data directories A and B are the same in every byte
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"restore": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(restoreIn(ts.Getenv("WORK"), args[0]))
			},
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				if got := runInScript(ts, ts.Stderr(), args[1:]); got != want {
					ts.Fatalf("exit status %d, expected %d", got, want)
				}
			},
			"spills": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[1])
				ts.Check(err)
				f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
				ts.Check(err)
				defer func() { ts.Check(f.Close()) }()
				if got := runInScript(ts, io.MultiWriter(ts.Stderr(), f), args[2:]); got != want {
					ts.Fatalf("exit status %d, expected %d", got, want)
				}
			},
			"interrupt": func(ts *testscript.TestScript, _ bool, args []string) {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				w := &trigger{Writer: ts.Stderr(), text: args[0], pull: cancel}
				status := run(ctx, ctx, append([]string{"gorewind"}, args[1:]...), scriptEnvironment(ts), ts.Stdout(), w)
				ts.Logf("exit status %d", status)
				if !w.pulled || status == exitDone {
					ts.Fatalf("it was not interrupted")
				}
			},
			"same": func(ts *testscript.TestScript, neg bool, args []string) {
				diff := diffOf(ts, args[0], args[1])
				if (len(diff) == 0) == neg {
					ts.Fatalf("differences: %q", diff)
				}
			},
		},
	})
}

func diffOf(ts *testscript.TestScript, a, b string) []string {
	one, err := treeIn(ts.MkAbs(a))
	ts.Check(err)
	other, err := treeIn(ts.MkAbs(b))
	ts.Check(err)
	return one.Diff(other)
}

func scriptEnvironment(ts *testscript.TestScript) environment {
	return func(name string) (string, bool) { v := ts.Getenv(name); return v, v != "" }
}

func runInScript(ts *testscript.TestScript, stderr io.Writer, args []string) int {
	return run(context.Background(), context.Background(), args, scriptEnvironment(ts), ts.Stdout(), stderr)
}

// trigger calls a function when a text is written.
type trigger struct {
	io.Writer
	text   string
	pull   func()
	pulled bool
}

func (w *trigger) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.text) {
		w.pull()
		w.pulled = true
	}
	return w.Writer.Write(p)
}

// The scripts use every option, so that every one is tested.
func TestScriptsKnowEveryOption(t *testing.T) {
	var all strings.Builder
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	for _, o := range optionTable {
		if !strings.Contains(all.String(), "--"+o.name) {
			t.Errorf("no script uses --%s", o.name)
		}
	}
}
