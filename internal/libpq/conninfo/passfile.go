package conninfo

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// Password looks for the password of a host in the password file. The warning
// says why an existing file was not used.
func (s *Settings) Password(h Host) (password, warning string) {
	file := s.Value("passfile")
	if file == "" || s.Value("user") == "" {
		return "", ""
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", ""
	}
	if runtime.GOOS != "windows" {
		switch {
		case !info.Mode().IsRegular():
			return "", fmt.Sprintf(`password file "%s" is not a plain file`, file)
		case info.Mode().Perm()&0o077 != 0:
			return "", fmt.Sprintf(`password file "%s" has group or world access; permissions should be u=rw (0600) or less`, file)
		}
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", ""
	}
	names := []string{h.Name}
	switch {
	case h.Name == "":
		names = []string{h.Addr}
	case slices.Contains(socketDirs, h.Name):
		names = append(names, "localhost") // one of them is libpq's default
	}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, name := range names {
			if password, ok := matchLine(line, name, h.Port, s.Value("dbname"), s.Value("user")); ok {
				return password, ""
			}
		}
	}
	return "", ""
}

// matchLine compares the fields of a line, host:port:dbname:user:password, with
// the wanted values. An asterisk as a field matches everything.
func matchLine(line string, wanted ...string) (password string, ok bool) {
	for _, want := range wanted {
		if rest, any := strings.CutPrefix(line, "*:"); any {
			line = rest
			continue
		}
		field, rest, ok := cutField(line)
		if !ok || field != want {
			return "", false
		}
		line = rest
	}
	password, _, _ = cutField(line)
	return password, true
}

// cutField reads up to a colon. A backslash escapes the next
// character.
func cutField(line string) (field, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == ':':
			return b.String(), line[i+1:], true
		case line[i] == '\\' && i+1 < len(line):
			i++
		}
		b.WriteByte(line[i])
	}
	return b.String(), "", false
}
