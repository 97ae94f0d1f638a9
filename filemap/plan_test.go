package filemap_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
)

func TestReasonsHasEveryReason(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "plan.go", nil, 0)
	require.NoError(t, err)
	constants := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if v, is := n.(*ast.ValueSpec); is {
			if id, is := v.Type.(*ast.Ident); is && id.Name == "Reason" {
				constants++
			}
		}
		return true
	})
	all := filemap.Reasons()
	assert.Len(t, all, constants)
	slices.Sort(all)
	assert.Len(t, slices.Compact(all), constants, "each exists once")
}
