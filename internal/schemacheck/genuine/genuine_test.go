// Package genuine holds our own check of documents against a complete validator of JSON
// Schema. It is a module of its own so that nobody else needs that.
package genuine

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/internal/schemacheck"
	"github.com/gorewind/gorewind/lost/rows/export"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// both are our check and the complete one, which are to agree.
type both struct {
	ours    *schemacheck.Schema
	genuine *jsonschema.Schema
}

func compile(t *testing.T, text []byte) both {
	t.Helper()
	ours, err := schemacheck.Compile(text)
	require.NoError(t, err)
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("schema.json", schema))
	genuine, err := c.Compile("schema.json")
	require.NoError(t, err)
	return both{ours, genuine}
}

// holds tells whether a document is as the schema has it.
func (b both) holds(t *testing.T, document []byte) bool {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	require.NoError(t, err)
	theirs, ours := b.genuine.Validate(value), b.ours.Validate(document)
	require.Equal(t, theirs == nil, ours == nil, "genuine: %v\nours: %v", theirs, ours)
	return ours == nil
}

func TestDocumentsOfRewindsAreAsTheSchemaSays(t *testing.T) {
	clusters, err := filepath.Glob("../../../testdata/clusters/*-basic")
	require.NoError(t, err)
	require.NotEmpty(t, clusters)
	schema := compile(t, report.Schema)
	for _, cluster := range clusters {
		t.Run(filepath.Base(cluster), func(t *testing.T) {
			dir := t.TempDir()
			for _, side := range []string{"target", "source"} {
				require.NoError(t, savedcluster.Restore(filepath.Join(cluster, side), filepath.Join(dir, side)))
			}
			src, err := source.OpenDir(filepath.Join(dir, "source"))
			require.NoError(t, err)
			defer func() { assert.NoError(t, src.Close()) }()
			r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: filepath.Join(dir, "target"), Source: src, NoSync: true})
			require.NoError(t, err)
			defer func() { assert.NoError(t, r.Close()) }()
			plan, err := json.Marshal(r.Document(t.Context(), nil))
			require.NoError(t, err)
			assert.True(t, schema.holds(t, plan))
			require.NoError(t, r.Apply(t.Context()))
			result, err := json.Marshal(r.Document(t.Context(), nil))
			require.NoError(t, err)
			assert.True(t, schema.holds(t, result))

			if filepath.Base(cluster) != "18-basic" {
				return // the documents of one are enough to spoil
			}
			var value any
			require.NoError(t, json.Unmarshal(plan, &value))
			shorten(value)
			spoil(value, func() {
				text, err := json.Marshal(value)
				require.NoError(t, err)
				schema.holds(t, text)
			})
		})
	}
}

func TestErrorsAreAsTheSchemaSays(t *testing.T) {
	_, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: t.TempDir()})
	require.Error(t, err)
	text, err := json.Marshal(rewind.ErrorDocument(err))
	require.NoError(t, err)
	assert.True(t, compile(t, report.Schema).holds(t, text))
}

func TestTheSchemaOfLostRowsIsOne(t *testing.T) {
	assert.False(t, compile(t, export.Schema).holds(t, []byte("{}")))
}

// shorten leaves the first item of every list.
func shorten(value any) {
	if v, ok := value.(map[string]any); ok {
		for name, member := range v {
			if list, ok := member.([]any); ok && len(list) > 0 {
				v[name] = list[:1]
				shorten(list[0])
			}
			shorten(member)
		}
	}
}

// spoil replaces, one at a time, everything in a value by values of other kinds, and
// calls seen after each.
func spoil(value any, seen func()) {
	try := func(old any, set func(any)) {
		for _, other := range []any{nil, true, "", -1, 0.5, 1e300, []any{}, map[string]any{}} {
			set(other)
			seen()
		}
		set(old)
	}
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			member := v[name]
			try(member, func(other any) { v[name] = other })
			delete(v, name)
			seen()
			v[name] = member
			spoil(member, seen)
		}
	case []any:
		if len(v) > 0 {
			old := v[0]
			try(old, func(other any) { v[0] = other })
			spoil(old, seen)
		}
	}
}
