package walreader

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/regular"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/timeline"
)

// Dir opens the WAL segments of a data directory that are on the history of one timeline.
// It keeps nothing open.
type Dir struct {
	Format  Format
	Control *controlfile.Data
	History timeline.History
	dir     string // the WAL directory
}

// OpenDir reads what is needed to read the WAL of a data directory: its control file
// and the history of its timeline.
func OpenDir(dir string) (*Dir, error) {
	c, err := controlfile.Read(dir)
	if err != nil {
		return nil, err
	}
	h, err := timeline.ReadOf(dir, c.Version, c.Timeline())
	if err != nil {
		return nil, err
	}
	return &Dir{
		Format:  Format{Version: c.Version, Geometry: c.Geometry, SystemIdentifier: c.SystemIdentifier},
		Control: c, History: h, dir: filepath.Join(dir, c.Version.WALDir),
	}, nil
}

// OpenSegment opens a segment: its file with the newest timeline of the history, as the
// server does. A timeline can have ended before it had a file of its own.
func (d *Dir) OpenSegment(_ context.Context, s pgdata.SegNo) (Segment, error) {
	geo := d.Format.Geometry
	var first error
	for i := len(d.History) - 1; i >= 0; i-- {
		if e := d.History[i]; geo.SegNo(e.Begin) <= s {
			f, err := regular.Open(filepath.Join(d.dir, geo.WALFileName(e.TLI, s)))
			if err == nil {
				return f, nil
			}
			if first == nil {
				first = err
			}
			if !errors.Is(err, fs.ErrNotExist) {
				break
			}
		}
	}
	return nil, first
}

// Reader reads records of the directory's WAL.
func (d *Dir) Reader() *Reader { return NewReader(d, d.Format) }

// First is the start of the first record of the WAL that reaches up to the last checkpoint
// without a gap.
func (d *Dir) First(ctx context.Context) (pgdata.LSN, error) {
	last := d.Format.Geometry.SegNo(d.Control.CheckPoint)
	oldest := last + 1
	for oldest > 0 {
		f, err := d.OpenSegment(ctx, oldest-1)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return 0, err
		}
		_ = f.Close()
		oldest--
	}
	if oldest > last {
		_, err := d.OpenSegment(ctx, last)
		return 0, fmt.Errorf("the WAL of the last checkpoint is missing: %w", err)
	}
	r := d.Reader()
	defer func() { _ = r.Close() }()
	return r.FindNextRecord(ctx, d.Format.Geometry.SegStart(oldest))
}

// End is the end of the directory's WAL, searched from the last checkpoint on.
func (d *Dir) End(ctx context.Context) (End, error) {
	return EndOfWAL(ctx, d, d.Format, d.Control.CheckPoint)
}

// Summaries lists the directory's WAL summaries, which servers from 17 on can
// write. The list is empty if there is no directory for them.
func (d *Dir) Summaries() ([]SummaryName, error) {
	entries, err := os.ReadDir(filepath.Join(d.dir, SummaryDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []SummaryName
	for _, e := range entries {
		if n, ok := ParseSummaryName(e.Name()); ok {
			names = append(names, n)
		}
	}
	return names, err
}

// ReadSummaryChanges adds the content of a summary to changes, like the function of this name.
func (d *Dir) ReadSummaryChanges(n SummaryName, wanted func(pgdata.RelSegment) bool, changes *pgdata.Changes) error {
	f, err := regular.Open(filepath.Join(d.dir, SummaryDir, n.String()))
	if err != nil {
		return err
	}
	defer f.Close()
	return ReadSummaryChanges(f, f.Name(), d.Format.Geometry, wanted, changes)
}
