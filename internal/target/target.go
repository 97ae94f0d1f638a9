package target

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
)

// Where the original control file lies while the target is being changed.
const (
	stagingDir   = filemap.OwnPrefix
	savedControl = stagingDir + "/pg_control"
)

// ErrChanged says that the target is not as it was analyzed.
var ErrChanged = errors.New("the target changed while gorewind was running: another program works on it; stop that and run gorewind again")

// Target is the data directory that is rewound.
type Target struct {
	*datadir.Dir
}

// Open opens the target and changes nothing.
func Open(name string) (*Target, error) {
	d, err := datadir.Open(name)
	if err != nil {
		return nil, err
	}
	return &Target{Dir: d}, nil
}

// ControlFile reads the control file as it was before any change: where an
// earlier run was interrupted, the one it put aside.
func (t *Target) ControlFile() (raw []byte, resumed bool, err error) {
	raw, err = t.ReadFile(pgdata.ControlFilePath)
	if err != nil {
		return nil, false, err
	}
	data, err := controlfile.Parse(raw)
	if err != nil {
		return nil, false, fmt.Errorf("file %q: %w", t.Join(pgdata.ControlFilePath), err)
	}
	if !data.IsPoisoned() {
		return raw, false, nil
	}
	raw, err = t.ReadFile(savedControl)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("file %q was made unusable by a rewind that did not end, and %q is gone: take a base backup",
			t.Join(pgdata.ControlFilePath), t.Join(savedControl))
	}
	return raw, true, err
}

// modes are those of new files and directories: initdb's, or those of initdb
// --allow-group-access where the data directory has them.
func (t *Target) modes() (file, dir fs.FileMode) {
	if t.GroupAccess() {
		return 0o640, 0o750
	}
	return 0o600, 0o700
}

// mkdir makes a directory, or finds it made by an earlier run.
func (t *Target) mkdir(p string) error {
	root, rest, err := t.Resolve(p)
	if err != nil {
		return err
	}
	_, mode := t.modes()
	if err = root.Mkdir(rest, mode); err == nil {
		err = root.Chmod(rest, mode) // gives back what the umask took away
	} else if info, serr := root.Lstat(rest); serr == nil && info.IsDir() {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("could not create directory %q: %w", t.Join(p), datadir.Reason(err))
	}
	return nil
}

// remove removes a file, link or empty directory that may be gone already.
func (t *Target) remove(p string) error {
	root, rest, err := t.Resolve(p)
	if err != nil {
		return err
	}
	if err = root.Remove(rest); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("could not remove %q: %w", t.Join(p), datadir.Reason(err))
	}
	t.Forget(p)
	return nil
}

// replaceFile puts a small file in place so that at every moment either the old
// or the new one is there, and is there to stay.
func (t *Target) replaceFile(p string, data []byte, sync bool) error {
	root, rest, err := t.Resolve(p)
	if err != nil {
		return err
	}
	mode, _ := t.modes()
	if info, err := root.Lstat(rest); err == nil {
		mode = info.Mode().Perm()
	}
	temp := path.Join(path.Dir(rest), filemap.OwnPrefix+"."+path.Base(rest))
	if err = root.WriteFile(temp, data, mode); err == nil {
		err = root.Chmod(temp, mode)
	}
	if err == nil && sync {
		err = syncPath(root, temp)
	}
	if err == nil {
		err = root.Rename(temp, rest)
	}
	if err != nil {
		_ = root.Remove(temp)
	}
	if err == nil && sync {
		err = syncPath(root, path.Dir(rest))
	}
	if err != nil {
		return fmt.Errorf("could not write file %q: %w", t.Join(p), datadir.Reason(err))
	}
	return nil
}
