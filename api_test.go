package gorewind_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/catalog"
	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/heap/heapwal"
	"github.com/gorewind/gorewind/heap/types"
	"github.com/gorewind/gorewind/lost"
	"github.com/gorewind/gorewind/lost/rows"
	"github.com/gorewind/gorewind/lost/rows/export"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/rewindtest"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// zeroValues has the exported types of the public packages that have methods.
var zeroValues = []any{
	new(pgdata.BlockSet), new(pgdata.ChangedBlocks), new(pgdata.Changes), new(pgdata.FileType), new(pgdata.Geometry), new(pgdata.LSN),
	new(pgdata.RelFileLocator), new(pgdata.RelSegment), new(pgdata.UnsupportedVersionError), new(pgdata.Version),
	new(controlfile.CheckPoint), new(controlfile.Data), new(controlfile.Error), new(controlfile.State), new(controlfile.WALLevel),
	new(timeline.History), new(timeline.ParseError),
	new(walreader.BoundaryError), new(walreader.ChangesVisitor), new(walreader.Dir), new(walreader.Ended), new(walreader.Error),
	new(walreader.Format), new(walreader.Reader), new(walreader.Record), new(walreader.SummaryError), new(walreader.SummaryGapError),
	new(walreader.SummaryName), new(walreader.UnknownRecordError), new(walreader.VisitorList),
	new(heap.External), new(heap.Fields), new(heap.Page), new(heap.Tuple), new(types.Printer),
	new(heapwal.Decoder), new(heapwal.Redo), new(heapwal.Row), new(catalog.Cluster), new(catalog.Database),
	new(lost.Visitor), new(rows.Finder), new(export.NotComparedError), new(filemap.Entry), new(filemap.Plan), new(filemap.Step),
	new(source.ConnectError), new(source.Dir), new(source.DirError), new(source.RelationName), new(source.ReplicationError), new(source.State),
	new(pgsource.PoolerError), new(pgsource.PrivilegeError), new(pgsource.Server),
	new(report.Damage), new(report.Document), new(report.Evidence), new(report.Following), new(report.List[int]), new(report.Listing),
	new(report.Lost), new(report.NextStep), new(report.Prepared), new(report.Relation), new(report.Tablespace),
	new(rewind.Action), new(rewind.ArchiveError), new(rewind.CannotStartError), new(rewind.ConfigError), new(rewind.DamagedPage),
	new(rewind.DamagedPagesError), new(rewind.Difference), new(rewind.Error), new(rewind.Explained), new(rewind.FetchWALError),
	new(rewind.FileDiff), new(rewind.LostRows), new(rewind.MissingWALError), new(rewind.Obstacles), new(rewind.Plan),
	new(rewind.RecoveryError), new(rewind.Rewind), new(rewind.ServerProgramError), new(rewind.SourceFileError), new(rewind.SpaceError),
	new(rewind.Status), new(rewind.TablespaceMapping), new(rewindtest.Live), new(rewindtest.Pair),
}

// mustBeMade lists types whose zero value is of no use, and says what makes one. To use it
// is a mistake that shows the first time, but it can be printed and closed.
var mustBeMade = map[string]string{
	"pgdata.Geometry":          "controlfile.Data has it",
	"pgdata.ChangedBlocks":     "make, as for any map",
	"walreader.Format":         "controlfile.Data has what it consists of",
	"walreader.ChangesVisitor": "NewChangesVisitor",
	"walreader.Dir":            "OpenDir",
	"walreader.Reader":         "NewReader",
	"heap/heapwal.Redo":        "NewRedo",
	"catalog.Cluster":          "Open",
	"catalog.Database":         "Cluster.Database",
	"lost/rows.Finder":         "NewFinder",
	"source.Dir":               "OpenDir",
	"source/pgsource.Server":   "Open",
	"rewindtest.Live":          "OpenLive",
	"rewindtest.Pair":          "New",
}

// TestNoMethodOfAZeroValuePanics: a value that a caller declared, or got with an error,
// can be asked, printed and closed.
func TestNoMethodOfAZeroValuePanics(t *testing.T) {
	var known []string
	for _, zero := range zeroValues {
		of := reflect.TypeOf(zero).Elem()
		name, _, _ := strings.Cut(strings.TrimPrefix(of.PkgPath(), module)+"."+of.Name(), "[")
		known = append(known, name)
		for i := range reflect.TypeOf(zero).NumMethod() {
			method := reflect.TypeOf(zero).Method(i).Name
			if mustBeMade[name] != "" && !slices.Contains([]string{"Close", "Error", "String"}, method) {
				continue
			}
			fresh := reflect.New(of) // what an earlier method did must not matter
			func() {
				defer func() {
					if p := recover(); p != nil {
						assert.Fail(t, "it panics", "%s.%s: %v\n%s", name, method, p, where())
					}
				}()
				call(t, fresh, method)
			}()
		}
	}
	slices.Sort(known)
	assert.Equal(t, typesWithMethods(t), known, "zeroValues must have every type with methods")
}

var geometry = pgdata.Geometry{BlockSize: 8192, RelSegBlocks: 131072, WALBlockSize: 8192, WALSegSize: 16 << 20}

// where is the place of a panic.
func where() string {
	_, stack, _ := strings.Cut(string(debug.Stack()), "panic(")
	lines := strings.Split(stack, "\n")
	return strings.Join(lines[min(2, len(lines)):min(8, len(lines))], "\n")
}

// call calls a method, and takes what it yields. The arguments are zero values, except for
// those that nobody can leave out.
func call(t *testing.T, of reflect.Value, name string) {
	t.Helper()
	method := of.MethodByName(name)
	given := map[reflect.Type]any{
		reflect.TypeFor[context.Context]():   t.Context(),
		reflect.TypeFor[io.Writer]():         io.Discard,
		reflect.TypeFor[pgdata.Geometry]():   geometry,
		reflect.TypeFor[*pgdata.Version]():   pgdata.VersionByName("18"),
		reflect.TypeFor[walreader.Visitor](): reflect.New(of.Type().Elem()).Interface(),
	}
	if _, list := of.Interface().(*walreader.VisitorList); list {
		given[reflect.TypeFor[walreader.Visitor]()] = walreader.VisitorList{}
	}
	var args []reflect.Value
	for i := range method.Type().NumIn() {
		in := method.Type().In(i)
		switch {
		case method.Type().IsVariadic() && i == method.Type().NumIn()-1:
			continue
		case given[in] != nil:
			args = append(args, reflect.ValueOf(given[in]))
		case in.Kind() == reflect.Func:
			args = append(args, nothing(in))
		case in.Kind() == reflect.Pointer:
			args = append(args, reflect.New(in.Elem()))
		default:
			args = append(args, reflect.Zero(in))
		}
	}
	for _, out := range method.Call(args) {
		if out.Kind() == reflect.Func && !out.IsNil() && out.Type().NumIn() == 1 && out.Type().In(0).Kind() == reflect.Func {
			out.Call([]reflect.Value{nothing(out.Type().In(0))})
		}
	}
}

// nothing is a function that returns zero values.
func nothing(of reflect.Type) reflect.Value {
	return reflect.MakeFunc(of, func([]reflect.Value) []reflect.Value {
		var results []reflect.Value
		for i := range of.NumOut() {
			results = append(results, reflect.Zero(of.Out(i)))
		}
		return results
	})
}

// typesWithMethods lists the exported types of the public packages that have exported
// methods.
func typesWithMethods(t *testing.T) (list []string) {
	t.Helper()
	for dir := range mayImport {
		if strings.Contains(dir, "internal/") || slices.Contains([]string{"cmd/gorewind", "demo", "bench", "packaging/archive", "testdata/makeclusters"}, dir) {
			continue
		}
		files, err := filepath.Glob(dir + "/*.go")
		require.NoError(t, err)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, d := range file.Decls {
				f, is := d.(*ast.FuncDecl)
				if !is || f.Recv == nil || !f.Name.IsExported() {
					continue
				}
				of := f.Recv.List[0].Type
				if star, is := of.(*ast.StarExpr); is {
					of = star.X
				}
				if index, is := of.(*ast.IndexExpr); is {
					of = index.X
				}
				if id := of.(*ast.Ident); id.IsExported() {
					list = append(list, dir+"."+id.Name)
				}
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
