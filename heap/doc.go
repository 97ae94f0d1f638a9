// Package heap reads PostgreSQL's table pages: line pointers, tuples, the values in a
// tuple, and what TOAST did to them. It knows nothing of catalogs: the caller says
// which columns there are.
//
// A page (storage/bufpage.h) has a header of 24 bytes, then line pointers
// (storage/itemid.h, 4 bytes each), and tuples at its end. A tuple
// (access/htup_details.h) has a header of 23 bytes,
//
//	 0  4  t_xmin         transaction that inserted it
//	 4  4  t_xmax         transaction that deleted or locked it, or a MultiXact
//	 8  4  t_cid
//	12  6  t_ctid         where the next version is: block (high, low), line pointer
//	18  2  t_infomask2    11 bits: number of columns
//	20  2  t_infomask
//	22  1  t_hoff         where the values begin
//
// a bitmap of the columns that are not null, if any is null, and the values, each
// aligned as its type requires. All of this is the same from 9.6 to 19, except for the
// OID that up to 11 may precede the values.
//
// All input is treated as hostile: lengths are checked, and errors wrap [ErrCorrupt].
package heap

import (
	"errors"
	"fmt"
)

// ErrCorrupt is wrapped by every error about bytes that no server writes.
var ErrCorrupt = errors.New("not laid out as PostgreSQL does it")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrCorrupt)
}
