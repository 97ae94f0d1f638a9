package rewind

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// A plan comes from a file that anybody can have written. So Go's types alone decide
// how the file is read: a value is its exported fields in order; a list or a map is the
// number of its elements followed by the elements; a pointer starts with whether it is
// nil. Nothing in the file says what follows or how deeply it is nested, and no count
// can exceed the bytes that are there. A file with different types is recognized by a
// hash of their description.

// errPlanBytes is the error for bytes that are not a value of a type.
var errPlanBytes = errors.New("its content cannot be decoded")

var versionType = reflect.TypeFor[*pgdata.Version]()

// encodeValue encodes a value.
func encodeValue(v any) ([]byte, error) {
	var e valueEncoder
	err := e.value(reflect.ValueOf(v))
	return e.b, err
}

// decodeValue is the inverse of encodeValue. to is a pointer.
func decodeValue(b []byte, to any) error {
	d := valueDecoder{b}
	if err := d.value(reflect.ValueOf(to).Elem()); err != nil {
		return err
	}
	if len(d.b) > 0 {
		return errPlanBytes
	}
	return nil
}

// typeSum returns a hash that differs for types whose values are encoded differently.
func typeSum(t reflect.Type) [sha256.Size]byte {
	var b strings.Builder
	describe(&b, t)
	return sha256.Sum256([]byte(b.String()))
}

func describe(b *strings.Builder, t reflect.Type) {
	b.WriteString(t.Kind().String())
	if t == versionType || isOpaque(t) {
		b.WriteString(" " + t.String())
		return
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		b.WriteByte(' ')
		describe(b, t.Elem())
	case reflect.Map:
		b.WriteByte(' ')
		describe(b, t.Key())
		b.WriteByte(' ')
		describe(b, t.Elem())
	case reflect.Struct:
		b.WriteByte('{')
		for _, f := range fieldsOf(t) {
			b.WriteString(f.Name + " ")
			describe(b, f.Type)
			b.WriteByte(';')
		}
		b.WriteByte('}')
	}
}

func fieldsOf(t reflect.Type) []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return !f.IsExported() || len(f.Index) > 1 })
}

// isOpaque reports whether a type encodes itself.
func isOpaque(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.BinaryUnmarshaler]())
}

type valueEncoder struct{ b []byte }

func (e *valueEncoder) count(n int) { e.b = binary.AppendUvarint(e.b, uint64(n)) }

func (e *valueEncoder) bytes(b []byte) {
	e.count(len(b))
	e.b = append(e.b, b...)
}

func (e *valueEncoder) flag(set bool) {
	if set {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

func (e *valueEncoder) value(v reflect.Value) error {
	t := v.Type()
	switch {
	case t == versionType:
		name := ""
		if version, _ := v.Interface().(*pgdata.Version); version != nil {
			name = version.Name
		}
		e.bytes([]byte(name))
		return nil
	case isOpaque(t):
		own := reflect.New(t)
		own.Elem().Set(v)
		b, err := own.Interface().(encoding.BinaryMarshaler).MarshalBinary()
		e.bytes(b)
		return err
	}
	switch t.Kind() {
	case reflect.Bool:
		e.flag(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.b = binary.AppendVarint(e.b, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		e.b = binary.AppendUvarint(e.b, v.Uint())
	case reflect.String:
		e.bytes([]byte(v.String()))
	case reflect.Pointer:
		if e.flag(!v.IsNil()); !v.IsNil() {
			return e.value(v.Elem())
		}
	case reflect.Slice:
		return e.slice(v)
	case reflect.Map:
		return e.mapping(v)
	case reflect.Struct:
		for _, f := range fieldsOf(t) {
			if err := e.value(v.FieldByIndex(f.Index)); err != nil {
				return fmt.Errorf("%s: %w", f.Name, err)
			}
		}
	default:
		return fmt.Errorf("a plan cannot have a %s", t)
	}
	return nil
}

func (e *valueEncoder) slice(v reflect.Value) error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		e.bytes(v.Bytes())
		return nil
	}
	e.count(v.Len())
	for i := range v.Len() {
		if err := e.value(v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// mapping encodes a map in the order of its encoded keys, so that equal maps have equal
// bytes.
func (e *valueEncoder) mapping(v reflect.Value) error {
	var pairs [][2][]byte
	for at := v.MapRange(); at.Next(); {
		var key, value valueEncoder
		if err := errors.Join(key.value(at.Key()), value.value(at.Value())); err != nil {
			return err
		}
		pairs = append(pairs, [2][]byte{key.b, value.b})
	}
	slices.SortFunc(pairs, func(a, b [2][]byte) int { return bytes.Compare(a[0], b[0]) })
	e.count(len(pairs))
	for _, p := range pairs {
		e.b = append(append(e.b, p[0]...), p[1]...)
	}
	return nil
}

// valueDecoder takes values from the front of its bytes.
type valueDecoder struct{ b []byte }

func (d *valueDecoder) uint() (uint64, error) {
	u, n := binary.Uvarint(d.b)
	if n <= 0 {
		return 0, errPlanBytes
	}
	d.b = d.b[n:]
	return u, nil
}

// count decodes a number of elements, each of which takes at least a byte.
func (d *valueDecoder) count() (int, error) {
	u, err := d.uint()
	if err == nil && u > uint64(len(d.b)) {
		err = errPlanBytes
	}
	return int(u), err
}

func (d *valueDecoder) bytes() ([]byte, error) {
	n, err := d.count()
	if err != nil {
		return nil, err
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b, nil
}

func (d *valueDecoder) flag() (bool, error) {
	if len(d.b) == 0 || d.b[0] > 1 {
		return false, errPlanBytes
	}
	set := d.b[0] == 1
	d.b = d.b[1:]
	return set, nil
}

// value decodes into a value, which must be zero.
func (d *valueDecoder) value(v reflect.Value) error {
	t := v.Type()
	switch {
	case t == versionType:
		name, err := d.bytes()
		if version := pgdata.VersionByName(string(name)); version != nil {
			v.Set(reflect.ValueOf(version))
		} else if err == nil && len(name) > 0 {
			err = errPlanBytes
		}
		return err
	case isOpaque(t):
		b, err := d.bytes()
		if err == nil {
			err = v.Addr().Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(b)
		}
		return err
	}
	switch t.Kind() {
	case reflect.Bool:
		set, err := d.flag()
		v.SetBool(set)
		return err
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, n := binary.Varint(d.b)
		if n <= 0 || v.OverflowInt(i) {
			return errPlanBytes
		}
		d.b = d.b[n:]
		v.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		u, err := d.uint()
		if err != nil || v.OverflowUint(u) {
			return errPlanBytes
		}
		v.SetUint(u)
	case reflect.String:
		b, err := d.bytes()
		v.SetString(string(b))
		return err
	case reflect.Pointer:
		set, err := d.flag()
		if err != nil || !set {
			return err
		}
		v.Set(reflect.New(t.Elem()))
		return d.value(v.Elem())
	case reflect.Slice:
		return d.slice(v)
	case reflect.Map:
		return d.mapping(v)
	case reflect.Struct:
		for _, f := range fieldsOf(t) {
			if err := d.value(v.FieldByIndex(f.Index)); err != nil {
				return fmt.Errorf("%s: %w", f.Name, err)
			}
		}
	default:
		return fmt.Errorf("a plan cannot have a %s", t)
	}
	return nil
}

func (d *valueDecoder) slice(v reflect.Value) error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		b, err := d.bytes()
		if len(b) > 0 {
			v.SetBytes(bytes.Clone(b))
		}
		return err
	}
	n, err := d.count()
	if err != nil {
		return err
	}
	for range n { // the list grows only with bytes that are there
		one := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(one); err != nil {
			return err
		}
		v.Set(reflect.Append(v, one))
	}
	return nil
}

func (d *valueDecoder) mapping(v reflect.Value) error {
	n, err := d.count()
	if err != nil || n == 0 {
		return err
	}
	v.Set(reflect.MakeMap(v.Type()))
	for range n {
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		if err := d.value(key); err != nil {
			return err
		}
		if err := d.value(value); err != nil {
			return err
		}
		v.SetMapIndex(key, value)
	}
	if v.Len() != n {
		return errPlanBytes
	}
	return nil
}
