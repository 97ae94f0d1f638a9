package archive

import (
	"cmp"
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
// (common/archive.c).
func (a *Archive) expand(name, dst string) (command, error) {
	if name == "" || strings.ContainsFunc(name, notOfWALNames) {
		return command{}, fmt.Errorf("%q is no name of a WAL file", name)
	}
	path, err := a.relative(dst)
	if err != nil {
		return command{}, err
	}
	c := command{setting: restoreCommand, text: a.Command, dir: cmp.Or(a.WorkDir, a.DataDir), env: a.Env, log: orDiscard(a.Logger)}
	return c.expand(a.Version.StrictCommands, map[byte]string{'p': path, 'f': name, 'r': noRestartPoint})
}

// expand puts values in for what stands after each %; %% is one. Anything else is
// an error to strict servers (common/percentrepl.c), and before nothing special.
func (c command) expand(strict bool, values map[byte]string) (command, error) {
	var b strings.Builder
	for i := 0; i < len(c.text); i++ {
		if c.text[i] != '%' {
			b.WriteByte(c.text[i])
			continue
		}
		next := byte(0)
		if i+1 < len(c.text) {
			next = c.text[i+1]
		}
		i++
		value, known := values[next]
		switch {
		case known:
			b.WriteString(value)
		case next == '%':
			b.WriteByte('%')
		case !strict:
			b.WriteByte('%')
			i-- // what follows stands for itself
		case next == 0:
			return c, c.broken(`it ends unexpectedly after escape character "%"`)
		default:
			return c, c.broken(fmt.Sprintf(`unexpected placeholder "%%%c"`, next))
		}
	}
	c.text = b.String()
	return c, nil
}

// notOfWALNames keeps out what a shell would make something else of.
func notOfWALNames(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '.'
}

// relative is the path for %p: relative to the command's working directory, if it lies
// there. In the data directory, which that is for commands of a server, blanks in the
// directory's own path do no harm then.
func (a *Archive) relative(dst string) (string, error) {
	dir, err := filepath.Abs(cmp.Or(a.WorkDir, a.DataDir))
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(dir, dst); err == nil && filepath.IsLocal(rel) {
		return rel, nil
	}
	return dst, nil
}
