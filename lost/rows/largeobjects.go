package rows

import (
	"fmt"

	"github.com/gorewind/gorewind/catalog"
	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/pgdata"
)

// Large objects are stored in two catalogs: a list of the objects, and their bytes in
// pieces (catalog/pg_largeobject_metadata.h, pg_largeobject.h). Their rows are lost
// like those of tables.
const (
	oidLargeObject         = 2613
	oidLargeObjectMetadata = 2995
)

// isLargeObject reports whether a table is one of the two.
func isLargeObject(table uint32) bool {
	return table == oidLargeObject || table == oidLargeObjectMetadata
}

// isCatalog reports whether a table belongs to the server and has no rows of users.
func isCatalog(table uint32) bool { return table < firstNormalOID && !isLargeObject(table) }

// mayDescribe reports whether a file may be of a catalog that describes relations. The
// pieces of large objects are many and do not.
func mayDescribe(l pgdata.RelFileLocator) bool {
	return l.Relation < firstNormalOID && l.Relation != oidLargeObject
}

// hiddenOID reports whether rows of a table have an OID that is not a column, and is
// the key: up to 11, this is how large objects are identified.
func hiddenOID(rel *catalog.Relation) bool {
	return rel.OID == oidLargeObjectMetadata && len(rel.Columns) > 0 && rel.Columns[0].Name != "oid"
}

const hiddenOIDName = "oid"

func hiddenOIDOf(t *heap.Tuple) Value {
	oid := t.OID()
	return Value{Text: fmt.Sprint(oid), Missing: oid == 0}
}

// largeObjectKeys has the keys of the two catalogs, which are declared only from 14 on.
var largeObjectKeys = map[uint32][]string{oidLargeObject: {"loid", "pageno"}, oidLargeObjectMetadata: {hiddenOIDName}}

// keyByName returns the key of a table that no index declares.
func keyByName(t *Table) (key []int) {
	for _, name := range largeObjectKeys[t.OID] {
		for i := range t.Columns {
			if t.Columns[i].Name == name {
				t.Columns[i].Key = true
				key = append(key, i)
			}
		}
	}
	return key
}
