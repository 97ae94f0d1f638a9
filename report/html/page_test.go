package html_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestValuesAreOnlyWhereTheyAreEscaped reads this package: markup must be constant, each of its
// places must have its value, and the places must be in text or in quoted attributes.
func TestValuesAreOnlyWhereTheyAreEscaped(t *testing.T) {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	puts := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			at := files.Position(call.Pos()).String()
			switch f := call.Fun.(type) {
			case *ast.Ident:
				assert.False(t, f.Name == "markup" && name != "page.go", "%s: a conversion", at)
			case *ast.SelectorExpr:
				if strings.HasPrefix(f.Sel.Name, "Write") && name != "page.go" && f.Sel.Name != "Write" {
					argument, ok := call.Args[0].(*ast.Ident)
					assert.True(t, ok && argument.Name == "style", "%s: does not use put", at)
				}
				if f.Sel.Name == "put" {
					puts++
					markup, ok := constant(call.Args[0])
					assert.True(t, ok, "%s: not constant", at)
					places, ok := placesIn(markup)
					assert.True(t, ok, "%s: %s", at, markup)
					assert.Len(t, call.Args[1:], places, "%s: %s", at, markup)
				}
			}
			return true
		})
	}
	assert.Greater(t, puts, 50)
}

// constant is the value of a literal, or of several with + between them.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		a, okA := constant(e.X)
		b, okB := constant(e.Y)
		return a + b, okA && okB
	}
	return "", false
}

// placesIn counts the places for values, unless one of them is within a tag and not in quotes.
// Markup begins and ends outside of tags.
func placesIn(markup string) (n int, ok bool) {
	inTag, quoted := false, false
	for i, c := range markup {
		switch {
		case strings.HasPrefix(markup[i:], "{}"):
			n++
			if inTag && !quoted {
				return n, false
			}
		case c == '"' && inTag:
			quoted = !quoted
		case c == '<' && !quoted:
			inTag = true
		case c == '>' && !quoted:
			inTag = false
		}
	}
	return n, !inTag
}

func TestPlacesIn(t *testing.T) {
	for markup, want := range map[string]bool{
		`<p class="{}">{}</p>`: true, `<p {}>{}</p>`: false, `<p class={}>{}</p>`: false, `{}<p class="{}`: false,
	} {
		places, ok := placesIn(markup)
		assert.Equal(t, want, ok, markup)
		assert.LessOrEqual(t, places, 2)
	}
}
