package catalog

import (
	"context"
	"encoding/binary"
	"strings"

	"github.com/gorewind/gorewind/heap/types"
)

// OID types whose values are displayed by name (catalog/pg_type.dat).
const (
	regdatabase   = 6490 // 19
	regproc       = 24
	regprocedure  = 2202
	regoper       = 2203
	regoperator   = 2204
	regclass      = 2205
	regtype       = 2206
	regrole       = 4096
	regnamespace  = 4089
	regconfig     = 3734
	regdictionary = 3769
	regcollation  = 4191
)

// The schemas that are searched, in this order: the default search path of a new
// database. Anything in another schema is shown with its schema.
const (
	firstSchema  = "pg_catalog"
	secondSchema = "public"
)

// namedThing is an object in a schema.
type namedThing struct {
	schema, name string
	arguments    string // OIDs of types; they distinguish objects of the same name
	vector       []uint32
}

// names has the objects of one kind, by their OIDs.
type names struct {
	things  map[uint32]namedThing
	first   map[string]bool // the objects in the schema that is searched first
	visible map[string]int  // by name, how many are found without their schema
}

func namesOf(things map[uint32]namedThing) *names {
	n := &names{things: things, first: map[string]bool{}, visible: map[string]int{}}
	for _, t := range things {
		if t.schema == firstSchema {
			n.first[t.key()] = true
		}
	}
	for _, t := range things {
		if n.isVisible(t) {
			n.visible[t.name]++
		}
	}
	return n
}

func (t namedThing) key() string { return t.name + "\x00" + t.arguments }

// isVisible reports whether an object is the one that is found by its name and
// arguments.
func (n *names) isVisible(t namedThing) bool {
	return t.schema == firstSchema || t.schema == secondSchema && !n.first[t.key()]
}

// isUnique reports whether an object is the only one that is found by its name.
func (n *names) isUnique(t namedThing) bool { return n.isVisible(t) && n.visible[t.name] == 1 }

// Type returns a type, or nil.
func (d *Database) Type(oid uint32) *types.Type { return d.types[oid] }

// Name returns the text of a value of a reg* type: as the server writes it in a new
// database with the search path "$user", public, if no schema has the user's name. If
// no object has the OID, ok is false.
func (d *Database) Name(regType, oid uint32) (name string, ok bool) {
	switch regType {
	case regtype:
		return d.typeName(oid)
	case regnamespace:
		s, known := d.schemas[oid]
		return d.cluster.quoted(s), known
	case regrole:
		s, known := d.cluster.roles[oid]
		return d.cluster.quoted(s), known
	case regdatabase:
		for _, db := range d.cluster.Databases {
			if db.OID == oid {
				return d.cluster.quoted(db.Name), true
			}
		}
		return "", false
	}
	set := d.namesOf(regType)
	t, known := set.things[oid]
	if !known {
		return "", false
	}
	plain := set.isVisible(t)
	name = d.cluster.quoted(t.name)
	switch regType {
	case regproc:
		plain = set.isUnique(t)
	case regprocedure:
		var arguments []string
		for _, a := range t.vector {
			arguments = append(arguments, d.typeNameOrUnknown(a))
		}
		name += "(" + strings.Join(arguments, ",") + ")"
	case regoper:
		plain, name = set.isUnique(t), t.name
	case regoperator:
		var arguments []string
		for _, a := range t.vector {
			if s := d.typeNameOrUnknown(a); a != 0 {
				arguments = append(arguments, s)
			} else {
				arguments = append(arguments, "NONE")
			}
		}
		name = t.name + "(" + strings.Join(arguments, ",") + ")"
	}
	if plain {
		return name, true
	}
	return d.cluster.quoted(t.schema) + "." + name, true
}

// namesOf returns the names that are used to write values of a type.
func (d *Database) namesOf(regType uint32) *names {
	switch regType {
	case regoperator:
		regType = regoper
	case regprocedure:
		regType = regproc
	}
	set := d.names[regType]
	if set == nil {
		things := map[uint32]namedThing{}
		switch regType {
		case regclass:
			for oid, r := range d.Relations {
				things[oid] = namedThing{schema: r.Schema, name: r.Name}
			}
		case regtype:
			for oid, t := range d.types {
				things[oid] = namedThing{schema: t.Schema, name: t.Name}
			}
		}
		set = namesOf(things)
		d.names[regType] = set
	}
	return set
}

// sqlNames are the types for which SQL has its own words (format_type_extended,
// utils/adt/format_type.c).
var sqlNames = map[uint32]string{
	114: "json", // a keyword (17) that is not quoted here
	16:  "boolean", 20: "bigint", 21: "smallint", 23: "integer", 700: "real", 701: "double precision", 1042: "character", 1043: "character varying",
	1083: "time without time zone", 1114: "timestamp without time zone", 1184: "timestamp with time zone", 1186: "interval",
	1266: "time with time zone", 1560: "bit", 1562: "bit varying", 1700: "numeric",
}

// typeName returns what format_type returns for a type.
func (d *Database) typeName(oid uint32) (string, bool) {
	t := d.types[oid]
	if t == nil {
		return "", false
	}
	suffix := ""
	if of := d.types[t.Element]; of != nil && t.Storage != 'p' {
		t, suffix = of, "[]"
	}
	if s, known := sqlNames[t.OID]; known {
		return s + suffix, true
	}
	thing := namedThing{schema: t.Schema, name: t.Name}
	if d.namesOf(regtype).isVisible(thing) {
		return d.cluster.quoted(t.Name) + suffix, true
	}
	return d.cluster.quoted(t.Schema) + "." + d.cluster.quoted(t.Name) + suffix, true
}

// typeNameOrUnknown returns the name of a type, or ???, which is what the server writes for a
// type that does not exist.
func (d *Database) typeNameOrUnknown(oid uint32) string {
	if s, known := d.typeName(oid); known {
		return s
	}
	return "???"
}

// namesFor returns the steps that read the catalogs which are needed to write values of
// the wanted tables.
func (d *Database) namesFor(wanted func(*Relation) bool) (steps []step) {
	needed := map[uint32]bool{}
	var need func(oid uint32)
	need = func(oid uint32) {
		t := d.types[oid]
		if t == nil || needed[oid] {
			return
		}
		needed[oid] = true
		if t.OutputProc >= firstNormalObject {
			needed[regproc] = true
		}
		need(t.Element)
		need(t.Base)
		need(t.Subtype)
		for _, c := range t.Columns {
			need(c.Type)
		}
	}
	for _, rel := range d.Relations {
		if !wanted(rel) {
			continue
		}
		for _, c := range rel.Columns {
			need(c.Type)
		}
	}
	for _, s := range []struct {
		step
		for1, for2 uint32
	}{
		{step{oidProc, "pg_proc", d.readProcs}, regproc, regprocedure},
		{step{oidOperator, "pg_operator", d.readOperators}, regoper, regoperator},
		{step{oidTSConfig, "pg_ts_config", d.readNames(regconfig, "cfgname", "cfgnamespace")}, regconfig, 0},
		{step{oidTSDict, "pg_ts_dict", d.readNames(regdictionary, "dictname", "dictnamespace")}, regdictionary, 0},
		{step{oidCollation, "pg_collation", d.readNames(regcollation, "collname", "collnamespace")}, regcollation, 0},
	} {
		if needed[s.for1] || needed[s.for2] {
			steps = append(steps, s.step)
		}
	}
	return steps
}

// readNames reads the names of one kind of objects.
func (d *Database) readNames(regType uint32, name, schema string) func(context.Context, *table) error {
	return func(ctx context.Context, t *table) error {
		things := map[uint32]namedThing{}
		err := d.cluster.scan(ctx, t, d.cluster.visible, func(r *row) error {
			things[r.oid()] = namedThing{schema: d.schemas[r.uint32(schema)], name: r.name(name)}
			return nil
		})
		d.names[regType] = namesOf(things)
		return err
	}
}

func (d *Database) readOperators(ctx context.Context, t *table) error {
	things := map[uint32]namedThing{}
	err := d.cluster.scan(ctx, t, d.cluster.visible, func(r *row) error {
		left, right := r.uint32("oprleft"), r.uint32("oprright")
		things[r.oid()] = namedThing{
			schema: d.schemas[r.uint32("oprnamespace")], name: r.name("oprname"),
			arguments: string(r.raw("oprleft")) + string(r.raw("oprright")), vector: []uint32{left, right},
		}
		return nil
	})
	d.names[regoper] = namesOf(things)
	return err
}

// readProcs reads the names of functions, and the output functions of types from
// extensions.
func (d *Database) readProcs(ctx context.Context, t *table) error {
	const internalLanguage, cLanguage = 12, 13
	writes := map[uint32][]*types.Type{}
	for _, typ := range d.types {
		if typ.OutputProc >= firstNormalObject {
			writes[typ.OutputProc] = append(writes[typ.OutputProc], typ)
		}
	}
	things := map[uint32]namedThing{}
	err := d.cluster.scan(ctx, t, d.cluster.visible, func(r *row) error {
		vector := r.varlena("proargtypes")
		thing := namedThing{schema: d.schemas[r.uint32("pronamespace")], name: r.name("proname")}
		if len(vector) > vectorHeader {
			thing.arguments = string(vector[vectorHeader:])
			for i := vectorHeader; i+4 <= len(vector); i += 4 {
				thing.vector = append(thing.vector, binary.LittleEndian.Uint32(vector[i:]))
			}
		}
		things[r.oid()] = thing
		of := writes[r.oid()]
		if len(of) == 0 {
			return nil
		}
		output := ""
		switch r.uint32("prolang") {
		case internalLanguage:
			output = string(r.varlena("prosrc"))
		case cLanguage:
			output = string(r.varlena("probin")) + " " + string(r.varlena("prosrc"))
		}
		for _, typ := range of {
			typ.Output = output
		}
		return nil
	})
	d.names[regproc] = namesOf(things)
	return err
}
