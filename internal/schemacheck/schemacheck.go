package schemacheck

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Schema is a JSON schema.
type Schema struct {
	root *node
	defs map[string]*node
}

// node is a schema or a part of one.
type node struct {
	Schema      string           `json:"$schema"`
	Title       string           `json:"title"`
	Description string           `json:"description"`
	Defs        map[string]*node `json:"$defs"`
	Ref         string           `json:"$ref"`
	Type        string           `json:"type"`
	Const       json.RawMessage  `json:"const"`
	Enum        []any            `json:"enum"`
	Format      string           `json:"format"`
	Minimum     *json.Number     `json:"minimum"`
	Maximum     *json.Number     `json:"maximum"`
	Items       *node            `json:"items"`
	Required    []string         `json:"required"`
	Properties  map[string]*node `json:"properties"`
	Names       *node            `json:"propertyNames"`
	Additional  *others          `json:"additionalProperties"`
}

// others is what holds for the members that are not listed: none may be there if it has
// no node.
type others struct{ *node }

// UnmarshalJSON reads a schema, or false.
func (o *others) UnmarshalJSON(text []byte) error {
	if string(text) == "false" {
		return nil
	}
	o.node = new(node)
	return decode(text, o.node, true)
}

const defs = "#/$defs/"

// Compile reads a schema. A word of JSON Schema that is not known here is an error.
func Compile(text []byte) (*Schema, error) {
	s := &Schema{root: new(node)}
	if err := decode(text, s.root, true); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	s.defs = s.root.Defs
	if err := s.check(s.root); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return s, nil
}

func decode(text []byte, into any, strict bool) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one value")
	}
	return nil
}

// check finds what Validate would not understand.
func (s *Schema) check(n *node) error {
	if n == nil {
		return nil
	}
	if n.Ref != "" && s.defs[strings.TrimPrefix(n.Ref, defs)] == nil {
		return fmt.Errorf("%s leads nowhere", n.Ref)
	}
	if n.Type != "" && !slices.Contains([]string{"object", "array", "string", "boolean", "integer", "number"}, n.Type) {
		return fmt.Errorf("unknown type %q", n.Type)
	}
	if n.Format != "" && n.Format != "date-time" {
		return fmt.Errorf("unknown format %q", n.Format)
	}
	err := errors.Join(s.check(n.Items), s.check(n.Names))
	if n.Additional != nil {
		err = errors.Join(err, s.check(n.Additional.node))
	}
	for _, part := range n.Properties {
		err = errors.Join(err, s.check(part))
	}
	for _, part := range n.Defs {
		err = errors.Join(err, s.check(part))
	}
	return err
}

// Validate tells what about a document is not as the schema has it.
func (s *Schema) Validate(document []byte) error {
	var value any
	if err := decode(document, &value, false); err != nil {
		return err
	}
	return s.validate("", s.root, value)
}

func (s *Schema) validate(at string, n *node, value any) error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", at+"/", fmt.Sprintf(format, args...)))
	}
	if n.Ref != "" {
		errs = append(errs, s.validate(at, s.defs[strings.TrimPrefix(n.Ref, defs)], value))
	}
	if n.Type != "" && !isOf(n.Type, value) {
		wrong("%v is no %s", value, n.Type)
	}
	if n.Const != nil {
		var want any
		if err := decode(n.Const, &want, false); err != nil || !reflect.DeepEqual(want, value) {
			wrong("%v is not %s", value, n.Const)
		}
	}
	if n.Enum != nil && !slices.ContainsFunc(n.Enum, func(v any) bool { return reflect.DeepEqual(v, value) }) {
		wrong("%v is none of %v", value, n.Enum)
	}
	switch v := value.(type) {
	case string:
		if n.Format == "date-time" {
			if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
				wrong("%v", err)
			}
		}
	case json.Number:
		if n.Minimum != nil && compare(v, *n.Minimum) < 0 || n.Maximum != nil && compare(v, *n.Maximum) > 0 {
			wrong("%s is out of its range", v)
		}
	case []any:
		for i, item := range v {
			if n.Items != nil {
				errs = append(errs, s.validate(fmt.Sprintf("%s/%d", at, i), n.Items, item))
			}
		}
	case map[string]any:
		for _, name := range n.Required {
			if _, ok := v[name]; !ok {
				wrong("%s is missing", name)
			}
		}
		for name, member := range v {
			if n.Names != nil {
				errs = append(errs, s.validate(at+"/"+name, n.Names, name))
			}
			switch part := n.Properties[name]; {
			case part != nil:
				errs = append(errs, s.validate(at+"/"+name, part, member))
			case n.Additional == nil:
			case n.Additional.node == nil:
				wrong("%s is not known", name)
			default:
				errs = append(errs, s.validate(at+"/"+name, n.Additional.node, member))
			}
		}
	}
	return errors.Join(errs...)
}

func isOf(kind string, value any) bool {
	switch v := value.(type) {
	case map[string]any:
		return kind == "object"
	case []any:
		return kind == "array"
	case string:
		return kind == "string"
	case bool:
		return kind == "boolean"
	case json.Number:
		n := number(v)
		return kind == "number" || kind == "integer" && n != nil && n.IsInt()
	}
	return false // null
}

func number(n json.Number) *big.Rat {
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		return nil
	}
	return r
}

// compare is not for numbers whose exponents are beyond all measure.
func compare(a, b json.Number) int {
	x, y := number(a), number(b)
	if x == nil || y == nil {
		return 0
	}
	return x.Cmp(y)
}
