package export

import (
	"fmt"

	"github.com/gorewind/gorewind/lost/rows"
)

// SQL for large objects, whose rows cannot be written directly. It uses functions that
// all majors have. The rows are those of pg_largeobject, which are pieces of a quarter
// of a block, and of pg_largeobject_metadata.
const (
	oidLargeObject         = 2613
	oidLargeObjectMetadata = 2995
)

// largeObjectSQL returns a statement for a change of large objects, if it is one.
func largeObjectSQL(c *rows.Change) (statement, why string, ok bool) {
	t := c.Table
	if t.OID != oidLargeObject && t.OID != oidLargeObjectMetadata {
		return "", "", false
	}
	row := c.New
	if c.Op == rows.Deleted {
		row = c.Old
	}
	values := map[string]rows.Value{}
	for i := range row {
		if !settable(row[i]) && t.Columns[i].Name != "lomacl" {
			return "", notWhole, true
		}
		values[t.Columns[i].Name] = row[i]
	}
	if row == nil {
		return "", "the row is not known", true
	}
	oid := literal(values["oid"]) + "::oid"
	switch {
	case t.OID == oidLargeObject && c.Op == rows.Deleted:
		return "", "a piece cannot be removed on its own, whether it was cut off or its object was removed", true
	case t.OID == oidLargeObject:
		return fmt.Sprintf("SELECT lo_put(%s::oid, %s::bigint * (current_setting('block_size')::bigint / 4), %s::bytea);\n",
			literal(values["loid"]), literal(values["pageno"]), literal(values["data"])), "", true
	case c.Op == rows.Inserted:
		return fmt.Sprintf("SELECT lo_create(%s) WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata WHERE oid = %s);\n", oid, oid), "", true
	case c.Op == rows.Deleted:
		return fmt.Sprintf("SELECT lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = %s;\n", oid), "", true
	}
	return "", "the owner or the grants of a large object changed", true
}
