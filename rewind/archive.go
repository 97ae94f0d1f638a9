package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"sync"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/regular"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// ErrNoRestoreCommand says that WAL cannot be restored from an archive.
var ErrNoRestoreCommand = errors.New(`"restore_command" is not set in the target cluster`)

// ErrNotInArchive is what Options.FetchWAL returns if the archive does not have the
// file.
var ErrNotInArchive = archive.ErrNotInArchive

// walArchive restores WAL that the target no longer has into the staging area. It uses
// the target's restore_command, or what the caller gave instead.
type walArchive struct {
	archive *archive.Archive
	target  *apply.Target
	format  walreader.Format

	mu       sync.Mutex
	dir      string            // where restored WAL is stored, within the data directory; empty until something is restored
	restored map[string]string // path within the data directory, by file name
}

// configuredCommand returns the command that the target's own recovery will use.
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

// mayBeArchived reports whether an archive may have the missing WAL. If an archive was
// asked for it, only FetchWAL can say that it does not.
func (a *analyzer) mayBeArchived(asked bool) bool {
	if a.anyArchive() != nil {
		return a.opts.FetchWAL == nil || !asked
	}
	return !errors.Is(a.noLazy, ErrNoRestoreCommand)
}

// askArchive says what to do so that another archive is asked: it names what gave the one
// that was.
func (o *Options) askArchive() string {
	switch {
	case o.FetchWAL != nil:
		return "let Options.FetchWAL get them from there"
	case o.RestoreCommand != "":
		return "correct Options.RestoreCommand"
	}
	return "set restore_command in the target's configuration"
}

// archiveBy returns the archive that a command, or the caller's function, gets files
// from. option is the field of Options that gave the command, if it is not configured.
func (a *analyzer) archiveBy(command, option string) *archive.Archive {
	o := a.opts
	return &archive.Archive{
		Command: command, Option: option, Fetch: o.FetchWAL, DataDir: a.target.Name(), WorkDir: o.ChildDir, Env: o.ChildEnv, Version: a.version,
		Attempts: o.ArchiveAttempts, Pause: o.ArchivePause, Logger: a.log,
	}
}

// openArchive reads the target's configuration. It must be called before the rewind
// replaces that.
func (a *analyzer) openArchive() (*walArchive, error) {
	var command, option string
	switch {
	case a.opts.FetchWAL != nil:
	case a.opts.RestoreCommand != "":
		command, option = a.opts.RestoreCommand, "Options.RestoreCommand"
	default:
		var err error
		if command, err = a.configuredCommand(); err != nil {
			return nil, err
		}
	}
	return &walArchive{archive: a.archiveBy(command, option), target: a.target, format: a.format, restored: map[string]string{}}, nil
}

// anyArchive returns the archive for WAL that neither side has, even if
// Options.RestoreTargetWAL is not set. It returns nil if there is no archive.
func (a *analyzer) anyArchive() *walArchive {
	if a.archive != nil {
		return a.archive
	}
	if a.lazy == nil && a.noLazy == nil {
		if a.lazy, a.noLazy = a.openArchive(); a.noLazy != nil {
			a.log.Debug(fmt.Sprintf("not searching an archive for WAL that neither side has: %v", a.noLazy), "error", a.noLazy)
		}
	}
	return a.lazy
}

// restoreAnyway restores a segment from any available archive. The path is empty if
// there is no archive.
func (a *analyzer) restoreAnyway(ctx context.Context, name string) (string, error) {
	w := a.anyArchive()
	if w == nil {
		return "", nil
	}
	return w.restore(ctx, name)
}

// restore restores a segment and returns its path within the data directory.
func (a *walArchive) restore(ctx context.Context, name string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p, ok := a.restored[name]; ok {
		if _, err := a.target.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
		a.dir = "" // the staging area was removed, and the analysis starts over
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
	if a.target.Poisoned() { // an interrupted rewind in place may have restored it
		if a.verify(ctx, oneSegment{absolute, s}, tli) == nil {
			a.restored[name] = p
			return p, nil
		}
	}
	// A command exits with the same status for a full disk and for a missing file.
	size := int64(a.format.Geometry.WALSegSize)
	if free, known := a.target.Free(a.dir); known && free < size {
		return "", &apply.SpaceError{Dir: a.target.Join(a.dir), Needed: size, Free: free, Restored: true}
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

// checkRoom returns an error if the segments with these names do not fit on the disk.
// It stops reading names as soon as it knows.
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
			return &apply.SpaceError{Dir: a.target.Join(dir), Needed: needed, Free: free, Restored: true}
		}
	}
	return nil
}

// verify checks that a file is the segment that its name says. WAL may end in it:
// whether that is too early is checked by the code that knows how much is needed.
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

// path returns the path of a restored segment, or an empty string.
func (a *walArchive) path(name string) string {
	if a == nil {
		return ""
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.restored[name]
}

// has reports whether the archive restored a segment.
func (a *walArchive) has(name string) bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.restored[name] != ""
}

// close stops what restore_command left running.
func (a *walArchive) close() {
	if a != nil {
		a.archive.Close()
	}
}

// oneSegment presents a single file as a segment, to check it on its own.
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
