package filemap

import (
	"errors"
	"fmt"
	"strings"
)

// maxLink is how many bytes the text of a symbolic link can have at most on any system.
const maxLink = 4095

// CheckLink refuses where no symbolic link can lead.
func CheckLink(to string) error {
	switch {
	case to == "":
		return errors.New("a symbolic link leads nowhere")
	case len(to) > maxLink:
		return fmt.Errorf("a symbolic link to %q... has a text of %d bytes, and none can have more than %d", to[:20], len(to), maxLink)
	case strings.IndexByte(to, 0) >= 0:
		return fmt.Errorf("a symbolic link leads to %q, which no path can be", to)
	}
	return nil
}
