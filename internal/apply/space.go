package apply

import (
	"fmt"
	"path"
	"path/filepath"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// SpaceError says that a file system has too little space. Nothing was written.
type SpaceError struct {
	Dir    string // a directory on that file system
	Needed int64  // bytes
	Free   int64  // bytes
	// InPlace says that the rewind would have written in place, which needs the least
	// space.
	InPlace bool
	// Restored says that the space is for WAL from an archive, which may need more
	// than Needed.
	Restored bool
}

func (e *SpaceError) Error() string {
	what := ""
	if e.Restored {
		what = " for WAL that must be restored from the archive"
	}
	text := fmt.Sprintf("not enough space on the file system of %q: %s are needed%s and %s are free: free some", e.Dir, kilobytes(e.Needed), what, kilobytes(e.Free))
	if !e.InPlace && !e.Restored {
		text += ", or rewind with Options.InPlace, which needs less space, but needs the source again if it is interrupted"
	}
	return text
}

func kilobytes(n int64) string { return fmt.Sprintf("%d kB", n>>10) }

// areaSpace is what a rewind writes in an area, in bytes.
type areaSpace struct {
	whole  int64 // files that are staged whole
	blocks int64 // pieces of files
	later  int64 // what applying needs in addition: tails, directories, the final files
	extra  int64 // the journal, the index
}

// What a file takes besides its data, and what is left free.
const (
	clusterSize = 4096
	stepSize    = 300
	spare       = 1 << 20
	lastFiles   = 64 << 10 // backup_label, the control file, and their directories

	// smallPiece is at most as much as a source sends at once of a longer file.
	smallPiece = 64 << 10
)

func clusters(n int64) int64 { return (n + clusterSize - 1) / clusterSize * clusterSize }

// indexed is an upper limit for the index entries of a file's pieces, in bytes.
func indexed(e *filemap.Entry, g pgdata.Geometry) int64 {
	rest, pieces := e.FetchBytes(g)+e.LocalBytes, int64(1)
	if e.Blocks != nil {
		pieces += int64(e.Blocks.Len())
		rest -= int64(e.Blocks.Len()) * int64(g.BlockSize)
	}
	return (pieces + rest/smallPiece) * pieceSize
}

// unwritten is space for WAL that a running source writes meanwhile into recycled
// segments: one segment. If it writes much more, the disk becomes full while WAL is
// copied, before the target is changed. Space for all recycled segments would
// nearly always be too much.
func unwritten(plan *filemap.Plan, exact bool) int64 {
	if exact {
		return 0
	}
	var n int64
	for i := range plan.Entries {
		n += plan.Entries[i].Unwritten
	}
	return min(n, int64(plan.Geometry.WALSegSize))
}

// space computes the space for staging and applying a plan, by area. exact says that
// the source does not change, rebuild that files are rebuilt if much of them is copied.
func (m *areaMap) space(plan *filemap.Plan, exact, rebuild bool) []areaSpace {
	spaces := make([]areaSpace, len(m.areas))
	spaces[0].extra, spaces[0].later = spare, lastFiles
	spaces[m.of[plan.WALDir]].whole += unwritten(plan, exact)
	for _, area := range m.of { // every directory may grow
		spaces[area].later += clusterSize
	}
	for i := range plan.Entries {
		e := &plan.Entries[i]
		spaces[0].extra += stepSize
		n := e.FetchBytes(plan.Geometry)
		switch {
		case n > 0 && staysWhole(e, plan.Geometry, rebuild), e.Action == filemap.Copy:
			spaces[m.of[path.Dir(e.Path)]].whole += clusters(e.SourceSize-e.Unwritten) + clusterSize
			spaces[0].extra += indexed(e, plan.Geometry)
		case e.Action == filemap.Create:
			spaces[m.of[path.Dir(e.Path)]].later += clusterSize
		case n > 0:
			r := &spaces[m.of[path.Dir(e.Path)]]
			r.blocks += n
			spaces[0].extra += indexed(e, plan.Geometry)
			if e.Action == filemap.CopyTail {
				r.later += clusters(e.SourceSize - e.TargetSize)
			}
		}
	}
	return spaces
}

// growth computes by how much the target grows in a rewind in place, by area.
func (m *areaMap) growth(plan *filemap.Plan, exact bool) []areaSpace {
	spaces := make([]areaSpace, len(m.areas))
	spaces[0].extra = spare
	spaces[m.of[plan.WALDir]].whole += unwritten(plan, exact)
	for i := range plan.Entries {
		e := &plan.Entries[i]
		switch e.Action {
		case filemap.Create:
			spaces[m.of[path.Dir(e.Path)]].extra += clusterSize
		case filemap.Copy, filemap.CopyTail:
			spaces[m.of[path.Dir(e.Path)]].later += max(0, clusters(e.SourceSize-e.Unwritten)-clusters(e.TargetSize))
		}
	}
	return spaces
}

// Space is the space that a rewind needs on a file system.
type Space struct {
	Dir    string // a directory on it
	Needed int64  // bytes
	Free   int64  // bytes
}

// Space computes the space that a plan needs, for every file system whose free
// space can be found out. exact is as in Options.
func (t *Target) Space(plan *filemap.Plan, exact, inPlace bool) ([]Space, error) {
	m, err := newAreaMap(t, plan)
	if err != nil {
		return nil, err
	}
	if inPlace {
		return t.spaceOf(m.areas, m.growth(plan, exact))
	}
	_, list, _, err := t.stagingSpace(m, plan, exact)
	return list, err
}

// stagingSpace returns the space that staging needs, by area and by file system, and
// whether files are rebuilt: not if there is too little space for that. Pieces alone
// need less.
func (t *Target) stagingSpace(m *areaMap, plan *filemap.Plan, exact bool) (spaces []areaSpace, list []Space, rebuild bool, err error) {
	for _, rebuild = range []bool{true, false} {
		spaces = m.space(plan, exact, rebuild)
		if list, err = t.spaceOf(m.areas, spaces); err != nil || tooLittle(list, false) == nil {
			break
		}
	}
	return spaces, list, rebuild, err
}

func (t *Target) spaceOf(areas []Area, spaces []areaSpace) ([]Space, error) {
	var list []Space
	byDevice := map[uint64]int{} // indexes in the list
	for i, r := range spaces {
		a := areas[i]
		dir := path.Dir(string(a.Dir))
		var bytes int64
		var device uint64
		var ok bool
		if a.Top != "" { // it will be on the file system of its closest existing parent
			bytes, device, ok = free(filepath.Dir(string(a.Top)))
		} else if err := t.mapTablespace(a); err != nil {
			return nil, err
		} else {
			bytes, device, ok = t.disk.Free(dir)
		}
		if !ok {
			continue
		}
		at, known := byDevice[device]
		if !known {
			at = len(list)
			byDevice[device] = at
			list = append(list, Space{Dir: t.Join(dir), Free: bytes})
		}
		list[at].Needed += r.whole + r.blocks + r.later + r.extra
	}
	return list, nil
}

// Free returns how many bytes can be written on the file system of a directory. ok
// is false if that cannot be found out.
func (t *Target) Free(dir string) (bytes int64, ok bool) {
	bytes, _, ok = t.disk.Free(dir)
	return bytes, ok
}

// tooLittle returns an error for the file systems without enough free space, or nil.
func tooLittle(list []Space, inPlace bool) error {
	var short Obstacles
	for _, s := range list {
		if s.Needed > s.Free {
			short = append(short, &SpaceError{Dir: s.Dir, Needed: s.Needed, Free: s.Free, InPlace: inPlace})
		}
	}
	if len(short) > 0 {
		return short
	}
	return nil
}
