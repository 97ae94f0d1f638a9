package catalog

import (
	"strings"

	"github.com/gorewind/gorewind/heap/types"
)

// Types of OIDs that are written by name (catalog/pg_type.dat).
const (
	regproc       = 24
	regclass      = 2205
	regtype       = 2206
	regrole       = 4096
	regnamespace  = 4089
	regconfig     = 3734
	regdictionary = 3769
	regcollation  = 4191
)

// Type finds a type, or nil.
func (d *Database) Type(oid uint32) *types.Type { return d.types[oid] }

// Name is how a value of a reg* type is written, with the search path "$user", public:
// what lies in another schema has that before its name. Of regtype, whose names are
// SQL's own, and of functions that share a name only the number is certain.
func (d *Database) Name(regType, oid uint32) (string, bool) {
	from := map[uint32]map[uint32]named{regproc: d.procs, regconfig: d.configs, regdictionary: d.dicts, regcollation: d.collations}[regType]
	if n, known := from[oid]; known {
		return n.qualified(), true
	}
	switch regType {
	case regclass:
		if r := d.Relations[oid]; r != nil {
			return named{r.Schema, r.Name}.qualified(), true
		}
	case regnamespace:
		if s, known := d.schemas[oid]; known {
			return quoted(s), true
		}
	case regrole:
		if s, known := d.cluster.roles[oid]; known {
			return quoted(s), true
		}
	}
	return "", false
}

func (n named) qualified() string {
	if n.schema == "pg_catalog" || n.schema == "public" {
		return quoted(n.name)
	}
	return quoted(n.schema) + "." + quoted(n.name)
}

// quoted writes an identifier as quote_identifier does, but for keywords.
func quoted(s string) string {
	plain := len(s) > 0 && (s[0] >= 'a' && s[0] <= 'z' || s[0] == '_')
	for _, c := range []byte(s) {
		plain = plain && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_')
	}
	if plain {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
