package rows

import (
	"fmt"

	"github.com/gorewind/gorewind/catalog"
	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/pgdata"
)

// Large objects lie in two catalogs: which there are, and their bytes in pieces
// (catalog/pg_largeobject_metadata.h, pg_largeobject.h). Their rows are lost like those
// of tables.
const (
	oidLargeObject         = 2613
	oidLargeObjectMetadata = 2995
)

// isLargeObject tells the two from other catalogs.
func isLargeObject(table uint32) bool {
	return table == oidLargeObject || table == oidLargeObjectMetadata
}

// isCatalog tells what belongs to a server and has no rows of users.
func isCatalog(table uint32) bool { return table < firstNormalOID && !isLargeObject(table) }

// mayDescribe tells files of catalogs that say what there is: the pieces of large objects
// are many and say nothing of the kind.
func mayDescribe(l pgdata.RelFileLocator) bool {
	return l.Relation < firstNormalOID && l.Relation != oidLargeObject
}

// hiddenOID reports whether rows of a table have an OID that is no column, and is the
// key: up to 11, large objects are known by it.
func hiddenOID(rel *catalog.Relation) bool {
	return rel.OID == oidLargeObjectMetadata && len(rel.Columns) > 0 && rel.Columns[0].Name != "oid"
}

const hiddenOIDName = "oid"

func hiddenOIDOf(t *heap.Tuple) Value {
	oid := t.OID()
	return Value{Text: fmt.Sprint(oid), Missing: oid == 0}
}

// largeObjectKeys are the keys of the two, which are declared from 14 on only.
var largeObjectKeys = map[uint32][]string{oidLargeObject: {"loid", "pageno"}, oidLargeObjectMetadata: {hiddenOIDName}}

// keyByName is the key of a table of which no index says so.
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
