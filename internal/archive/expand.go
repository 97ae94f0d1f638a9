package archive

import (
	"fmt"
	"path/filepath"
	"strings"
)

// noRestartPoint is what stands for %r, the oldest file that must be kept. It is
// older than all files, so that a command which cleans up behind it removes
// nothing; servers give the same one until they know better. pg_rewind refuses %r.
// A true one cannot be known before the WAL was read.
const noRestartPoint = "000000000000000000000000"

// expand makes the command line for one file, like BuildRestoreCommand
// (common/archive.c). Up to 15 a % before anything else is nothing special.
func (a *Archive) expand(name, dst string) (string, error) {
	if name == "" || strings.ContainsFunc(name, notOfWALNames) {
		return "", fmt.Errorf("%q is no name of a WAL file", name)
	}
	path, err := a.relative(dst)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i := 0; i < len(a.Command); i++ {
		c := a.Command[i]
		if c != '%' {
			b.WriteByte(c)
			continue
		}
		next := byte(0)
		if i+1 < len(a.Command) {
			next = a.Command[i+1]
		}
		i++
		switch next {
		case 'p':
			b.WriteString(path)
		case 'f':
			b.WriteString(name)
		case 'r':
			b.WriteString(noRestartPoint)
		case '%':
			b.WriteByte('%')
		default:
			if !a.Version.StrictCommands {
				b.WriteByte('%')
				i-- // what follows stands for itself
			} else if next == 0 {
				return "", &CommandError{a.Command, `it ends unexpectedly after escape character "%"`}
			} else {
				return "", &CommandError{a.Command, fmt.Sprintf(`unexpected placeholder "%%%c"`, next)}
			}
		}
	}
	return b.String(), nil
}

// notOfWALNames keeps out what a shell would make something else of.
func notOfWALNames(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '.'
}

// relative is the path for %p: relative to the data directory, if it lies there,
// as that of a server. So blanks in the data directory's own path do no harm.
func (a *Archive) relative(dst string) (string, error) {
	dir, err := filepath.Abs(a.DataDir)
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(dir, dst); err == nil && filepath.IsLocal(rel) {
		return rel, nil
	}
	return dst, nil
}
