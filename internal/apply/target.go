package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/pgdata"
)

// Target is the data directory that is rewound. Until Close, no other gorewind
// works on it.
type Target struct {
	*datadir.Dir
	disk          Disk
	locks         []*os.File
	opened        time.Time
	cleaned       bool              // leftovers of an earlier run were removed
	staged        bool              // there is a staging area for what was restored
	sourceControl *controlfile.Data // the source's, if the target's own cannot be read; otherwise nil
	found         *[]byte           // set if the control file is not readable: its content, or nil if there is no file
	unlocked      error             // why it could not be locked
	log           *slog.Logger
	warned        sync.Map // kinds of warnings that were logged
	work          meter
}

// Open opens the target and locks it against other gorewinds. wrap, if not nil,
// returns the disk that is used instead of the real one.
func Open(name string, wrap func(Disk) Disk) (*Target, error) {
	return open(name, wrap, datadir.Open)
}

// OpenAny is Open for a directory that need not have a readable control file. Without
// one, UseSourceControl must be called before anything is staged.
func OpenAny(name string, wrap func(Disk) Disk) (*Target, error) {
	t, err := open(name, wrap, datadir.OpenAny)
	if err != nil {
		return nil, err
	}
	if _, _, err := t.readControl(); err != nil {
		raw, err := t.rawControl()
		if err != nil {
			_ = t.Close()
			return nil, err
		}
		t.found = &raw
	}
	return t, nil
}

func open(name string, wrap func(Disk) Disk, dir func(string) (*datadir.Dir, error)) (*Target, error) {
	d, err := dir(name)
	if err != nil {
		return nil, accessError(err)
	}
	t := newTarget(d)
	if wrap != nil {
		t.disk = wrap(t.disk)
	}
	var taken bool
	if t.locks, taken, err = t.takeLock(); err == nil && !taken {
		err = fmt.Errorf("%w %q: wait for it to end", ErrLocked, name)
	}
	if err == nil {
		err = t.dropStaleInterlock()
	}
	if err != nil {
		_ = t.Close()
		return nil, err
	}
	return t, nil
}

func newTarget(d *datadir.Dir) *Target {
	return &Target{Dir: d, disk: osDisk{d}, opened: time.Now(), log: slog.New(slog.DiscardHandler)}
}

// LogTo sets the logger for warnings about the system.
func (t *Target) LogTo(log *slog.Logger) {
	t.log = log
	if t.unlocked != nil {
		t.warnOnce("lock", fmt.Sprintf("the target %q cannot be locked: make sure that no other gorewind works on it: %v", t.Name(), t.unlocked), "target", t.Name(), "error", t.unlocked)
	}
}

// Close unlocks the target.
func (t *Target) Close() error {
	var err error
	if t.staged && !t.Poisoned() {
		err = t.dropStaging()
	}
	err = errors.Join(err, t.Dir.Close())
	closeAll(t.locks)
	return err
}

// ControlFile reads the control file as it is, poisoned or not.
func (t *Target) ControlFile() ([]byte, error) {
	raw, _, err := t.readControl()
	return raw, err
}

// UseSourceControl takes the source's control file for that of the target, which has none that
// can be read.
func (t *Target) UseSourceControl(control *controlfile.Data) { t.sourceControl = control }

// rawControl reads the control file, readable or not, if it exists.
func (t *Target) rawControl() ([]byte, error) {
	raw, err := t.ReadFile(pgdata.ControlFilePath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}

func (t *Target) readControl() ([]byte, *controlfile.Data, error) {
	raw, err := t.ReadFile(pgdata.ControlFilePath)
	if err != nil && t.sourceControl == nil {
		return nil, nil, err
	}
	data, err := controlfile.Parse(raw)
	if err != nil && t.sourceControl != nil {
		return raw, t.sourceControl, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("control file %q: %w", t.Join(pgdata.ControlFilePath), err)
	}
	return raw, data, nil
}

// Poisoned reports whether the control file is the one that no server accepts.
func (t *Target) Poisoned() bool {
	_, data, err := t.readControl()
	return err == nil && poison.Is(data)
}

var errUnfinished = errors.New("an earlier rewind of the target was committed and did not end: finish that first")

// CleanUp removes what an earlier run staged and did not commit, or left after it
// was completed.
func (t *Target) CleanUp() error { return t.cleanUp() }

// cleanUp removes what an earlier run staged and did not commit.
func (t *Target) cleanUp() error {
	if t.cleaned {
		return nil
	}
	if err := t.dropStaging(); err != nil {
		return err
	}
	t.cleaned = true
	return nil
}

// modes returns the modes of new files and directories: initdb's, or those of
// initdb --allow-group-access if the data directory has them.
func (t *Target) modes() (file, dir fs.FileMode) {
	if t.GroupAccess() {
		return 0o640, 0o750
	}
	return 0o600, 0o700
}

// modeOf returns the mode for a file that replaces p: that of p, if it exists.
func (t *Target) modeOf(p string) (fs.FileMode, error) {
	info, err := t.disk.Lstat(p)
	if errors.Is(err, fs.ErrNotExist) {
		mode, _ := t.modes()
		return mode, nil
	} else if err != nil {
		return 0, err
	}
	return info.Mode().Perm(), nil
}

// mkdir makes a directory as initdb would, unless an earlier run already made it.
func (t *Target) mkdir(p string) error {
	_, mode := t.modes()
	return t.mkdirExact(p, mode)
}

func (t *Target) mkdirExact(p string, mode fs.FileMode) error {
	err := t.disk.Mkdir(p, mode)
	if err == nil {
		err = t.chmod(p, mode) // restores what the umask took away
	} else if info, serr := t.disk.Lstat(p); serr == nil && info.IsDir() {
		err = nil
	}
	if err != nil {
		return t.failed("create directory", p, err)
	}
	return nil
}

// remove removes a file, link or empty directory that may be gone already.
func (t *Target) remove(p string) error {
	if err := t.disk.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return t.failed("remove", p, err)
	}
	return nil
}

// writeFile writes a small file that nobody reads yet.
func (t *Target) writeFile(p string, data []byte, mode fs.FileMode, sync bool) error {
	f, err := t.disk.Open(p, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = t.chmod(p, mode)
	}
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// failed returns an error that says what could not be done with which file.
func (t *Target) failed(what, p string, err error) error {
	return accessError(fmt.Errorf("could not %s %q: %w", what, t.Join(p), datadir.Reason(err)))
}
