package savedcluster

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// Tally sums up WAL records in a few lines: how many there are and their bytes
// by resource manager, and a digest of what was added of each. Two that read the
// same records have the same tally. The zero value is empty.
type Tally struct {
	rmgrs  map[string]*rmgrTally
	digest hash.Hash
}

type rmgrTally struct{ records, bytes int64 }

// Record is what a tally takes of a record. Blocks are those of [BlockText], in
// order.
type Record struct {
	Rmgr        string // as pg_waldump names it
	Length, XID uint32
	LSN, Prev   pgdata.LSN
	Blocks      string
}

// BlockText describes a block reference for Record.Blocks.
func BlockText(id uint8, l pgdata.RelFileLocator, fork pgdata.Fork, b pgdata.BlockNumber, image bool) string {
	return fmt.Sprintf(" %d: %s %d %d %t", id, l, fork, b, image)
}

// Add takes a record.
func (t *Tally) Add(r Record) {
	if t.rmgrs == nil {
		t.rmgrs, t.digest = map[string]*rmgrTally{}, sha256.New()
	}
	sum := t.rmgrs[r.Rmgr]
	if sum == nil {
		sum = &rmgrTally{}
		t.rmgrs[r.Rmgr] = sum
	}
	sum.records++
	sum.bytes += int64(r.Length)
	fmt.Fprintf(t.digest, "%s %d %d %s %s%s\n", r.Rmgr, r.Length, r.XID, r.LSN, r.Prev, r.Blocks)
}

// String gives a line for every resource manager, and two for all of them.
func (t *Tally) String() string {
	var (
		b   strings.Builder
		all rmgrTally
	)
	for _, name := range slices.Sorted(maps.Keys(t.rmgrs)) {
		sum := t.rmgrs[name]
		all.records += sum.records
		all.bytes += sum.bytes
		fmt.Fprintf(&b, "%-18s %6d records %8d bytes\n", name, sum.records, sum.bytes)
	}
	fmt.Fprintf(&b, "%-18s %6d records %8d bytes\n", "all", all.records, all.bytes)
	if t.digest != nil {
		fmt.Fprintf(&b, "digest %x\n", t.digest.Sum(nil)[:16])
	}
	return b.String()
}

var (
	dumpLine  = regexp.MustCompile(`^rmgr: (\S+) +len \(rec/tot\): +\d+/ *(\d+), tx: +(\d+), lsn: (\S+), prev (\S+), desc: `)
	dumpBlock = regexp.MustCompile(`blkref #(\d+): rel (\d+)/(\d+)/(\d+) (?:fork (\S+) )?blk (\d+)( \(?FPW)?`)
	dumpForks = map[string]pgdata.Fork{"": pgdata.MainFork, "main": pgdata.MainFork, "fsm": pgdata.FSMFork, "vm": pgdata.VisibilityMapFork, "init": pgdata.InitFork}
)

// TallyOfDump reads what pg_waldump printed. Lines that are about no record do
// not count.
func TallyOfDump(text string) (*Tally, error) {
	t := &Tally{}
	for line := range strings.Lines(text) {
		m := dumpLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		r := Record{Rmgr: m[1]}
		if _, err := fmt.Sscan(m[2]+" "+m[3], &r.Length, &r.XID); err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		var err error
		if r.LSN, err = pgdata.ParseLSN(m[4]); err == nil {
			r.Prev, err = pgdata.ParseLSN(m[5])
		}
		for _, b := range dumpBlock.FindAllStringSubmatch(line, -1) {
			var n [5]uint64
			for i, text := range []string{b[1], b[2], b[3], b[4], b[6]} {
				if n[i], err = strconv.ParseUint(text, 10, 32); err != nil {
					return nil, fmt.Errorf("line %q: %w", line, err)
				}
			}
			l := pgdata.RelFileLocator{Tablespace: uint32(n[1]), Database: uint32(n[2]), Relation: uint32(n[3])}
			r.Blocks += BlockText(uint8(n[0]), l, dumpForks[b[5]], pgdata.BlockNumber(n[4]), b[7] != "")
		}
		if err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		t.Add(r)
	}
	return t, nil
}
