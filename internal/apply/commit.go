package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/pgdata"
)

// Final has the files that a rewind writes last.
type Final struct {
	Control []byte      // the new control file
	Files   []SmallFile // backup_label and the like
	Notes   []byte
}

// Commit makes sure that the target has not changed since control was read, makes
// what was staged durable, and makes the target unusable for a server. From then on
// Finish completes the rewind, now or in another process, with only what is on the
// target's disks (invariant I2). If committed is false, nothing was changed.
func (s *Staging) Commit(ctx context.Context, control []byte, final Final) (committed bool, err error) {
	if err := s.checkComplete(); err != nil {
		return false, err
	}
	if err := s.writeRest(); err != nil {
		return false, err
	}
	j := &Journal{
		Format: journalFormat, Started: s.t.opened, Source: s.opts.Source, Control: control, NewControl: final.Control,
		Files: final.Files, Areas: s.areas.areas, Sync: s.opts.Sync, Notes: final.Notes,
	}
	if j.Steps, err = s.steps(); err != nil {
		return false, err
	}
	if err := s.checkCommittable(ctx, j); err != nil {
		return false, err
	}
	if err := s.syncStaged(ctx, j); err != nil {
		return false, err
	}
	if err := s.markStaged(j); err != nil {
		return false, err
	}
	if err := s.t.saveJournal(j); err != nil {
		return false, err
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if committed, err = s.t.poison(control, j.Sync); committed {
		s.done = true
	}
	return committed, err
}

// syncStaged writes everything that was staged to the disk.
func (s *Staging) syncStaged(ctx context.Context, j *Journal) error {
	if err := errors.Join(s.index.flush(), s.close()); err != nil {
		return s.t.failed("write", stagingDir, err)
	}
	j.Records, j.IndexCRC = s.index.records, s.index.crc
	if j.Sync.Off {
		return nil
	}
	if j.Sync.FileSystem {
		var dirs []string
		for _, a := range j.Areas {
			dirs = append(dirs, string(a.Dir))
		}
		if err := s.t.syncFileSystems(dirs); !errors.Is(err, errNoSyncFS) {
			return err
		}
	}
	paths := []string{indexPath}
	for i, a := range j.Areas {
		paths = append(paths, string(a.Dir))
		if s.blocks[i] != nil {
			paths = append(paths, a.blocks())
		}
	}
	for i := range j.Steps {
		if step := &j.Steps[i]; step.Do == Replace {
			paths = append(paths, string(step.Staged))
		}
	}
	return s.t.syncAll(ctx, paths)
}

// ErrChanged says that the target has changed since it was analyzed.
var ErrChanged = errors.New("the target changed while gorewind was running: another program is changing it; stop that and run gorewind again")

// checkUnchanged makes sure that the control file is the one that was analyzed,
// and no server runs.
func (t *Target) checkUnchanged(control []byte) error {
	if err := t.CheckNotRunning(); err != nil {
		return err
	}
	if t.found != nil {
		control = *t.found
	}
	now, err := t.rawControl()
	if err != nil {
		return err
	}
	if !bytes.Equal(now, control) {
		return fmt.Errorf("file %q: %w", t.Join(pgdata.ControlFilePath), ErrChanged)
	}
	return nil
}

// WriteFiles puts small files in place one after the other. control is the
// control file that the target has.
func (t *Target) WriteFiles(ctx context.Context, control []byte, files []SmallFile, mode SyncMode) error {
	if err := t.checkUnchanged(control); err != nil {
		return err
	}
	if err := t.cleanUp(); err != nil {
		return err
	}
	if err := t.makeStagingDir(stagingDir); err != nil {
		return err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, t.dropStaging())
		}
		if err := t.replaceFile(f.Path, f.Data, !mode.Off); err != nil {
			return errors.Join(err, t.dropStaging())
		}
	}
	return t.dropStaging()
}

// poison replaces the control file with one that no server accepts. That is the
// commit. done reports whether it happened, even if a later operation failed.
func (t *Target) poison(control []byte, mode SyncMode) (done bool, err error) {
	data, err := controlfile.Parse(control)
	if err != nil {
		return false, err
	}
	unlock, err := t.lockOutServers()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := t.checkUnchanged(control); err != nil {
		return false, err
	}
	if _, serr := t.disk.Lstat(path.Dir(pgdata.ControlFilePath)); errors.Is(serr, fs.ErrNotExist) {
		done, err = t.placeWithDir(pgdata.ControlFilePath, poison.Of(data), !mode.Off)
	} else {
		done, err = t.replace(pgdata.ControlFilePath, poison.Of(data), !mode.Off)
	}
	if done = done || t.Poisoned(); done { // whatever the error says
		t.sourceControl, t.found = nil, nil // from now on there is a control file, and only that one counts
	}
	return done, err
}

// placeWithDir is replace for a file whose directory does not exist either. One
// rename puts both in place, so there is no state in between.
func (t *Target) placeWithDir(p string, data []byte, sync bool) (done bool, err error) {
	dir := path.Dir(p)
	temp := path.Join(stagingDir, dir)
	mode, _ := t.modes()
	if err = t.mkdir(temp); err == nil {
		err = t.writeFile(path.Join(temp, path.Base(p)), data, mode, sync)
	}
	if err == nil && sync {
		err = t.sync(temp)
	}
	if err == nil {
		err = t.disk.Rename(temp, dir)
		done = err == nil
	}
	if done && sync {
		err = t.sync(path.Dir(dir))
	}
	if err != nil {
		return done, t.failed("write", p, err)
	}
	return done, nil
}

// replaceFile replaces a small file atomically.
func (t *Target) replaceFile(p string, data []byte, sync bool) error {
	_, err := t.replace(p, data, sync)
	return err
}

// replace is replaceFile. done reports whether the new file is in place, though
// perhaps not yet durable.
func (t *Target) replace(p string, data []byte, sync bool) (done bool, err error) {
	temp := stagingDir + "/" + path.Base(p) + ".new" // so that a leftover is removed with the staging area
	mode, err := t.modeOf(p)
	if err == nil {
		err = t.writeFile(temp, data, mode, false)
	}
	if err == nil {
		err = t.keepAttributes(p, temp)
	}
	if err == nil && sync {
		err = t.sync(temp)
	}
	if err == nil {
		err = t.disk.Rename(temp, p)
		done = err == nil
	}
	if done && sync {
		err = t.sync(path.Dir(p))
	}
	if err != nil {
		return done, t.failed("write", p, err)
	}
	return done, nil
}
