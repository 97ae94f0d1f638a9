package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"sync"

	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/regular"
	"github.com/gorewind/gorewind/internal/target"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// ErrNoRestoreCommand says that WAL cannot be brought back from an archive.
var ErrNoRestoreCommand = errors.New(`"restore_command" is not set in the target cluster`)

// ErrNotInArchive is what Options.FetchWAL says where the archive has no such file.
var ErrNotInArchive = archive.ErrNotInArchive

// FetchWALError says that Options.FetchWAL failed, each time. Trying again later may help.
type FetchWALError = archive.FetchError

// walArchive brings WAL back that the target has no more, with its own
// restore_command or what the caller gave instead, into the staging area.
type walArchive struct {
	archive *archive.Archive
	target  *target.Target
	format  walreader.Format

	mu       sync.Mutex
	dir      string            // within the data directory, where the WAL comes to lie; empty while there is none
	restored map[string]string // by file name, the path within the data directory
}

// restoreCommand is what the caller or the target's configuration says; none is an error.
func (a *analyzer) restoreCommand() (string, error) {
	if a.opts.RestoreCommand != "" {
		return a.opts.RestoreCommand, nil
	}
	return a.configuredCommand()
}

// configuredCommand is the one that the target's own recovery will use.
func (a *analyzer) configuredCommand() (string, error) {
	conf, err := pgconf.Load(pgconf.Options{DataDir: a.target.Name(), ConfigFile: a.opts.ConfigFile, Version: a.version})
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
func (a *analyzer) mayBeArchived() bool {
	if a.anyArchive() != nil {
		return a.opts.FetchWAL == nil // which would have told
	}
	return !errors.Is(a.noLazy, ErrNoRestoreCommand)
}

// archiveBy is the archive that a command, or the caller's function, gets files from.
func (a *analyzer) archiveBy(command string) *archive.Archive {
	o := a.opts
	return &archive.Archive{
		Command: command, Fetch: o.FetchWAL, DataDir: a.target.Name(), WorkDir: o.ChildDir, Env: o.ChildEnv, Version: a.version,
		Attempts: o.ArchiveAttempts, Pause: o.ArchivePause, Logger: a.log,
	}
}

// openArchive reads the target's configuration, before anything replaces it.
func (a *analyzer) openArchive() (*walArchive, error) {
	command := ""
	if a.opts.FetchWAL == nil {
		var err error
		if command, err = a.restoreCommand(); err != nil {
			return nil, err
		}
	}
	return &walArchive{archive: a.archiveBy(command), target: a.target, format: a.format, restored: map[string]string{}}, nil
}

// anyArchive is the archive for WAL that is nowhere else, also where
// Options.RestoreTargetWAL does not ask for it; nil if there is none.
func (a *analyzer) anyArchive() *walArchive {
	if a.archive != nil {
		return a.archive
	}
	if a.lazy == nil && a.noLazy == nil {
		if a.lazy, a.noLazy = a.openArchive(); a.noLazy != nil {
			a.log.Debug(fmt.Sprintf("WAL that neither side has is not looked for in an archive: %v", a.noLazy), "error", a.noLazy)
		}
	}
	return a.lazy
}

// restoreAnyway brings a segment back from any archive there is. The path is empty
// if there is none.
func (a *analyzer) restoreAnyway(ctx context.Context, name string) (string, error) {
	w := a.anyArchive()
	if w == nil {
		return "", nil
	}
	return w.restore(ctx, name)
}

// restore brings a segment back and gives its path within the data directory.
func (a *walArchive) restore(ctx context.Context, name string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p, ok := a.restored[name]; ok {
		if _, err := a.target.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
		a.dir = "" // it went with the staging area, and the analysis begins again
		clear(a.restored)
	}
	if a.dir == "" {
		dir, err := a.target.RestoreDir(a.format.Version.WALDir)
		if err != nil {
			return "", err
		}
		a.dir = dir
	}
	tli, s, ok := a.format.Geometry.ParseWALFileName(name)
	if !ok {
		return "", fmt.Errorf("%q is not the name of a WAL segment", name)
	}
	p := a.dir + "/" + name
	absolute, err := a.target.Locate(p)
	if err != nil {
		return "", err
	}
	if a.target.Poisoned() { // an interrupted rewind in place may have brought it back
		if a.verify(ctx, oneSegment{absolute, s}, tli) == nil {
			a.restored[name] = p
			return p, nil
		}
	}
	// Commands have one status for a full disk and for what they do not find.
	size := int64(a.format.Geometry.WALSegSize)
	if free, known := a.target.Free(a.dir); known && free < size {
		return "", &SpaceError{Dir: a.target.Join(a.dir), Needed: size, Free: free, Restored: true}
	}
	err = a.archive.Restore(ctx, name, absolute, size, func(file string) error {
		return a.verify(ctx, oneSegment{file, s}, tli)
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

// verify proves that a file is the segment that it is said to be. WAL may end in it:
// whether that is too early is found out where it is known how much is needed.
func (a *walArchive) verify(ctx context.Context, o oneSegment, tli pgdata.TimelineID) error {
	err := walreader.VerifySegment(ctx, o, a.format, o.no, tli)
	if !errors.Is(err, walreader.ErrEndOfWAL) {
		return err
	}
	f, err := regular.Open(o.file)
	if err != nil {
		return err
	}
	defer f.Close()
	return walreader.CheckSegment(ctx, f, o.no, a.format)
}

// path is where a segment lies that was brought back, or empty.
func (a *walArchive) path(name string) string {
	if a == nil {
		return ""
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.restored[name]
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

// oneSegment is a file that is to be proven to be a segment, by itself.
type oneSegment struct {
	file string
	no   pgdata.SegNo
}

func (o oneSegment) OpenSegment(_ context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	if s != o.no {
		return nil, fs.ErrNotExist
	}
	return regular.Open(o.file)
}
