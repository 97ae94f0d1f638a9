package apply

import "strings"

// Readable reports whether there is a control file that can be read.
func (t *Target) Readable() bool {
	_, _, err := t.readControl()
	return err == nil && t.sourceControl == nil
}

// IsEmpty reports whether the directory contains nothing except what file systems and
// earlier runs of gorewind put there.
func (t *Target) IsEmpty() (bool, error) {
	for f, err := range t.Files() {
		if err != nil {
			return false, err
		}
		if top, _, _ := strings.Cut(f.Path, "/"); top != "lost+found" && top != stagingDir {
			return false, nil
		}
	}
	return true, nil
}
