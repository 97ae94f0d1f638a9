package decide

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/gorewind/gorewind/pgdata"
)

// Listing is a set of entries of a data directory, designed for millions of them. An
// entry takes a record of 12 bytes, its name and one byte; a directory's path is
// stored once. There is no allocation per entry, and growing copies nothing.
//
// The zero value is empty. Adding must not run concurrently with anything else;
// other calls may. The first lookup after adding sorts the listing, which takes
// 20 more bytes for each entry of the largest directory.
type Listing struct {
	dirs    []directory       // in the order of their first entries; after sorting, by path
	numbers map[string]uint32 // indexes of the directories, until they are sorted
	last    uint32            // the directory of the latest entry, often also of the next
	records [][]record        // chunkRecords each
	names   [][]byte          // chunkNames each: the length as a varint, and the name
	links   map[uint32]string // destinations of symbolic links, by the offsets of their names
	added   int               // entries, including duplicates
	mu      sync.Mutex
	sorted  bool
}

// directory knows where its entries are: in runs of consecutively added
// records. After sorting they are in the order of their names, without
// duplicates.
type directory struct {
	path string // empty, or ending with a slash
	runs []run
}

type run struct{ from, to uint32 }

// record is one entry.
type record struct {
	low, high uint32 // the size, shifted by the two bits of the type
	name      uint32 // the offset of the name in the concatenated names
}

func newRecord(f pgdata.FileInfo, name uint32) record {
	both := uint64(f.Size)<<2 | uint64(f.Type)
	return record{uint32(both), uint32(both >> 32), name}
}

func (r record) fileType() pgdata.FileType { return pgdata.FileType(r.low & 3) }
func (r record) size() int64               { return int64((uint64(r.high)<<32 | uint64(r.low)) >> 2) }

// Limits of a listing.
const (
	chunkRecords = 1 << 12
	chunkNames   = 1 << 16
	maxName      = 1 << 12 // bytes; no file system has longer names
	maxRecords   = 1 << 30
	maxBytes     = 1 << 60 // more than any cluster has
)

// Add adds an entry to the set. Of several with the same path, which the listing
// of a changing directory or one over an interrupted connection may have, the
// first one is kept.
func (l *Listing) Add(f pgdata.FileInfo) error {
	cut := strings.LastIndexByte(f.Path, '/') + 1
	name := f.Path[cut:]
	switch {
	case f.Type < pgdata.Regular || f.Type > pgdata.Symlink || f.Size < 0 || f.Size > maxBytes:
		return fmt.Errorf("file %q is a %s of %d bytes, which is impossible", f.Path, f.Type, f.Size)
	case len(name) > maxName:
		return fmt.Errorf("file %q... has a name of %d bytes, which is impossible", f.Path[:cut+20], len(name))
	case l.added == maxRecords || len(l.names) == 1<<32/chunkNames:
		return fmt.Errorf("there are more than %d files, which is impossible", l.added)
	}
	if l.sorted {
		l.resume()
	}
	if l.added%chunkRecords == 0 {
		l.records = append(l.records, make([]record, 0, chunkRecords))
	}
	chunk, at := &l.records[len(l.records)-1], l.store(name)
	*chunk = append(*chunk, newRecord(f, at))
	if f.Type == pgdata.Symlink {
		if l.links == nil {
			l.links = map[uint32]string{}
		}
		l.links[at] = f.Link
	}
	n, d := uint32(l.added), l.directory(f.Path[:cut])
	if last := len(d.runs) - 1; last >= 0 && d.runs[last].to == n {
		d.runs[last].to++
	} else {
		d.runs = append(d.runs, run{n, n + 1})
	}
	l.added++
	return nil
}

// store stores a name and returns its offset. Later names have larger offsets.
func (l *Listing) store(name string) uint32 {
	last := len(l.names) - 1
	if last < 0 || len(l.names[last])+binary.MaxVarintLen16+len(name) > chunkNames {
		l.names = append(l.names, make([]byte, 0, chunkNames))
		last++
	}
	chunk := l.names[last]
	l.names[last] = append(binary.AppendUvarint(chunk, uint64(len(name))), name...)
	return uint32(last*chunkNames + len(chunk))
}

// directory returns a directory, and adds it if it is new.
func (l *Listing) directory(dir string) *directory {
	if int(l.last) < len(l.dirs) && l.dirs[l.last].path == dir {
		return &l.dirs[l.last]
	}
	number, known := l.numbers[dir]
	if !known {
		if l.numbers == nil {
			l.numbers = map[string]uint32{}
		}
		number, dir = uint32(len(l.dirs)), strings.Clone(dir)
		l.numbers[dir] = number
		l.dirs = append(l.dirs, directory{path: dir})
	}
	l.last = number
	return &l.dirs[number]
}

// resume makes a sorted listing ready for more.
func (l *Listing) resume() {
	l.sorted, l.numbers = false, make(map[string]uint32, len(l.dirs))
	for i := range l.dirs {
		l.numbers[l.dirs[i].path] = uint32(i)
	}
}

// keyed is a record during sorting: most names differ within eight bytes.
type keyed struct {
	key uint64
	record
}

// sort makes the listing ready for lookups.
func (l *Listing) sort() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sorted {
		return
	}
	slices.SortFunc(l.dirs, func(a, b directory) int { return strings.Compare(a.path, b.path) })
	l.sorted, l.numbers, l.last = true, nil, 0
	var all []keyed
	for i := range l.dirs {
		d := &l.dirs[i]
		all = slices.Grow(all[:0], d.len())
		for at := range d.all() {
			r := *l.record(at)
			var key [8]byte
			copy(key[:], l.name(r))
			all = append(all, keyed{binary.BigEndian.Uint64(key[:]), r})
		}
		slices.SortFunc(all, func(a, b keyed) int {
			if a.key != b.key {
				return cmp.Compare(a.key, b.key)
			}
			if c := bytes.Compare(l.name(a.record), l.name(b.record)); c != 0 {
				return c
			}
			return cmp.Compare(a.name, b.name)
		})
		all = slices.CompactFunc(all, func(a, b keyed) bool {
			return a.key == b.key && bytes.Equal(l.name(a.record), l.name(b.record))
		})
		n := 0
		for at := range d.all() {
			if n < len(all) {
				*l.record(at) = all[n].record
			}
			n++
		}
		d.cut(len(all))
	}
}

func (d *directory) len() int {
	n := 0
	for _, r := range d.runs {
		n += int(r.to - r.from)
	}
	return n
}

// all yields the indexes of the directory's records.
func (d *directory) all() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, r := range d.runs {
			for at := r.from; at < r.to; at++ {
				if !yield(at) {
					return
				}
			}
		}
	}
}

// cut removes all records but the first n.
func (d *directory) cut(n int) {
	for i := range d.runs {
		r := &d.runs[i]
		r.to = r.from + min(r.to-r.from, uint32(n))
		n -= int(r.to - r.from)
	}
	d.runs = slices.DeleteFunc(d.runs, func(r run) bool { return r.from == r.to })
}

func (l *Listing) record(at uint32) *record { return &l.records[at/chunkRecords][at%chunkRecords] }

func (l *Listing) name(r record) []byte {
	from := l.names[r.name/chunkNames][r.name%chunkNames:]
	length, n := binary.Uvarint(from)
	return from[n : n+int(length)]
}

func (l *Listing) info(d *directory, r record) pgdata.FileInfo {
	return l.describe(d.path+string(l.name(r)), r)
}

// describe returns the content of a record with its path.
func (l *Listing) describe(path string, r record) pgdata.FileInfo {
	f := pgdata.FileInfo{Path: path, Type: r.fileType(), Size: r.size()}
	if f.Type == pgdata.Symlink {
		f.Link = l.links[r.name]
	}
	return f
}

// Len counts the entries.
func (l *Listing) Len() int {
	l.sort()
	n := 0
	for i := range l.dirs {
		n += l.dirs[i].len()
	}
	return n
}

// Find looks up an entry by its path.
func (l *Listing) Find(p string) (pgdata.FileInfo, bool) {
	cut := strings.LastIndexByte(p, '/') + 1
	d := l.find(p[:cut])
	if d == nil {
		return pgdata.FileInfo{}, false
	}
	name := []byte(p[cut:])
	after := func(at uint32) bool { return bytes.Compare(l.name(*l.record(at)), name) >= 0 }
	// First the run that ends at or after the name, and then the name in it.
	i := sort.Search(len(d.runs), func(i int) bool { return after(d.runs[i].to - 1) })
	if i == len(d.runs) {
		return pgdata.FileInfo{}, false
	}
	from := d.runs[i].from
	r := *l.record(from + uint32(sort.Search(int(d.runs[i].to-from)-1, func(i int) bool { return after(from + uint32(i)) })))
	if !bytes.Equal(l.name(r), name) {
		return pgdata.FileInfo{}, false
	}
	return l.info(d, r), true
}

// find returns a directory by its path, or nil.
func (l *Listing) find(dir string) *directory {
	l.sort()
	i, found := slices.BinarySearchFunc(l.dirs, dir, func(d directory, dir string) int { return strings.Compare(d.path, dir) })
	if !found {
		return nil
	}
	return &l.dirs[i]
}

// All yields the entries sorted by directory, and then by name.
func (l *Listing) All() iter.Seq[pgdata.FileInfo] {
	return func(yield func(pgdata.FileInfo) bool) {
		for c := l.begin(); c.ok(); c.next() {
			if !yield(c.info()) {
				return
			}
		}
	}
}

// In yields the entries of one directory, sorted by name.
func (l *Listing) In(dir string) iter.Seq[pgdata.FileInfo] {
	return func(yield func(pgdata.FileInfo) bool) {
		d := l.find(dir + "/")
		if d == nil {
			return
		}
		for at := range d.all() {
			if !yield(l.info(d, *l.record(at))) {
				return
			}
		}
	}
}

// cursor is a position in a sorted listing.
type cursor struct {
	l    *Listing
	d, r int // indexes of the directory, and of the run in it
	at   uint32
}

func (l *Listing) begin() *cursor {
	l.sort()
	c := &cursor{l: l}
	if c.ok() {
		c.at = c.dir().runs[0].from
	}
	return c
}

func (c *cursor) ok() bool        { return c.d < len(c.l.dirs) }
func (c *cursor) dir() *directory { return &c.l.dirs[c.d] }
func (c *cursor) record() record  { return *c.l.record(c.at) }
func (c *cursor) path() string    { return c.dir().path + string(c.l.name(c.record())) }

func (c *cursor) info() pgdata.FileInfo { return c.l.info(c.dir(), c.record()) }

func (c *cursor) next() {
	if c.at++; c.at < c.dir().runs[c.r].to {
		return
	}
	if c.r++; c.r == len(c.dir().runs) {
		c.d, c.r = c.d+1, 0
	}
	if c.ok() {
		c.at = c.dir().runs[c.r].from
	}
}

// compare compares two positions; the end of a listing comes last.
func (c *cursor) compare(o *cursor) int {
	switch {
	case !c.ok():
		return 1
	case !o.ok():
		return -1
	}
	if order := strings.Compare(c.dir().path, o.dir().path); order != 0 {
		return order
	}
	return bytes.Compare(c.l.name(c.record()), o.l.name(o.record()))
}
