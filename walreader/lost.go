package walreader

import (
	"encoding/binary"
	"time"

	"github.com/gorewind/gorewind/pgdata"
)

// Lost is what stands in the records from the divergence point on: what a rewind
// throws away.
type Lost struct {
	Records int64
	Bytes   int64 // of the records, without page headers

	Committed int // transactions, those that were prepared before included
	Prepared  int // transactions that were prepared for a commit in two phases
	Aborted   int // transactions that wrote something

	FirstCommit, LastCommit Commit // zero where nothing was committed

	// Blocks counts, for every relation, the different blocks of its main fork
	// that were changed.
	Blocks map[pgdata.RelFileLocator]int64

	Created, Dropped                   Relations // files of relations, also those of indexes and of tables that were rewritten
	CreatedDatabases, DroppedDatabases []uint32  // their OIDs

	// Unparsed counts records that ought to say some of this, and that this
	// package does not understand. Their checksums are right.
	Unparsed int
}

// Commit is the end of a committed transaction.
type Commit struct {
	LSN  pgdata.LSN // where its record starts
	Time time.Time  // as the server's clock said, in UTC, to the microsecond
}

// Relations lists relations by where their files are.
type Relations struct {
	List []pgdata.RelFileLocator // in the order of WAL, the first maxListed
	More int                     // that the list does not have
}

// maxListed bounds lists, whose length the WAL would decide.
const maxListed = 10_000

func (r *Relations) add(l pgdata.RelFileLocator) {
	if len(r.List) == maxListed {
		r.More++
		return
	}
	r.List = append(r.List, l)
}

// append adds later ones.
func (r *Relations) append(later Relations) {
	for _, l := range later.List {
		r.add(l)
	}
	r.More += later.More
}

// Commit records (xl_xact_commit, access/xact.h) are a time, and where
// infoHasXinfo is set a word of flags, each of which says that something follows,
// in this order.
const (
	infoHasXinfo = 0x80

	xinfoDatabase     = 1 << 0 // two OIDs
	xinfoSubxacts     = 1 << 1 // a number of XIDs, and these
	xinfoRelFileNodes = 1 << 2 // a number of locators of dropped relations, and these
)

const (
	transactionPrepare = 0x10

	locatorSize = 12 // of a RelFileLocator (storage/relfilelocator.h)
)

// add takes one record into account, but for the blocks.
func (l *Lost) add(rec *Record, wal *pgdata.WALFormat) {
	l.Records++
	l.Bytes += int64(rec.Length)
	switch rec.Rmgr {
	case rmgrTransaction:
		l.addTransaction(rec)
	case rmgrStorage:
		// xl_smgr_create is a locator and a fork.
		if rec.Info&infoRmgrMask == storageCreate {
			if len(rec.MainData) < locatorSize+4 {
				l.Unparsed++
			} else if binary.LittleEndian.Uint32(rec.MainData[locatorSize:]) == uint32(pgdata.MainFork) {
				l.Created.add(locator(rec.MainData))
			}
		}
	case rmgrDatabase:
		l.addDatabase(rec, wal)
	}
}

// addDatabase looks at records all of which begin with the database's OID.
func (l *Lost) addDatabase(rec *Record, wal *pgdata.WALFormat) {
	var list *[]uint32
	switch rec.Info & infoRmgrMask {
	case wal.DatabaseDrop:
		list = &l.DroppedDatabases
	case databaseCreate, wal.DatabaseCreateWAL:
		list = &l.CreatedDatabases
	default:
		return
	}
	if len(rec.MainData) < 4 {
		l.Unparsed++
	} else if len(*list) < maxListed {
		*list = append(*list, binary.LittleEndian.Uint32(rec.MainData))
	}
}

func (l *Lost) addTransaction(rec *Record) {
	switch rec.Info & transactionMask {
	case transactionPrepare:
		l.Prepared++
	case transactionAbort, transactionAbortPrepared:
		l.Aborted++
	case transactionCommit, transactionCommitPrepared:
		l.Committed++
		if !l.addCommit(rec) {
			l.Unparsed++
		}
	}
}

// postgresEpoch is what a TimestampTz counts microseconds from, 2000-01-01, as
// microseconds of Unix time.
const postgresEpoch = 946684800 * 1_000_000

// addCommit reads a commit record as far as it is of interest.
func (l *Lost) addCommit(rec *Record) bool {
	b := rec.MainData
	if len(b) < 8 {
		return false
	}
	c := Commit{LSN: rec.LSN, Time: time.UnixMicro(int64(binary.LittleEndian.Uint64(b)) + postgresEpoch).UTC()}
	if l.FirstCommit.LSN == 0 {
		l.FirstCommit = c
	}
	l.LastCommit = c
	if b = b[8:]; rec.Info&infoHasXinfo == 0 {
		return true
	}
	if len(b) < 4 {
		return false
	}
	xinfo := binary.LittleEndian.Uint32(b)
	b = b[4:]
	if xinfo&xinfoDatabase != 0 {
		if len(b) < 8 {
			return false
		}
		b = b[8:]
	}
	if xinfo&xinfoSubxacts != 0 {
		var ok bool
		if _, b, ok = array(b, 4); !ok {
			return false
		}
	}
	if xinfo&xinfoRelFileNodes != 0 {
		list, _, ok := array(b, locatorSize)
		if !ok {
			return false
		}
		for ; len(list) > 0; list = list[locatorSize:] {
			l.Dropped.add(locator(list))
		}
	}
	return true
}

// array takes a number and as many elements from the front of b.
func array(b []byte, size int) (elements, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.LittleEndian.Uint32(b)) * uint64(size)
	if b = b[4:]; n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

func locator(b []byte) pgdata.RelFileLocator {
	return pgdata.RelFileLocator{
		Tablespace: binary.LittleEndian.Uint32(b),
		Database:   binary.LittleEndian.Uint32(b[4:]),
		Relation:   binary.LittleEndian.Uint32(b[8:]),
	}
}

// prepend adds what stands before it in the WAL.
func (l *Lost) prepend(earlier *Lost) {
	l.Records += earlier.Records
	l.Bytes += earlier.Bytes
	l.Committed += earlier.Committed
	l.Prepared += earlier.Prepared
	l.Aborted += earlier.Aborted
	l.Unparsed += earlier.Unparsed
	if earlier.FirstCommit.LSN != 0 {
		l.FirstCommit = earlier.FirstCommit
	}
	if l.LastCommit.LSN == 0 {
		l.LastCommit = earlier.LastCommit
	}
	created, dropped := earlier.Created, earlier.Dropped
	created.append(l.Created)
	dropped.append(l.Dropped)
	l.Created, l.Dropped = created, dropped
	l.CreatedDatabases = append(earlier.CreatedDatabases, l.CreatedDatabases...)
	l.DroppedDatabases = append(earlier.DroppedDatabases, l.DroppedDatabases...)
}

// countBlocks fills Blocks with those of both sets; it uses the first one up.
func (l *Lost) countBlocks(first, rest pgdata.ChangedBlocks) {
	l.Blocks = map[pgdata.RelFileLocator]int64{}
	for file, blocks := range rest {
		n := blocks.Len()
		if more := first[file]; more != nil {
			more.Union(blocks)
			n = more.Len()
			delete(first, file)
		}
		l.Blocks[file.Locator] += int64(n)
	}
	for file, blocks := range first {
		l.Blocks[file.Locator] += int64(blocks.Len())
	}
}
