package rewind_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/rewind"
)

// A caller gets an error of an internal package as one of this package's types.
func TestInternalErrorsHaveAPublicType(t *testing.T) {
	space := apply.SpaceError{Dir: "/d", Needed: 2 << 10, Free: 1 << 10, InPlace: true}
	file := apply.SourceFileError{Path: "conf", Expected: 3, Copied: 2}
	cause := errors.New("503")
	for _, c := range []struct {
		name     string
		internal error
		check    func(*testing.T, error)
	}{
		{"space", &space, func(t *testing.T, err error) {
			var got *rewind.SpaceError
			require.ErrorAs(t, err, &got)
			assert.Equal(t, rewind.SpaceError(space), *got)
			assert.Equal(t, space.Error(), got.Error())
		}},
		{"a file of the source", &file, func(t *testing.T, err error) {
			var got *rewind.SourceFileError
			require.ErrorAs(t, err, &got)
			assert.Equal(t, rewind.SourceFileError(file), *got)
			assert.Equal(t, file.Error(), got.Error())
		}},
		{"the archive", &archive.FetchError{Name: "w", Attempts: 3, Err: cause}, func(t *testing.T, err error) {
			var got *rewind.FetchWALError
			require.ErrorAs(t, err, &got)
			assert.Equal(t, rewind.FetchWALError{Name: "w", Attempts: 3, Err: cause}, *got)
			assert.NotErrorIs(t, err, cause)
		}},
		{"several obstacles", apply.Obstacles{cause, &space}, func(t *testing.T, err error) {
			var got rewind.Obstacles
			require.ErrorAs(t, err, &got)
			require.Len(t, got, 2)
			assert.Equal(t, apply.Obstacles{cause, &space}.Error(), got.Error())
			assert.ErrorIs(t, err, cause)
			var one *rewind.SpaceError
			require.ErrorAs(t, got[1], &one, "each is public, too")
			assert.Equal(t, "/d", one.Dir)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := rewind.Classify(fmt.Errorf("around: %w", c.internal))
			c.check(t, err)
			assert.ErrorContains(t, err, c.internal.Error())
			assert.Equal(t, rewind.Classify(c.internal).Condition, err.Condition)
		})
	}
}

// An alias would make a type of an internal package a part of the API.
func TestPublicPackagesHaveNoAliases(t *testing.T) {
	for _, dir := range moduleDirs(t) {
		if strings.Contains(filepath.ToSlash(dir), "/internal/") {
			continue
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			require.NoError(t, err)
			ast.Inspect(file, func(n ast.Node) bool {
				if s, is := n.(*ast.TypeSpec); is && s.Assign.IsValid() {
					assert.False(t, ast.IsExported(s.Name.Name), "%s: %s is an alias", name, s.Name.Name)
				}
				return true
			})
		}
	}
}
