package decide

import (
	"errors"
	"fmt"
	"strings"
)

// maxLink is the most bytes that the text of a symbolic link can have on any system.
const maxLink = 4095

// CheckLink refuses an impossible destination of a symbolic link.
func CheckLink(to string) error {
	switch {
	case to == "":
		return errors.New("a symbolic link has no destination")
	case len(to) > maxLink:
		return fmt.Errorf("a symbolic link to %q... has a text of %d bytes, and the maximum is %d", to[:20], len(to), maxLink)
	case strings.IndexByte(to, 0) >= 0:
		return fmt.Errorf("a symbolic link leads to %q, which is not a valid path", to)
	}
	return nil
}
