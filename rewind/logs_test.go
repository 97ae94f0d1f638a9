package rewind_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/rewind"
)

// records keeps what is logged.
type records struct {
	mu  sync.Mutex
	all []slog.Record
}

func (*records) Enabled(context.Context, slog.Level) bool { return true }

func (r *records) Handle(_ context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, rec)
	return nil
}

func (r *records) WithAttrs([]slog.Attr) slog.Handler { return r }
func (r *records) WithGroup(string) slog.Handler      { return r }

// TestRecordsHaveAttributesAndAreFew rewinds, and resyncs, clusters of hundreds of
// files.
func TestRecordsHaveAttributesAndAreFew(t *testing.T) {
	for _, resync := range []rewind.Resync{rewind.NoResync, rewind.ResyncChanges, rewind.ResyncCompare} {
		p := restorePair(t, "18", "basic")
		var log records
		r, err := rewind.Prepare(t.Context(), rewind.Options{
			TargetDir: p.target, Source: endtoend.OpenDir(t, p.source), NoSync: true, Resync: resync, Logger: slog.New(&log),
		})
		require.NoError(t, err)
		require.NoError(t, r.Apply(t.Context()))
		require.NoError(t, r.Close())
		told := 0
		for _, rec := range log.all {
			assert.Positive(t, rec.NumAttrs(), rec.Message)
			if rec.Level >= slog.LevelInfo {
				told++
			}
		}
		assert.LessOrEqual(t, told, 6)
		assert.Greater(t, told, 0)
		assert.Greater(t, len(log.all), 50, "what happens to every file is for debugging")
	}
}

// TestAllLogCallsHaveAttributes reads the source code of the packages that log.
func TestAllLogCallsHaveAttributes(t *testing.T) {
	calls := 0
	for _, dir := range moduleDirs(t) {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, name, nil, 0)
			require.NoError(t, err)
			ast.Inspect(file, func(n ast.Node) bool {
				if call, is := n.(*ast.CallExpr); is {
					if own, logs := ownArguments(call); logs {
						calls++
						assert.True(t, len(call.Args) > own, "%s: a record without attributes", fset.Position(call.Pos()))
					}
				}
				return true
			})
		}
	}
	assert.Greater(t, calls, 40)
}

// ownArguments returns how many arguments of a logging call are not attributes.
func ownArguments(call *ast.CallExpr) (n int, logs bool) {
	method, is := call.Fun.(*ast.SelectorExpr)
	if !is {
		return 0, false
	}
	var of string
	switch on := method.X.(type) {
	case *ast.Ident:
		of = on.Name
	case *ast.SelectorExpr:
		of = on.Sel.Name
	}
	if of != "log" && of != "Logger" {
		return 0, false
	}
	n, logs = map[string]int{
		"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "DebugContext": 2, "InfoContext": 2, "WarnContext": 2, "ErrorContext": 2, "Log": 3,
	}[method.Sel.Name]
	return n, logs
}
