package pgconf

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// File is a file that is to be written.
type File struct {
	Path string // within the data directory
	Data []byte
}

// Standby gives the files that make a server follow another one: standby.signal
// and postgresql.auto.conf, or recovery.conf up to 11. The connection string is
// that of the other server, as for libpq.
//
// The files are read as they are before and after the rewind, which replaces them
// by the source's: postgresql.auto.conf is changed as the source has it. What this
// server alone can know, such as its restore_command up to 11, comes from its own
// recovery.conf, or the recovery.done that its promotion made of that.
func Standby(v *pgdata.Version, before, after ReadFile, conninfo string) ([]File, error) {
	if v.RecoveryConf {
		data, err := recoveryConf(before, conninfo)
		return []File{{RecoveryFile, data}}, err
	}
	old, err := readOptional(after, AutoFile)
	if err != nil {
		return nil, err
	}
	auto, err := Set(old, AutoFile, "primary_conninfo", conninfo)
	return []File{{AutoFile, auto}, {StandbySignal, nil}}, err
}

// Set gives a configuration file with one setting changed: what it has of that
// goes, and one line comes to its end, where nothing that the file includes can
// override it. All other lines stay as they are.
func Set(data []byte, file, name, value string) ([]byte, error) {
	quoted, err := Quote(value)
	if err != nil {
		return nil, fmt.Errorf("could not write %s to file %q: %w", name, file, err)
	}
	var b strings.Builder
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		has, _, err := parseLine(line)
		if err != nil {
			return nil, &SyntaxError{File: file, Line: n, What: err.Error()}
		}
		if lower(has) == lower(name) {
			continue
		}
		b.WriteString(line)
		if !strings.HasSuffix(line, "\n") {
			b.WriteByte('\n')
		}
	}
	fmt.Fprintf(&b, "%s = %s\n", name, quoted)
	return []byte(b.String()), nil
}

func recoveryConf(before ReadFile, conninfo string) ([]byte, error) {
	old, err := oldRecovery(before)
	if err != nil {
		return nil, err
	}
	lines := [][2]string{{"standby_mode", "on"}, {"primary_conninfo", conninfo}, {"recovery_target_timeline", "latest"}}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if recoveryParameters[name] {
			lines = append(lines, [2]string{name, old[name].value})
		}
	}
	var b strings.Builder
	for _, l := range lines {
		quoted, err := Quote(l[1])
		if err != nil {
			return nil, fmt.Errorf("could not write %s to file %q: %w", l[0], RecoveryFile, err)
		}
		fmt.Fprintf(&b, "%s = %s\n", l[0], quoted)
	}
	return []byte(b.String()), nil
}

// oldRecovery gives what the server had in its recovery.conf.
func oldRecovery(before ReadFile) (map[string]setting, error) {
	for _, file := range []string{RecoveryFile, RecoveryDoneFile} {
		data, err := before(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list, err := settings(file, data)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			if strings.HasPrefix(lower(s.name), "include") {
				return nil, fmt.Errorf("file %q line %d includes another file, which is not followed here: put what that holds in its place", file, s.line)
			}
		}
		return recoverySettings(list)
	}
	return map[string]setting{}, nil
}

func readOptional(read ReadFile, file string) ([]byte, error) {
	data, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}
