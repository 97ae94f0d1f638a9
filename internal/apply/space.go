package apply

import (
	"fmt"
	"path"
	"path/filepath"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// SpaceError says that a file system has too little room. Nothing was written.
type SpaceError struct {
	Dir    string // a directory on that file system
	Needed int64  // bytes
	Free   int64  // bytes
	// InPlace says that the rewind was to write in place, which needs the least.
	InPlace bool
	// Restored says that it is needed for WAL that an archive brings back. There
	// may be more of that than Needed.
	Restored bool
}

func (e *SpaceError) Error() string {
	what := ""
	if e.Restored {
		what = " for WAL that the archive has to bring back"
	}
	text := fmt.Sprintf("not enough space on the file system of %q: %s are needed%s and %s are free: free some", e.Dir, kilobytes(e.Needed), what, kilobytes(e.Free))
	if !e.InPlace && !e.Restored {
		text += ", or rewind with Options.InPlace, which needs less and promises less"
	}
	return text
}

func kilobytes(n int64) string { return fmt.Sprintf("%d kB", n>>10) }

// areaSpace is what a rewind writes in an area, in bytes.
type areaSpace struct {
	whole  int64 // files that are staged whole
	blocks int64 // pieces of files
	later  int64 // what applying takes in addition: tails, directories, the last files
	extra  int64 // the journal, the index
}

// What a file costs beside its data, and what is left for the rest of the world.
const (
	clusterSize = 4096
	stepSize    = 300
	spare       = 1 << 20
	lastFiles   = 64 << 10 // backup_label, the control file, and what they lie in

	// smallPiece is no more than what a source sends at once of a file that is longer.
	smallPiece = 64 << 10
)

func clusters(n int64) int64 { return (n + clusterSize - 1) / clusterSize * clusterSize }

// indexed is the room that the index takes for what the source sends of a file, or
// for the file of which that is most.
func indexed(e *filemap.Entry, g pgdata.Geometry) int64 {
	rest, pieces := e.FetchBytes(g)+e.LocalBytes, int64(1)
	if e.Blocks != nil {
		pieces += int64(e.Blocks.Len())
		rest -= int64(e.Blocks.Len()) * int64(g.BlockSize)
	}
	return (pieces + rest/smallPiece) * pieceSize
}

// unwritten is the room for WAL that a source that runs writes meanwhile into
// segments that it recycled: for one of them. One that writes much more fills the
// disk while it is read, before the target is changed; room for all that it keeps
// ready would be asked for in vain nearly always.
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

// space computes what staging and applying a plan takes, by area. exact says that
// the source does not change, rebuild that files are rebuilt of which much comes.
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

// growth computes by how much a rewind in place lets the target grow, by area.
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

// Space is the room that a rewind takes on a file system.
type Space struct {
	Dir    string // a directory on it
	Needed int64  // bytes
	Free   int64  // bytes
}

// Space computes the room that a plan takes, for every file system of which the
// room can be found out. exact is as in Options.
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

// stagingSpace is the room that staging takes, by area and by file system, and whether
// files are rebuilt: not where that needs more than there is. Pieces alone take less.
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
	byDevice := map[uint64]int{} // places in the list
	for i, r := range spaces {
		a := areas[i]
		dir := path.Dir(string(a.Dir))
		var bytes int64
		var device uint64
		var ok bool
		if a.Top != "" { // it will lie on the file system of what there is on the way to it
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

// Free is how many bytes can be written on the file system of a directory. ok is
// false where that cannot be found out.
func (t *Target) Free(dir string) (bytes int64, ok bool) {
	bytes, _, ok = t.disk.Free(dir)
	return bytes, ok
}

// tooLittle says which file systems do not have the room that is needed.
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
