package archive

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"
)

// noRestartPoint replaces %r, the oldest file that must be kept. It is
// older than all files, so a command that removes older files removes
// nothing. Servers use the same value until they know a better one. pg_rewind refuses %r.
// The real value is unknown before the WAL has been read.
const noRestartPoint = "000000000000000000000000"

// expand builds the command line for one file, like BuildRestoreCommand
// (common/archive.c).
func (a *Archive) expand(name, dst string) (command, error) {
	if name == "" || strings.ContainsFunc(name, notOfWALNames) {
		return command{}, fmt.Errorf("%q is not the name of a WAL file", name)
	}
	path, err := a.relative(dst)
	if err != nil {
		return command{}, err
	}
	c := command{setting: restoreCommand, option: a.Option, text: a.Command, dir: cmp.Or(a.WorkDir, a.DataDir), env: a.Env, log: orDiscard(a.Logger)}
	return c.expand(a.Version.StrictCommands, map[byte]string{'p': path, 'f': name, 'r': noRestartPoint})
}

// expand replaces each % and the character after it; %% is a percent sign. Other characters
// are an error if strict, as in servers that have common/percentrepl.c, and otherwise literal.
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
			i-- // the next character is literal
		case next == 0:
			return c, c.broken(`it ends unexpectedly after escape character "%"`)
		default:
			return c, c.broken(fmt.Sprintf(`unexpected placeholder "%%%c"`, next))
		}
	}
	c.text = b.String()
	return c, nil
}

// notOfWALNames rejects characters that a shell would interpret.
func notOfWALNames(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '.'
}

// relative is the path for %p: relative to the command's working directory, if it is
// there. For a server's commands that is the data directory, so that blanks in the
// directory's own path do no harm.
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
