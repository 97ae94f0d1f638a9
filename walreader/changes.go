package walreader

import "github.com/gorewind/gorewind/pgdata"

// changes collects changed blocks. Neighbouring records change the
// same few files, so their sets are cached, and most references need no
// map lookup.
type changes struct {
	relSegBlocks pgdata.BlockNumber
	blocks       pgdata.ChangedBlocks
	limits       pgdata.Changes               // only its limits are used
	spare        []*pgdata.BlockSet           // empty sets for reuse
	wanted       func(pgdata.RelSegment) bool // the files to keep; nil: all
	unwanted     pgdata.BlockSet              // the set for all other files, never read
	recent       [64]struct {
		file pgdata.RelSegment
		set  *pgdata.BlockSet // nil: unused
	}
}

func newChanges(g pgdata.Geometry) *changes {
	return &changes{relSegBlocks: pgdata.BlockNumber(g.RelSegBlocks), blocks: pgdata.ChangedBlocks{}}
}

// keepSets is how many sets are kept for reuse: one takes at most
// 16 kB with PostgreSQL's usual geometry.
const keepSets = 256

// reset forgets all blocks. The next segment reuses the memory, so memory does not depend
// on how much WAL is scanned.
func (c *changes) reset() {
	clear(c.recent[:])
	if len(c.limits.Limits) > keepSets {
		c.limits.Limits = nil
	}
	clear(c.limits.Limits)
	if len(c.blocks) > keepSets {
		c.blocks, c.spare = pgdata.ChangedBlocks{}, nil
		return
	}
	for _, set := range c.blocks {
		set.Clear()
		c.spare = append(c.spare, set)
	}
	clear(c.blocks)
}

// addRecord adds all changes of a record.
func (c *changes) addRecord(f Format, rec *Record) {
	c.addBlocks(rec)
	if rec.Rmgr == RmgrStorage || rec.Rmgr == RmgrDatabase || rec.Rmgr == RmgrTransaction && rec.Info&transactionHasInfo != 0 {
		c.addLimits(f, rec)
	}
}

// addBlocks adds the blocks of main forks that a record names.
func (c *changes) addBlocks(rec *Record) {
	for i := range rec.Blocks {
		if b := &rec.Blocks[i]; b.Fork == pgdata.MainFork {
			c.add(b.Locator, b.Block)
		}
	}
}

// addLimits adds the block numbers from which on a record creates, removes or truncates main
// forks. An init fork stands for its relation's main fork, which is not logged, and which
// the end of recovery recreates from it. If the directory of a database is created or
// removed, that applies to all its relations: a file copy is described nowhere, and
// ALTER DATABASE SET TABLESPACE there and back brings changes made elsewhere.
func (c *changes) addLimits(f Format, rec *Record) {
	if l, fork, ok := f.StorageCreate(rec); ok {
		if fork == pgdata.MainFork || fork == pgdata.InitFork {
			c.limit(l, 0)
		}
		return
	}
	if l, blocks, main, ok := f.StorageTruncate(rec); ok {
		if main {
			c.limit(l, blocks)
		}
		return
	}
	if e, ok := f.Ended(rec); ok {
		for l := range e.Relations() {
			c.limit(l, 0)
		}
		return
	}
	c.addDatabase(f, rec)
}

// limit records a limit, if the relation is wanted.
func (c *changes) limit(l pgdata.RelFileLocator, b pgdata.BlockNumber) {
	if c.wanted == nil || c.wanted(pgdata.RelSegment{Locator: l}) {
		c.limits.Limit(l, b)
	}
}

// addDatabase adds the limits of all relations of a database.
func (c *changes) addDatabase(f Format, rec *Record) {
	if made, ok := f.DatabaseCopy(rec); ok {
		c.limit(pgdata.RelFileLocator{Tablespace: made.Tablespace, Database: made.Database}, 0)
		return
	}
	if database, tablespace, ok := f.DatabaseCreate(rec); ok {
		c.limit(pgdata.RelFileLocator{Tablespace: tablespace, Database: database}, 0)
		return
	}
	if database, tablespaces, ok := f.DatabaseDrop(rec); ok {
		for _, t := range tablespaces {
			c.limit(pgdata.RelFileLocator{Tablespace: t, Database: database}, 0)
		}
	}
}

// set returns the set of a file.
func (c *changes) set(file pgdata.RelSegment) *pgdata.BlockSet {
	set := c.blocks[file]
	if set == nil && c.wanted != nil && !c.wanted(file) {
		return &c.unwanted
	}
	if set == nil {
		if n := len(c.spare); n > 0 {
			set, c.spare = c.spare[n-1], c.spare[:n-1]
		} else {
			set = new(pgdata.BlockSet)
		}
		c.blocks[file] = set
	}
	return set
}

func (c *changes) add(l pgdata.RelFileLocator, b pgdata.BlockNumber) {
	segment := uint32(0)
	if b >= c.relSegBlocks {
		segment, b = uint32(b/c.relSegBlocks), b%c.relSegBlocks
	}
	r := &c.recent[(l.Relation^segment)%uint32(len(c.recent))]
	if f := &r.file; r.set == nil || f.Locator.Relation != l.Relation || f.Segment != segment ||
		f.Locator.Database != l.Database || f.Locator.Tablespace != l.Tablespace {
		*f = pgdata.RelSegment{Locator: l, Segment: segment}
		r.set = c.set(*f)
	}
	r.set.Add(b)
}
