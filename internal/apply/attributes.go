package apply

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/gorewind/gorewind/internal/datadir"
)

// Loss is an attribute of a replaced file that the new file could not get.
type Loss struct {
	What string
	Err  error
}

// keepAttributes copies owner, group and extended attributes from a file to the one
// that will replace it, and warns about those that it could not copy. If there is no
// such file, or it is not a regular file, it does nothing.
func (t *Target) keepAttributes(replaced, by string) error {
	info, err := t.disk.Lstat(replaced)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil
	} else if err != nil {
		return err
	}
	lost, err := t.disk.CopyAttributes(replaced, by)
	if errors.Is(err, fs.ErrPermission) { // replacing a file needs fewer permissions than reading it
		lost, err = append(lost, Loss{"owner, group and extended attributes", err}), nil
	}
	for _, l := range lost {
		t.warnOnce("attribute "+l.What, fmt.Sprintf("file %q is replaced and loses its %s; other files may lose theirs, too: %v", t.Join(replaced), l.What, datadir.Reason(l.Err)),
			"path", t.Join(replaced), "attribute", l.What, "error", datadir.Reason(l.Err))
	}
	return err
}

// warnOnce logs a warning, only once of each kind.
func (t *Target) warnOnce(kind, text string, args ...any) {
	if _, said := t.warned.LoadOrStore(kind, true); !said {
		t.log.Warn(text, args...)
	}
}
