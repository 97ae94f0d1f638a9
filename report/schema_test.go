package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/schemacheck"
	"github.com/gorewind/gorewind/report"
)

var update = flag.Bool("update", false, "rewrite the schema and the golden files")

// object is a JSON object with ordered members.
type object []member

type member struct {
	name  string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, v := range []any{m.name, m.value} {
			if j > 0 {
				b.WriteByte(':')
			}
			text, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			b.Write(text)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// schemaOf makes the schema of the documents from the Go types and their comments.
func schemaOf(t *testing.T) []byte {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "document.go", nil, parser.ParseComments)
	require.NoError(t, err)
	schema := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", "What gorewind says of a rewind"},
		{"$ref", "#/$defs/Document"},
	}
	var defs object
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.TYPE {
			continue
		}
		spec := gen.Specs[0].(*ast.TypeSpec)
		if s, ok := spec.Type.(*ast.StructType); ok {
			defs = append(defs, member{spec.Name.Name, structSchema(t, gen.Doc.Text(), s)})
		}
	}
	text, err := json.MarshalIndent(append(schema, member{"$defs", defs}), "", "  ")
	require.NoError(t, err)
	return append(text, '\n')
}

func structSchema(t *testing.T, doc string, s *ast.StructType) object {
	var properties object
	required := []string{}
	for _, f := range s.Fields.List {
		tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json")
		name, option, _ := strings.Cut(tag, ",")
		require.NotEmpty(t, name, "every field is in the JSON")
		if option != "omitempty" {
			required = append(required, name)
		}
		comment := strings.TrimSpace(f.Doc.Text() + f.Comment.Text())
		schema := typeSchema(t, f.Type)
		if name == "format_version" {
			schema = append(schema, member{"const", report.FormatVersion})
		}
		properties = append(properties, member{name, described(schema, comment)})
	}
	return object{
		{"description", oneLine(doc)},
		{"type", "object"},
		{"additionalProperties", false},
		{"required", required},
		{"properties", properties},
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func described(o object, comment string) object {
	if comment == "" {
		return o
	}
	return append(o, member{"description", oneLine(comment)})
}

func typeSchema(t *testing.T, e ast.Expr) object {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeSchema(t, e.X)
	case *ast.ArrayType:
		return object{{"type", "array"}, {"items", typeSchema(t, e.Elt)}}
	case *ast.IndexExpr: // List[T]
		return object{{"type", "array"}, {"items", typeSchema(t, e.Index)}}
	case *ast.SelectorExpr: // time.Time
		return object{{"type", "string"}, {"format", "date-time"}}
	case *ast.Ident:
		switch e.Name {
		case "string":
			return object{{"type", "string"}}
		case "bool":
			return object{{"type", "boolean"}}
		case "int", "int64":
			return object{{"type", "integer"}}
		case "uint32":
			return object{{"type", "integer"}, {"minimum", 0}, {"maximum", math.MaxUint32}}
		case "float64":
			return object{{"type", "number"}}
		case "Kind":
			return object{{"enum", []report.Kind{report.Plan, report.Result, report.Failed}}}
		case "Evidence":
			return object{{"enum", []report.Evidence{report.ByWAL, report.ByChanges, report.ByComparison}}}
		case "NextStep":
			return object{{"enum", report.NextSteps()}}
		case "Origin":
			return object{{"enum", []report.Origin{report.OnTarget, report.OnSource, report.InArchive, report.Missing}}}
		case "FileAction":
			return object{{"enum", []report.FileAction{
				report.ActionCreate, report.ActionCopy, report.ActionCopyTail, report.ActionBlocks, report.ActionNone, report.ActionTruncate, report.ActionRemove, report.ActionRestore,
			}}}
		}
		return object{{"$ref", "#/$defs/" + e.Name}}
	}
	require.Fail(t, "a type without a schema", "%T", e)
	return nil
}

// TestTheSchemaIsThatOfTheTypes keeps schema.json in step with the types and their
// comments.
func TestTheSchemaIsThatOfTheTypes(t *testing.T) {
	want := schemaOf(t)
	if *update {
		require.NoError(t, os.WriteFile("schema.json", want, 0o644))
	}
	got, err := os.ReadFile("schema.json")
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got), "run go test ./report -update")
}

func validator(t *testing.T) *schemacheck.Schema {
	t.Helper()
	text, err := os.ReadFile("schema.json")
	require.NoError(t, err)
	s, err := schemacheck.Compile(text)
	require.NoError(t, err)
	return s
}

func TestDocumentsFollowTheSchema(t *testing.T) {
	s := validator(t)
	for name, d := range samples() {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(d)
			require.NoError(t, err)
			assert.NoError(t, s.Validate(text))

			var back report.Document
			require.NoError(t, json.Unmarshal(text, &back))
			assert.Equal(t, d, &back, "it survives a round trip")
			again, err := json.Marshal(&back)
			require.NoError(t, err)
			assert.Equal(t, string(text), string(again))
		})
	}
	const good = `{"format_version": 1, "kind": "plan", "program": "x", "created": "2026-03-01T12:00:00Z", "required": true}`
	for name, change := range map[string][2]string{
		"good":             {"", ""},
		"an unknown kind":  {"plan", "dream"},
		"a future version": {": 1", ": 2"},
		"an unknown field": {`"program"`, `"colour": 1, "program"`},
		"a missing field":  {`, "required": true`, ""},
	} {
		err := s.Validate([]byte(strings.Replace(good, change[0], change[1], 1)))
		assert.Equal(t, name == "good", err == nil, "%s: %v", name, err)
	}
}

// TestNilListsAreWritten has documents that are made by hand.
func TestNilListsAreWritten(t *testing.T) {
	d := &report.Document{
		FormatVersion: report.FormatVersion, Kind: report.Plan, Target: new(report.Side), Source: new(report.Side), WALRead: new(report.WALRead),
		Lost: new(report.Lost), Startability: new(report.Start), Totals: new(report.Totals),
	}
	text, err := json.Marshal(d)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "null")
	assert.NoError(t, validator(t).Validate(text))
}
