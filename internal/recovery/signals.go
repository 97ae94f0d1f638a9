package recovery

import (
	"bytes"
	"fmt"
	"os"
	"runtime"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/pgdata"
)

// The files that make a server do more than crash recovery when it starts
// (access/xlog.h): a single-user server refuses to be a standby, and in point-in-time
// recovery it runs restore_command and begins a timeline.
var (
	signalFiles = []string{"standby.signal", "recovery.signal"} // 12 and later
	confFiles   = []string{"recovery.conf"}                     // up to 11
)

func signalsOf(v *pgdata.Version) []string {
	if v.RecoveryConf {
		return confFiles
	}
	return signalFiles
}

// asideName is the name of a file while it is set aside. The file map, base
// backups, pg_rewind and the server itself ignore such names.
func asideName(name string) string { return ownfiles.Prefix + "." + name }

// saysStandby reports whether a server would start in recovery, now or after
// the files that were set aside are put back.
func saysStandby(d *datadir.Dir, v *pgdata.Version) (bool, error) {
	for _, name := range signalsOf(v) {
		for _, n := range []string{name, asideName(name)} {
			if there, err := exists(d, n); there || err != nil {
				return there, err
			}
		}
	}
	return false, nil
}

// setAside renames the files that would make a single-user server do more than
// crash recovery.
func setAside(d *datadir.Dir, v *pgdata.Version) error {
	moved := false
	for _, name := range signalsOf(v) {
		there, err := exists(d, name)
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		if err := rename(d, name, asideName(name)); err != nil {
			return err
		}
		moved = true
	}
	if !moved {
		return nil
	}
	return syncDir(d)
}

// PutBack undoes what an interrupted [Run] left: it gives the files that were
// set aside their names again, and returns these names. Every run of gorewind calls it
// before anything else, but only if no server runs.
//
// If a file of that name exists by now, somebody wants the cluster to be a
// standby again: it stays, and the other one is removed if its content is the same.
// Otherwise that is an error, because only a person can decide which is right.
func PutBack(d *datadir.Dir) ([]string, error) {
	var back []string
	for _, name := range append(append([]string(nil), signalFiles...), confFiles...) {
		aside := asideName(name)
		there, err := exists(d, aside)
		if err != nil {
			return back, err
		}
		if !there {
			continue
		}
		if there, err = exists(d, name); err != nil {
			return back, err
		}
		if there {
			err = dropCopy(d, name, aside)
		} else {
			err = rename(d, aside, name)
		}
		if err != nil {
			return back, err
		}
		back = append(back, name)
	}
	if back == nil {
		return nil, nil
	}
	return back, syncDir(d)
}

func dropCopy(d *datadir.Dir, name, aside string) error {
	a, err := d.ReadFile(name)
	if err != nil {
		return err
	}
	b, err := d.ReadFile(aside)
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return fmt.Errorf("file %q was set aside by an earlier run, and now there is another %q: compare them and remove %q",
			d.Join(aside), d.Join(name), d.Join(aside))
	}
	root, p, err := d.Resolve(aside)
	if err != nil {
		return err
	}
	if err := root.Remove(p); err != nil {
		return fmt.Errorf("could not remove file %q: %w", d.Join(aside), datadir.Reason(err))
	}
	return nil
}

func rename(d *datadir.Dir, from, to string) error {
	root, p, err := d.Resolve(from)
	if err != nil {
		return err
	}
	if err := root.Rename(p, to); err != nil { // both are in the data directory itself
		return fmt.Errorf("could not rename file %q to %q: %w", d.Join(from), d.Join(to), datadir.Reason(err))
	}
	return nil
}

func syncDir(d *datadir.Dir) error {
	if runtime.GOOS == "windows" { // directories cannot be synced there
		return nil
	}
	f, err := os.Open(d.Name())
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("could not fsync directory %q: %w", d.Name(), datadir.Reason(err))
	}
	return nil
}
