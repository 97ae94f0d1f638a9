package pgconf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gorewind/gorewind/internal/datadir"
)

const (
	maxDepth = 10       // of nested inclusion (CONF_FILE_MAX_DEPTH, utils/conffiles.h)
	maxSize  = 16 << 20 // bytes of one file; a larger one is not a configuration file
)

// SyntaxError says that a line is invalid: the server does not start with it.
// The content of the line is left out, as it can be a password.
type SyntaxError struct {
	File string
	Line int // from 1
	What string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s in file %q line %d: correct that line", e.What, e.File, e.Line)
}

// setting is one line of a file.
type setting struct {
	name, value string
	file        string
	line        int
}

// settings reads the lines of one file, without following what it includes.
func settings(file string, data []byte) ([]setting, error) {
	var all []setting
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		name, value, err := parseLine(line)
		if err != nil {
			return nil, &SyntaxError{File: file, Line: n, What: err.Error()}
		}
		if name != "" {
			all = append(all, setting{name, value, file, n})
		}
	}
	return all, nil
}

// files collects the settings of a file and of the files that it includes, in the order in
// which the server reads them.
type files struct {
	disk     *disk
	settings []setting
}

// read reads a file that from, a line of another file, includes. An optional file
// may be missing. Like the server, it also skips an optional file that it may not
// open.
func (f *files) read(location string, optional bool, from setting, depth int) error {
	file, err := locate(location, from)
	switch {
	case err != nil:
		return err
	case depth > maxDepth:
		return from.errorf("could not open configuration file %q: maximum nesting depth exceeded", file)
	case file == from.file:
		return from.errorf("configuration file recursion in %q", file)
	}
	data, opened, err := f.disk.readFile(file)
	switch {
	case err == nil:
	case !opened && optional:
		return nil
	case !opened:
		return from.errorf("could not open configuration file %q: %w", file, datadir.Reason(err))
	default:
		return from.errorf("could not read configuration file %q: %w", file, datadir.Reason(err))
	}
	if len(data) > maxSize {
		return from.errorf("configuration file %q has more than %d bytes", file, maxSize)
	}
	lines, err := settings(file, data)
	if err != nil {
		return err
	}
	for _, s := range lines {
		switch lower(s.name) {
		case "include":
			err = f.read(s.value, false, s, depth+1)
		case "include_if_exists":
			err = f.read(s.value, true, s, depth+1)
		case "include_dir":
			err = f.readDir(s, depth+1)
		default:
			f.settings = append(f.settings, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readDir reads the files of a directory whose names end with ".conf" and do not
// start with a dot, sorted by name.
func (f *files) readDir(from setting, depth int) error {
	dir, err := locate(from.value, from)
	if err != nil {
		return err
	}
	names, err := f.disk.names(dir)
	if err != nil {
		return from.errorf("could not open configuration directory %q: %w", dir, datadir.Reason(err))
	}
	for _, name := range names {
		if strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".conf") {
			continue
		}
		file := filepath.Join(dir, name)
		isDir, err := f.disk.isDir(file)
		if err != nil {
			return from.errorf("could not stat file %q: %w", file, datadir.Reason(err))
		}
		if isDir {
			continue
		}
		if err := f.read(file, false, from, depth); err != nil {
			return err
		}
	}
	return nil
}

// locate finds what a line includes. Without an including line, the location is absolute.
func locate(location string, from setting) (string, error) {
	if strings.Trim(location, " \t\r\n") == "" {
		return "", from.errorf("empty configuration file name: %q", location)
	}
	if filepath.IsAbs(location) || os.IsPathSeparator(location[0]) {
		return location, nil
	}
	return filepath.Join(filepath.Dir(from.file), location), nil
}

// errorf adds the position of the include, if there is one.
func (s setting) errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if s.file == "" {
		return err
	}
	return fmt.Errorf("%w, included by file %q line %d", err, s.file, s.line)
}
