package rewindtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorewind/gorewind/internal/regular"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/walreader"
)

// Configuration is a pattern for Equal and Differences. It matches configuration files
// and certificates, of which each server has its own.
const Configuration = "@config"

// Equal fails a test if two data directories differ in what PostgreSQL reads of them,
// and reports the differences: see Differences. It returns whether they are equal.
func Equal(t testing.TB, a, b string, upTo pgdata.LSN, ignore ...string) bool {
	t.Helper()
	list, err := Differences(context.Background(), a, b, upTo, ignore...)
	if err != nil {
		t.Errorf("%s and %s cannot be compared: %v", a, b, err)
		return false
	}
	if len(list) > 0 {
		t.Errorf("%s and %s differ:\n%s", a, b, strings.Join(list, "\n"))
	}
	return len(list) == 0
}

// Differences lists how the data directories of two stopped servers differ when both
// have replayed their WAL up to an LSN. It ignores the control file and what no server
// reads of another. A page that this WAL changes is as recovery makes it, and does not
// count as different. For that, the WAL of both must be the same from where the first
// of the two begins to replay. If upTo is zero, no replay is assumed and WAL is
// ignored. ignore has patterns as in rewind.Options.Keep.
func Differences(ctx context.Context, a, b string, upTo pgdata.LSN, ignore ...string) (list []string, err error) {
	one, err := source.OpenDir(a)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, one.Close()) }()
	other, err := source.OpenDir(b)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, other.Close()) }()
	result, err := rewind.Diff(ctx, rewind.DiffOptions{A: one, B: other, Ignore: ignore})
	if err != nil {
		return nil, err
	}
	var r replay
	if upTo != 0 {
		if r, err = readReplay(ctx, a, b, upTo); err != nil {
			return nil, err
		}
	}
	for _, f := range result.Files {
		if !r.brings(f) {
			list = append(list, f.String())
		}
	}
	if r.difference != "" {
		list = append(list, r.difference)
	}
	return list, nil
}

// replay is the WAL that both servers replay, with what it changes.
type replay struct {
	version    *pgdata.Version
	geo        pgdata.Geometry
	changed    pgdata.ChangedBlocks
	difference string // where the WAL of the two differs
}

// readReplay reads WAL from where the earlier of the two begins to replay or, if the
// other does not have that, from where the later one does.
func readReplay(ctx context.Context, a, b string, upTo pgdata.LSN) (r replay, err error) {
	one, err := walreader.OpenDir(a)
	if err != nil {
		return r, err
	}
	other, err := walreader.OpenDir(b)
	if err != nil {
		return r, err
	}
	start, err := replayStart(a, one)
	if err != nil {
		return r, err
	}
	otherStart, err := replayStart(b, other)
	if err != nil {
		return r, err
	}
	r = replay{version: one.Control.Version, geo: one.Control.Geometry, changed: pgdata.ChangedBlocks{}}
	first, from := one, start
	if otherStart < start {
		first, from = other, otherStart
	}
	at, same, err := walreader.FirstDifference(ctx, one, other, one.Format, from, upTo)
	if later := max(start, otherStart); err == nil && !same && at < later {
		at, same, err = walreader.FirstDifference(ctx, one, other, one.Format, later, upTo)
	}
	if err != nil {
		return r, fmt.Errorf("WAL from %s to %s: %w", from, upTo, err)
	}
	if !same {
		r.difference = fmt.Sprintf("%s: differs from %s on", r.version.WALDir, r.version.FormatLSN(at))
		return r, nil
	}
	records := first.Reader()
	defer func() { err = errors.Join(err, records.Close()) }()
	for rec, err := range records.Records(ctx, from, upTo) {
		if err != nil {
			return r, err
		}
		for _, b := range rec.Blocks {
			if b.Fork == pgdata.MainFork {
				r.changed.Add(r.geo, b.Locator, b.Block)
			}
		}
	}
	return r, nil
}

// brings reports whether all differences of a file are in pages that are replayed.
func (r replay) brings(f rewind.FileDiff) bool {
	if r.version == nil || r.difference != "" || f.More > 0 || f.Reason == "type" {
		return false
	}
	seg, is := pgdata.ParseRelPath(r.version, f.Path)
	if !is {
		return false
	}
	changed := r.changed[seg]
	has := func(first, last int64) bool {
		for b := first; b <= last; b++ {
			if changed == nil || !changed.Has(pgdata.BlockNumber(b)) {
				return false
			}
		}
		return true
	}
	for _, run := range f.Blocks {
		if !has(int64(run.First), int64(run.Last)) {
			return false
		}
	}
	size := int64(r.geo.BlockSize)
	return has(min(f.SizeA, f.SizeB)/size, max(f.SizeA, f.SizeB)/size-1)
}

// replayStart returns where a server would begin to replay.
func replayStart(dir string, wal *walreader.Dir) (pgdata.LSN, error) {
	const most = 16 << 10
	label, err := regular.ReadFile(filepath.Join(dir, pgdata.BackupLabelPath), most)
	if errors.Is(err, fs.ErrNotExist) {
		return wal.Control.CheckPointCopy.Redo, nil
	}
	if err != nil {
		return 0, err
	}
	rest, found := strings.CutPrefix(string(label), "START WAL LOCATION: ")
	at, _, _ := strings.Cut(rest, " ")
	lsn, err := pgdata.ParseLSN(at)
	if err != nil || !found {
		return 0, fmt.Errorf("%s does not say where replay starts", filepath.Join(dir, pgdata.BackupLabelPath))
	}
	return lsn, nil
}
