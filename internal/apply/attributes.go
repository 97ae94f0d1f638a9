package apply

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/gorewind/gorewind/internal/datadir"
)

// Loss is something of a file that is replaced which the new one does not get.
type Loss struct {
	What string
	Err  error
}

// keepAttributes gives a file that will replace another one what the system knows of
// that beside its content, and says what it could not keep. One that is not there, or
// that is no file, has nothing to keep.
func (t *Target) keepAttributes(replaced, by string) error {
	info, err := t.disk.Lstat(replaced)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil
	} else if err != nil {
		return err
	}
	lost, err := t.disk.CopyAttributes(replaced, by)
	if errors.Is(err, fs.ErrPermission) { // to read a file is more than to replace it needs
		lost, err = append(lost, Loss{"owner, group and extended attributes", err}), nil
	}
	for _, l := range lost {
		t.warnOnce("attribute "+l.What, fmt.Sprintf("file %q is replaced and loses its %s, as others may: %v", t.Join(replaced), l.What, datadir.Reason(l.Err)),
			"path", t.Join(replaced), "attribute", l.What, "error", datadir.Reason(l.Err))
	}
	return err
}

// warnOnce says something of a kind when it happens first.
func (t *Target) warnOnce(kind, text string, args ...any) {
	if _, said := t.warned.LoadOrStore(kind, true); !said {
		t.log.Warn(text, args...)
	}
}
