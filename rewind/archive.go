package rewind

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"

	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/target"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// ErrNoRestoreCommand says that WAL cannot be brought back from an archive.
var ErrNoRestoreCommand = errors.New(`"restore_command" is not set in the target cluster`)

// walArchive brings WAL back that the target has no more, with its own
// restore_command, into the staging area.
type walArchive struct {
	archive *archive.Archive
	target  *target.Target
	format  walreader.Format

	mu       sync.Mutex
	dir      string            // within the data directory, where the WAL comes to lie; empty while there is none
	restored map[string]string // by file name, the path within the data directory
}

// restoreCommand is what the target's configuration says; none is an error.
func (r *Rewind) restoreCommand() (string, error) {
	conf, err := pgconf.Load(pgconf.Options{DataDir: r.target.Name(), ConfigFile: r.opts.ConfigFile, Version: r.targetControl.Version})
	if err != nil {
		return "", fmt.Errorf("could not read the configuration of the target: %w", err)
	}
	command, err := conf.RestoreCommand()
	if err == nil && command == "" {
		err = ErrNoRestoreCommand
	}
	return command, err
}

// mayBeArchived reports whether an archive might have WAL that is missing.
func (r *Rewind) mayBeArchived() bool {
	if r.archive != nil {
		return true
	}
	_, err := r.restoreCommand()
	return !errors.Is(err, ErrNoRestoreCommand)
}

// openArchive reads the target's configuration, before anything replaces it.
func (r *Rewind) openArchive() error {
	command, err := r.restoreCommand()
	if err != nil {
		return err
	}
	r.archive = &walArchive{
		archive: &archive.Archive{Command: command, DataDir: r.target.Name(), Version: r.targetControl.Version, Logger: r.log},
		target:  r.target, format: r.format(r.targetControl), restored: map[string]string{},
	}
	return nil
}

// restore brings a segment back and gives its path within the data directory.
func (a *walArchive) restore(ctx context.Context, name string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p, ok := a.restored[name]; ok {
		return p, nil
	}
	if a.dir == "" {
		dir, err := a.target.RestoreDir(a.format.Version.WALDir)
		if err != nil {
			return "", err
		}
		a.dir = dir
	}
	_, s, ok := a.format.Geometry.ParseWALFileName(name)
	if !ok {
		return "", fmt.Errorf("%q is not the name of a WAL segment", name)
	}
	p := a.dir + "/" + name
	absolute, err := a.target.Locate(p)
	if err != nil {
		return "", err
	}
	// Commands have one status for a full disk and for what they do not find.
	size := int64(a.format.Geometry.WALSegSize)
	if free, known := a.target.Free(a.dir); known && free < size {
		return "", &SpaceError{Dir: a.target.Join(a.dir), Needed: size, Free: free, Restored: true}
	}
	err = a.archive.Restore(ctx, name, absolute, size, func(file string) error {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		return walreader.CheckSegment(ctx, f, s, a.format)
	})
	if err != nil {
		return "", err
	}
	a.restored[name] = p
	return p, nil
}

// checkRoom refuses to bring back more of the segments with these names than the
// disk has room for. It does not look at more names than that takes.
func (a *walArchive) checkRoom(ctx context.Context, names iter.Seq[string]) error {
	dir, size := a.format.Version.WALDir, int64(a.format.Geometry.WALSegSize)
	free, known := a.target.Free(dir)
	if !known {
		return nil
	}
	var needed int64
	for name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if a.has(name) {
			continue
		}
		if needed += size; needed > free {
			return &SpaceError{Dir: a.target.Join(dir), Needed: needed, Free: free, Restored: true}
		}
	}
	return nil
}

// has reports whether the archive brought a segment back.
func (a *walArchive) has(name string) bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.restored[name] != ""
}

// close ends what restore_command left running.
func (a *walArchive) close() {
	if a != nil {
		a.archive.Close()
	}
}

// openRestored opens a segment that the target does not have.
func (w targetWAL) openRestored(ctx context.Context, tli pgdata.TimelineID, s pgdata.SegNo) (walreader.Segment, error) {
	p, err := w.archive.restore(ctx, w.geo.WALFileName(tli, s))
	if err != nil {
		return nil, err
	}
	return w.dir.Open(p)
}
