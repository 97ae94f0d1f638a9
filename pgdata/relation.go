package pgdata

import (
	"fmt"
	"math"
	"path"
	"strings"
)

// OIDs of the two tablespaces that every cluster has (catalog/pg_tablespace.dat).
const (
	DefaultTablespace = 1663
	GlobalTablespace  = 1664
)

// RelFileLocator names the files of a relation: relfilenode before 16,
// relfilelocator since (storage/relfilelocator.h).
type RelFileLocator struct {
	Tablespace uint32
	Database   uint32 // zero for relations that all databases share
	Relation   uint32
}

func (r RelFileLocator) String() string {
	return fmt.Sprintf("%d/%d/%d", r.Tablespace, r.Database, r.Relation)
}

// Fork is one of a relation's files (common/relpath.h).
type Fork uint8

// The forks in the order of their numbers.
const (
	MainFork Fork = iota
	FSMFork
	VisibilityMapFork
	InitFork
)

// BlockNumber counts a fork's blocks from zero, over all its segment files.
type BlockNumber uint32

// RelSegment is one file of a relation's main fork.
type RelSegment struct {
	Locator RelFileLocator
	Segment uint32
}

// DatabaseDir is where the files of a database in a tablespace lie, relative to the
// data directory.
func (v *Version) DatabaseDir(tablespace, database uint32) string {
	switch tablespace {
	case GlobalTablespace:
		return "global"
	case DefaultTablespace:
		return fmt.Sprintf("base/%d", database)
	}
	return fmt.Sprintf("pg_tblspc/%d/%s/%d", tablespace, v.TablespaceDir(), database)
}

// Path is the file's path relative to the data directory, as in
// base/16384/16390.1.
func (s RelSegment) Path(v *Version) string {
	p := fmt.Sprintf("%s/%d", v.DatabaseDir(s.Locator.Tablespace, s.Locator.Database), s.Locator.Relation)
	if s.Segment > 0 {
		p += fmt.Sprintf(".%d", s.Segment)
	}
	return p
}

// ParseRelPath undoes [RelSegment.Path]. Other forks, temporary relations, files
// of another version's tablespace directory and numbers that PostgreSQL would
// not write so are not recognized: such files are copied whole.
func ParseRelPath(v *Version, p string) (RelSegment, bool) {
	var s RelSegment
	dir, file := path.Split(p)
	rel, seg, segmented := strings.Cut(file, ".")
	ok := parseOID(rel, &s.Locator.Relation)
	if segmented {
		ok = ok && parseOID(seg, &s.Segment)
	}
	top, rest, below := strings.Cut(strings.TrimSuffix(dir, "/"), "/")
	switch {
	case top == "global" && !below:
		s.Locator.Tablespace = GlobalTablespace
	case top == "base":
		s.Locator.Tablespace = DefaultTablespace
		ok = ok && parseOID(rest, &s.Locator.Database)
	case top == "pg_tblspc":
		tablespace, rest, _ := strings.Cut(rest, "/")
		version, database, _ := strings.Cut(rest, "/")
		ok = ok && version == v.TablespaceDir() && parseOID(tablespace, &s.Locator.Tablespace) && parseOID(database, &s.Locator.Database)
	default:
		ok = false
	}
	return s, ok
}

// parseOID reads a positive decimal number without leading zeros.
func parseOID(s string, n *uint32) bool {
	var v uint64
	for i := range len(s) {
		digit := uint64(s[i]) - '0'
		if v = 10*v + digit; digit > 9 || v > math.MaxUint32 {
			return false
		}
	}
	*n = uint32(v)
	return v > 0 && s[0] != '0'
}
