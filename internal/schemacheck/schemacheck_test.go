package schemacheck

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const small = `{"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "additionalProperties": false, "required": ["n"], "properties": {
	"n": {"type": "integer", "minimum": 0, "maximum": 4294967295}, "k": {"enum": ["x", "y"]}, "v": {"const": 1},
	"at": {"type": "string", "format": "date-time"}, "list": {"type": "array", "items": {"type": "number"}}, "b": {"type": "boolean"},
	"counts": {"type": "object", "propertyNames": {"enum": ["same", "gone"]}, "additionalProperties": {"type": "integer"}}}}}}`

func TestADocumentIsAsItsSchemaSaysOrNot(t *testing.T) {
	s, err := Compile([]byte(small))
	require.NoError(t, err)
	for document, wrong := range map[string]string{
		`{"n": 0, "k": "x", "v": 1, "at": "2026-03-01T12:00:00.5Z", "list": [1, 2.5], "b": true}`: "",
		`{"n": 1.0}`:             "",
		`{"n": 4294967295}`:      "",
		`{"n": 4294967296}`:      "/n/: 4294967296 is out of its range",
		`{"n": -1}`:              "/n/: -1 is out of its range",
		`{"n": 1.5}`:             "/n/: 1.5 is no integer",
		`{"n": "1"}`:             "/n/: 1 is no integer",
		`{"n": null}`:            "/n/: <nil> is no integer",
		`{}`:                     "/: n is missing",
		`{"n": 1, "m": 2}`:       "/: m is not known",
		`{"n": 1, "k": "z"}`:     "/k/: z is none of [x y]",
		`{"n": 1, "v": 2}`:       "/v/: 2 is not 1",
		`{"n": 1, "at": "now"}`:  "/at/: parsing time",
		`{"n": 1, "list": [{}]}`: "/list/0/: map[] is no number",
		`{"n": 1, "list": {}}`:   "/list/: map[] is no array",
		`{"n": 1, "b": 0}`:       "/b/: 0 is no boolean",
		`{"n": 1, "counts": {"same": 1, "gone": 2}}`: "",
		`{"n": 1, "counts": {"more": 1}}`:            "/counts/more/: more is none of [same gone]",
		`{"n": 1, "counts": {"same": true}}`:         "/counts/same/: true is no integer",
		`[]`:                                         "/: [] is no object",
		`{"n": 1} {}`:                                "more than one value",
		`{`:                                          "unexpected EOF",
	} {
		err := s.Validate([]byte(document))
		if wrong == "" {
			assert.NoError(t, err, document)
		} else {
			assert.ErrorContains(t, err, wrong, document)
		}
	}
}

func TestASchemaThatIsNotUnderstoodIsRefused(t *testing.T) {
	for schema, wrong := range map[string]string{
		`{"oneOf": []}`:                         `unknown field "oneOf"`,
		`{"type": "null"}`:                      `unknown type "null"`,
		`{"items": {"format": "uri"}}`:          `unknown format "uri"`,
		`{"additionalProperties": true}`:        "cannot unmarshal bool",
		`{"additionalProperties": {"not": 1}}`:  `unknown field "not"`,
		`{"properties": {"a": {"$ref": "#/"}}}`: "#/ leads nowhere",
		`{"$defs": {"A": {"$ref": "x"}}}`:       "x leads nowhere",
	} {
		_, err := Compile([]byte(schema))
		assert.ErrorContains(t, err, wrong, schema)
	}
}
