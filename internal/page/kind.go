package page

// kind is one sort of pages: a row of the table below, and what servers note on
// such pages without logging it. Places are counted from the page's start, or
// below zero from its end, where the special space is.
type kind struct {
	// A page is of the first kind that has its size of the special space, in bytes,
	// its ID, which is the last two bytes there, and some of its flags.
	special         int
	firstID, lastID uint16
	flags           int
	mask, value     uint16 // flags & mask == value

	deleted  bool // nobody reads what the page holds
	tuples   bool // of a table
	sequence bool
	killed   bool   // items are marked dead
	hints    uint16 // flags
	unlogged span   // bytes
	hole     hole
}

// span is a part of a page, from its first byte to before its last.
type span struct{ from, to int }

// hole is what lies between pd_lower and pd_upper.
type hole uint8

const (
	unused  hole = iota // nothing
	unclear             // nothing if pd_lower is set: not every major sets it
	content
)

// other is a page of a kind that is not in the table: an extension's.
var other = &kind{hole: unclear}

var kinds = []*kind{
	// Tables, and maps.
	{special: 0, lastID: 0xFFFF, tuples: true},

	// B-tree (access/nbtree.h) has btpo_cycleid for an ID. A page that is DELETED but
	// not HAS_FULLXID (14) is replayed empty. Hints: SPLIT_END, HAS_GARBAGE.
	{special: 16, lastID: 0xFF7F, flags: -4, mask: 0x0104, value: 0x0004, deleted: true},
	{special: 16, lastID: 0xFF7F, flags: -4, mask: 0x0001, value: 0x0001, killed: true, hints: 0x0060, unlogged: span{-2, 0}},
	{special: 16, lastID: 0xFF7F, flags: -4, hints: 0x0060, unlogged: span{-2, 0}},

	// Hash (access/hash.h): unused, overflow and bucket pages. Hint: PAGE_HAS_DEAD_TUPLES.
	{special: 16, firstID: 0xFF80, lastID: 0xFF80, flags: -4, mask: 0x000F, value: 0, deleted: true},
	{special: 16, firstID: 0xFF80, lastID: 0xFF80, flags: -4, mask: 0x000F, value: 1, killed: true, hints: 0x0080},
	{special: 16, firstID: 0xFF80, lastID: 0xFF80, flags: -4, mask: 0x000F, value: 2, killed: true, hints: 0x0080},
	{special: 16, firstID: 0xFF80, lastID: 0xFF80, flags: -4, hints: 0x0080},

	// GiST (access/gist.h). Hints: FOLLOW_RIGHT, HAS_GARBAGE, the NSN, which is an LSN.
	{special: 16, firstID: 0xFF81, lastID: 0xFF81, flags: -4, mask: 0x0001, value: 0x0001, killed: true, hints: 0x0018, unlogged: span{-16, -8}},
	{special: 16, firstID: 0xFF81, lastID: 0xFF81, flags: -4, hints: 0x0018, unlogged: span{-16, -8}},

	// Sequences (commands/sequence.c) have a magic number of four bytes, and padding.
	{special: 8, lastID: 0, flags: -8, mask: 0xFFFF, value: 0x1717, sequence: true},

	// GIN (access/ginblock.h) has its flags for an ID.
	{special: 8, lastID: 0x00FF, flags: -2, mask: 0x0004, value: 0x0004, deleted: true},
	{special: 8, lastID: 0x00FF, flags: -2, hole: unclear},

	// SP-GiST (access/spgist_private.h): the metapage has a cache, of pages with room.
	{special: 8, firstID: 0xFF82, lastID: 0xFF82, flags: -8, mask: 0x0001, value: 0x0001, unlogged: span{28, 92}, hole: unclear},
	{special: 8, firstID: 0xFF82, lastID: 0xFF82, flags: -8},

	// BRIN (access/brin_page.h): the metapage, the range map, summaries. Hint: EVACUATE_PAGE.
	{special: 8, firstID: 0xF091, lastID: 0xF091, flags: -4, hints: 0x0001, hole: unclear},
	{special: 8, firstID: 0xF092, lastID: 0xF092, flags: -4, hints: 0x0001, hole: content},
	{special: 8, firstID: 0xF093, lastID: 0xF093, flags: -4, hints: 0x0001},
}

// kindOf finds the kind of a page whose header is sane.
func kindOf(p []byte) *kind {
	id := uint16(u16(p, len(p)-2))
	for _, k := range kinds {
		if k.special == len(p)-u16(p, offSpecial) && k.firstID <= id && id <= k.lastID &&
			uint16(u16(p, place(p, k.flags)))&k.mask == k.value {
			return k
		}
	}
	return other
}

// place is where something is that the table counts from the start or the end.
func place(p []byte, at int) int {
	if at < 0 {
		return len(p) + at
	}
	return at
}
