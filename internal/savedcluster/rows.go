package savedcluster

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
)

// RowsName is the directory of a fixture with the rows that it loses, in a directory
// for each format.
const RowsName = "lost"

// StripTargetPath makes files with lost rows ones that do not depend on where the target
// lies, and removes those that say the same of every target.
func StripTargetPath(dir, target string) error {
	if err := os.Remove(filepath.Join(dir, "README.txt")); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(name, bytes.ReplaceAll(b, []byte(target), []byte("TARGET")), 0o644)
	})
}
