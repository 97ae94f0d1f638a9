package apply

import (
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/gorewind/gorewind/pgdata"
)

// Slot is the replication slot that a rewind makes on its source. It is noted in the
// staging area before it is made, so that a run that is killed leaves no unknown slot.
// The note outlives the area's other files: it is removed when the slot is dropped, or
// when the target is a standby that uses it.
type Slot struct {
	Name string     `json:"name"`
	From pgdata.LSN `json:"from"` // from where it keeps WAL; 0 while it is not known whether it was made
}

const slotPath = stagingDir + "/slot"

// RememberSlot notes a slot durably.
func (t *Target) RememberSlot(s Slot) error {
	note, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := t.makeStagingDir(stagingDir); err != nil {
		return err
	}
	err = t.replaceFile(slotPath, note, true)
	if err == nil {
		err = t.sync(".")
	}
	if err != nil {
		return t.failed("write", slotPath, err)
	}
	return nil
}

// RememberedSlot returns the slot that an earlier run noted. ok is false if there is
// no readable note.
func (t *Target) RememberedSlot() (s Slot, ok bool) {
	if there, err := t.findStagingDir(stagingDir); err != nil || !there {
		return s, false
	}
	note, err := t.ReadFile(slotPath)
	if err != nil || json.Unmarshal(note, &s) != nil || s.Name == "" {
		return Slot{}, false
	}
	return s, true
}

// ForgetSlot removes the note, and the staging area if nothing else is in it.
func (t *Target) ForgetSlot() error {
	if there, err := t.findStagingDir(stagingDir); err != nil || !there {
		return err
	}
	if err := t.remove(slotPath); err != nil {
		return err
	}
	if err := t.sync(stagingDir); err != nil {
		return t.failed("fsync", stagingDir, err)
	}
	if entries, err := t.disk.ReadDir(stagingDir); err != nil || len(entries) > 0 {
		return nil // the note is removed with the area
	}
	if err := t.disk.Remove(stagingDir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return t.failed("remove", stagingDir, err)
	}
	return nil
}
