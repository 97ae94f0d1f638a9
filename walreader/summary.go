package walreader

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"slices"

	"github.com/gorewind/gorewind/pgdata"
)

// The layout of a WAL summary (common/blkreftable.h, common/blkreftable.c), unchanged
// since summaries were introduced (17).
const (
	summaryMagic     = 0x652B137B // BLOCKREFTABLE_MAGIC
	summaryEntrySize = 24         // BlockRefTableSerializedEntry
	summaryNoLimit   = 0xFFFFFFFF // InvalidBlockNumber: no limit, and no block either

	chunkBlocks    = 1 << 16          // BLOCKS_PER_CHUNK
	chunkBitmap    = chunkBlocks / 16 // MAX_ENTRIES_PER_CHUNK: a chunk of this many words is a bitmap
	summaryChunks  = 1 << 32 / chunkBlocks
	chunkUsageSize = 2 // bytes that say how many words a chunk has
)

// ErrSummary says that a file is not a complete and valid WAL summary. It is
// wrapped in a [*SummaryError].
var ErrSummary = errors.New("invalid WAL summary")

// SummaryError says where and why a WAL summary could not be read.
type SummaryError struct {
	File   string
	Offset int64 // bytes from the start of File
	Reason string
	Err    error // ErrSummary, or the error of reading
}

func (e *SummaryError) Error() string {
	return fmt.Sprintf("could not read WAL summary %q at byte %d: %s; the WAL itself shows what changed there", e.File, e.Offset, e.Reason)
}

// Unwrap returns Err.
func (e *SummaryError) Unwrap() error { return e.Err }

// SummaryFork is what a WAL summary contains about one fork of a relation besides its
// blocks.
type SummaryFork struct {
	Locator pgdata.RelFileLocator // its relation is zero if it is about a whole database in a tablespace
	Fork    pgdata.Fork
	Limited bool
	Limit   pgdata.BlockNumber // if Limited: the fork had at most this many blocks at some time
}

// ReadSummary reads a WAL summary of 17 or later. For every fork in it, in the
// order of tablespace, database, relation and fork, it calls visit with
// the changed blocks, in ascending order: once for each range of 65536 blocks that
// has any, or once with none. blocks is valid only during the call. The
// checksum is at the end, so what was visited is reliable only if there is no error.
//
// A summary contains what records in its range did, [Start, End) of its name
// (postmaster/walsummarizer.c; observed with servers of 17, 18 and 19):
//
//   - Every block that a record names is listed, including those of page images for
//     hints. Blocks of free space maps never are.
//   - A fork that is created has the limit 0: for a new relation its main fork, for an
//     unlogged one only its init fork, as no record is about the others.
//   - A commit, or a rollback, that removes a relation gives its main fork, visibility
//     map and init fork the limit 0, whether they exist or not.
//   - A truncation gives the main fork and the visibility map its length. Of
//     several limits the lowest is kept.
//   - A limit removes all blocks from there on that were listed before. Blocks at or
//     after the limit that are still listed changed later.
//   - A database that is created (STRATEGY file_copy or wal_log), moved to another
//     tablespace or dropped has an entry with relation zero and the limit 0, one for
//     each tablespace in which its directory was created or removed. Blocks of its
//     relations that were listed before are not removed.
//   - Changes with wal_level minimal are in no summary.
//
// Nothing else is recorded: no times, no transactions, no settings.
//
// Memory does not depend on the size of the file: a length in it that exceeds what a
// relation can have is rejected. name is for messages. The error is a
// [*SummaryError].
func ReadSummary(r io.Reader, name string, visit func(f SummaryFork, blocks []pgdata.BlockNumber)) error {
	s := &summaryReader{r: bufio.NewReaderSize(r, 1<<16), name: name, visit: visit}
	magic, err := s.take(4)
	if err != nil {
		return err
	}
	if m := binary.LittleEndian.Uint32(magic); m != summaryMagic {
		return s.invalid("wrong magic number: expected %08X, found %08X", uint32(summaryMagic), m)
	}
	for {
		entry, err := s.take(summaryEntrySize)
		if err != nil {
			return err
		}
		if [summaryEntrySize]byte(entry) == ([summaryEntrySize]byte{}) {
			return s.end()
		}
		if err := s.fork(entry); err != nil {
			return err
		}
	}
}

// summaryReader reads one file.
type summaryReader struct {
	r      *bufio.Reader
	name   string
	visit  func(SummaryFork, []pgdata.BlockNumber)
	at     int64 // offset of what was last taken
	next   int64
	crc    uint32
	buf    []byte
	usage  []uint16 // number of words in each chunk of one fork
	blocks []pgdata.BlockNumber
	last   SummaryFork
}

func (s *summaryReader) fail(err error, reason string) error {
	return &SummaryError{File: s.name, Offset: s.at, Reason: reason, Err: err}
}

func (s *summaryReader) invalid(format string, args ...any) error {
	return s.fail(ErrSummary, fmt.Sprintf(format, args...))
}

// take returns the next n bytes, which are valid until the next call.
func (s *summaryReader) take(n int) ([]byte, error) {
	s.buf = slices.Grow(s.buf[:0], n)[:n]
	s.at = s.next
	switch _, err := io.ReadFull(s.r, s.buf); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, s.invalid("the file ends too early")
	case err != nil:
		return nil, s.fail(err, err.Error())
	}
	s.next += int64(n)
	s.crc = crc32.Update(s.crc, castagnoli, s.buf)
	return s.buf, nil
}

// end reads what follows all forks.
func (s *summaryReader) end() error {
	want := s.crc
	stored, err := s.take(4)
	if err != nil {
		return err
	}
	if got := binary.LittleEndian.Uint32(stored); got != want {
		return s.invalid("wrong checksum: expected %08X, found %08X", want, got)
	}
	s.at = s.next
	switch _, err := s.r.ReadByte(); {
	case err == nil:
		return s.invalid("the file goes on after its checksum")
	case !errors.Is(err, io.EOF):
		return s.fail(err, err.Error())
	}
	return nil
}

// fork reads what follows an entry, and calls visit.
func (s *summaryReader) fork(entry []byte) error {
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(entry[4*i:]) }
	f := SummaryFork{
		Locator: pgdata.RelFileLocator{Tablespace: word(0), Database: word(1), Relation: word(2)},
		Fork:    pgdata.Fork(word(3)),
		Limited: word(4) != summaryNoLimit,
	}
	if f.Limited {
		f.Limit = pgdata.BlockNumber(word(4))
	}
	chunks := word(5)
	switch {
	case word(3) > uint32(pgdata.InitFork):
		return s.invalid("relation %s has a fork of number %d", f.Locator, word(3))
	case s.last.Locator.Tablespace != 0 && compareForks(s.last, f) >= 0:
		return s.invalid("relation %s, fork %d does not come after relation %s, fork %d", f.Locator, f.Fork, s.last.Locator, s.last.Fork)
	case f.Locator.Tablespace == 0:
		return s.invalid("relation %s has no tablespace", f.Locator)
	case f.Locator.Relation == 0 && (f.Fork != pgdata.MainFork || !f.Limited || f.Limit != 0 || chunks != 0):
		return s.invalid("database %d in tablespace %d is neither created nor dropped", f.Locator.Database, f.Locator.Tablespace)
	case chunks > summaryChunks:
		return s.invalid("relation %s, fork %d has %d pieces of %d blocks, more than there can be", f.Locator, f.Fork, chunks, chunkBlocks)
	}
	s.last = f
	return s.chunks(f, int(chunks))
}

func compareForks(a, b SummaryFork) int {
	return slices.Compare(
		[]uint32{a.Locator.Tablespace, a.Locator.Database, a.Locator.Relation, uint32(a.Fork)},
		[]uint32{b.Locator.Tablespace, b.Locator.Database, b.Locator.Relation, uint32(b.Fork)})
}

func (s *summaryReader) chunks(f SummaryFork, n int) error {
	b, err := s.take(chunkUsageSize * n)
	if err != nil {
		return err
	}
	s.usage = s.usage[:0]
	for i := range n {
		used := binary.LittleEndian.Uint16(b[chunkUsageSize*i:])
		if used > chunkBitmap {
			return s.invalid("relation %s, fork %d has a piece of %d words", f.Locator, f.Fork, used)
		}
		s.usage = append(s.usage, used)
	}
	visited := false
	for i, used := range s.usage {
		if used == 0 {
			continue
		}
		words, err := s.take(2 * int(used))
		if err != nil {
			return err
		}
		s.decode(pgdata.BlockNumber(i)*chunkBlocks, words)
		if len(s.blocks) == 0 {
			continue // a bitmap that a limit has emptied
		}
		if s.blocks[len(s.blocks)-1] == summaryNoLimit {
			return s.invalid("relation %s, fork %d has a block of number %d", f.Locator, f.Fork, uint32(summaryNoLimit))
		}
		s.visit(f, s.blocks)
		visited = true
	}
	if !visited {
		s.visit(f, nil)
	}
	return nil
}

// decode lists the blocks of a chunk.
func (s *summaryReader) decode(first pgdata.BlockNumber, words []byte) {
	s.blocks = s.blocks[:0]
	if len(words) < 2*chunkBitmap {
		for ; len(words) > 0; words = words[2:] {
			s.blocks = append(s.blocks, first+pgdata.BlockNumber(binary.LittleEndian.Uint16(words)))
		}
		slices.Sort(s.blocks)
		s.blocks = slices.Compact(s.blocks)
		return
	}
	for i := 0; len(words) > 0; i, words = i+64, words[8:] {
		for w := binary.LittleEndian.Uint64(words); w != 0; w &= w - 1 {
			s.blocks = append(s.blocks, first+pgdata.BlockNumber(i+bits.TrailingZeros64(w)))
		}
	}
}
