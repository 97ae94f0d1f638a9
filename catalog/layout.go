package catalog

import (
	"strings"

	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/pgdata"
)

// OIDs of the catalogs that are read before any catalog can be looked up
// (catalog/pg_*.h). They are the same in every major.
const (
	oidType       = 1247
	oidAttribute  = 1249
	oidProc       = 1255
	oidClass      = 1259
	oidAuthID     = 1260
	oidDatabase   = 1262
	oidTablespace = 1213
	oidNamespace  = 2615
	oidIndex      = 2610
	oidInherits   = 2611
	oidEnum       = 3501
	oidRange      = 3541
	oidTSConfig   = 3602
	oidTSDict     = 3600
	oidCollation  = 3456
	oidOperator   = 2617

	firstNormalObject = 16384 // FirstNormalObjectId (access/transam.h)
	vectorHeader      = 20    // header of an oidvector: ndim, dataoffset, elemtype, dim, lbound
)

// layout has the columns of pg_attribute (catalog/pg_attribute.h) in a major and those
// after it, from the first to attisdropped. Each column has its length, and its
// alignment if that is not the length.
type layout struct {
	first   string // major
	columns string
}

// layouts is sorted by age. The rows were read from servers of every major.
var layouts = []layout{
	{"9.6", "attrelid/4 attname/64 atttypid/4 attstattarget/4 attlen/2 attnum/2 attndims/4 attcacheoff/4 atttypmod/4 attbyval/1 attstorage/1 attalign/1 attnotnull/1 atthasdef/1 attisdropped/1"},
	{"10", "attrelid/4 attname/64 atttypid/4 attstattarget/4 attlen/2 attnum/2 attndims/4 attcacheoff/4 atttypmod/4 attbyval/1 attstorage/1 attalign/1 attnotnull/1 atthasdef/1 attidentity/1 attisdropped/1"},
	{"11", "attrelid/4 attname/64 atttypid/4 attstattarget/4 attlen/2 attnum/2 attndims/4 attcacheoff/4 atttypmod/4 attbyval/1 attstorage/1 attalign/1 attnotnull/1 atthasdef/1 atthasmissing/1 attidentity/1 attisdropped/1"},
	{"12", "attrelid/4 attname/64 atttypid/4 attstattarget/4 attlen/2 attnum/2 attndims/4 attcacheoff/4 atttypmod/4 attbyval/1 attstorage/1 attalign/1 attnotnull/1 atthasdef/1 atthasmissing/1 attidentity/1 attgenerated/1 attisdropped/1"},
	{"14", "attrelid/4 attname/64 atttypid/4 attstattarget/4 attlen/2 attnum/2 attndims/4 attcacheoff/4 atttypmod/4 attbyval/1 attalign/1 attstorage/1 attcompression/1 attnotnull/1 atthasdef/1 atthasmissing/1 attidentity/1 attgenerated/1 attisdropped/1"},
	{"16", "attrelid/4 attname/64 atttypid/4 attlen/2 attnum/2 attcacheoff/4 atttypmod/4 attndims/2 attbyval/1 attalign/1 attstorage/1 attcompression/1 attnotnull/1 atthasdef/1 atthasmissing/1 attidentity/1 attgenerated/1 attisdropped/1"},
	{"18", "attrelid/4 attname/64 atttypid/4 attlen/2 attnum/2 atttypmod/4 attndims/2 attbyval/1 attalign/1 attstorage/1 attcompression/1 attnotnull/1 atthasdef/1 atthasmissing/1 attidentity/1 attgenerated/1 attisdropped/1"},
}

// columnsFor returns the columns of pg_attribute.
func columnsFor(v *pgdata.Version) []column {
	var columns []column
	for _, l := range layouts {
		if pgdata.VersionByName(l.first).ServerNum > v.ServerNum {
			break
		}
		columns = columns[:0]
		for c := range strings.FieldsSeq(l.columns) {
			name, length, _ := strings.Cut(c, "/")
			columns = append(columns, column{name, map[string]heap.Column{
				"1": {Len: 1, Align: 'c'}, "2": {Len: 2, Align: 's'}, "4": {Len: 4, Align: 'i'}, "64": {Len: 64, Align: 'c'},
			}[length]})
		}
	}
	return columns
}

// column is a column of a catalog.
type column struct {
	name string
	heap.Column
}
