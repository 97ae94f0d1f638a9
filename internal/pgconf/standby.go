package pgconf

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// File is a file to write.
type File struct {
	Path string // within the data directory
	Data []byte
}

// StandbyOptions are further settings for the files of a standby.
type StandbyOptions struct {
	// Effective is the configuration that the server will have, from all its files as
	// the rewind leaves them. Without it, only postgresql.auto.conf is considered.
	Effective *Config
	// Slot is the new primary_slot_name; an empty string means none. nil leaves it
	// unchanged; up to 11 it means none, too.
	Slot *string
	// Timeline is the new recovery_target_timeline; "latest" if empty.
	Timeline string
}

// ResetSetting is a setting that would have prevented the new server from being a
// standby of its primary.
type ResetSetting struct {
	Name, Old string
	New       string // empty if it is reset or left out
	File      string // the file that had it
	Line      int
}

func (n ResetSetting) String() string {
	if n.New == "" {
		return fmt.Sprintf("%s = '%s' of file %q line %d is reset", n.Name, n.Old, n.File, n.Line)
	}
	return fmt.Sprintf("%s = '%s' of file %q line %d is set to '%s'", n.Name, n.Old, n.File, n.Line, n.New)
}

// Standby returns the files that make a server follow another one: standby.signal
// and postgresql.auto.conf, or recovery.conf up to 11. conninfo is the libpq connection
// string of the other server.
//
// The files are read as they are before and after the rewind, which replaces them
// with the source's: postgresql.auto.conf is changed as the source has it. What only this
// server knows, such as its restore_command up to 11, comes from its own
// recovery.conf, or from the recovery.done to which its promotion renamed it.
//
// Settings from the source's configuration that would end the recovery, or lead it
// elsewhere, are resets: recovery targets, a timeline that the options do not
// name, a trigger file that already exists. recovery_target_action has no
// effect without a target and is kept.
func Standby(v *pgdata.Version, before, after ReadFile, conninfo string, o StandbyOptions) ([]File, []ResetSetting, error) {
	o.Timeline = cmp.Or(o.Timeline, "latest")
	if v.RecoveryConf {
		data, resets, err := recoveryConf(before, conninfo, o)
		if err != nil {
			return nil, nil, err
		}
		return []File{{RecoveryFile, data}}, resets, nil
	}
	auto, err := readOptional(after, AutoFile)
	if err != nil {
		return nil, nil, err
	}
	conf := o.Effective
	if conf == nil {
		if conf, err = loadAuto(v, auto); err != nil {
			return nil, nil, err
		}
	}
	lines := [][2]string{{"primary_conninfo", conninfo}}
	var resets []ResetSetting
	for _, w := range wanted(conf, o) {
		lines = append(lines, w)
		if s, set := conf.values[w[0]]; set {
			resets = append(resets, ResetSetting{w[0], s.value, w[1], s.file, s.line})
		}
	}
	for _, l := range lines {
		if auto, err = Set(auto, AutoFile, l[0], l[1]); err != nil {
			return nil, nil, err
		}
	}
	return []File{{AutoFile, auto}, {StandbySignal, nil}}, resets, nil
}

// loadAuto treats postgresql.auto.conf as the whole configuration.
func loadAuto(v *pgdata.Version, auto []byte) (*Config, error) {
	list, err := settings(AutoFile, auto)
	if err != nil {
		return nil, err
	}
	c := &Config{version: v, values: map[string]setting{}}
	for _, s := range list {
		c.values[lower(s.name)] = s
	}
	return c, nil
}

// wanted lists the settings that a standby needs to have changed.
func wanted(conf *Config, o StandbyOptions) [][2]string {
	var lines [][2]string
	for _, name := range targetSettings {
		if conf.value(name) != "" {
			lines = append(lines, [2]string{name, ""})
		}
	}
	if value, set := conf.Lookup("recovery_target_timeline"); (set || o.Timeline != "latest") && value != o.Timeline {
		lines = append(lines, [2]string{"recovery_target_timeline", o.Timeline})
	}
	if o.Slot != nil && *o.Slot != conf.value("primary_slot_name") {
		lines = append(lines, [2]string{"primary_slot_name", *o.Slot})
	}
	if trigger := conf.triggerSetting(); o.exists(conf.value(trigger)) {
		lines = append(lines, [2]string{trigger, ""})
	}
	return lines
}

// exists reports whether a trigger file exists: the server resolves its path from its data
// directory.
func (o StandbyOptions) exists(file string) bool {
	switch {
	case file == "":
		return false
	case o.Effective != nil && !filepath.IsAbs(file):
		return o.Effective.disk.stat(filepath.Join(o.Effective.DataDir, file)) == nil
	case filepath.IsAbs(file):
		_, err := os.Stat(file)
		return err == nil
	}
	return false
}

// Set returns a configuration file with one setting changed: its existing lines are
// removed, and one line is added at the end, where no included file can
// override it. All other lines are unchanged.
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

func recoveryConf(before ReadFile, conninfo string, o StandbyOptions) ([]byte, []ResetSetting, error) {
	old, err := oldRecovery(before)
	if err != nil {
		return nil, nil, err
	}
	lines := [][2]string{{"standby_mode", "on"}, {"primary_conninfo", conninfo}, {"recovery_target_timeline", o.Timeline}}
	slot := ""
	if o.Slot != nil && *o.Slot != "" {
		slot = *o.Slot
		lines = append(lines, [2]string{"primary_slot_name", slot})
	}
	replaced := map[string]string{"recovery_target_timeline": o.Timeline, "primary_slot_name": slot}
	for _, name := range targetSettings {
		replaced[name] = ""
	}
	var resets []ResetSetting
	for _, name := range slices.Sorted(maps.Keys(old)) {
		s := old[name]
		value, isReplaced := replaced[name]
		switch {
		case name == "trigger_file" && o.exists(s.value), isReplaced && s.file == RecoveryFile && s.value != value:
			resets = append(resets, ResetSetting{name, s.value, value, s.file, s.line})
		case recoveryParameters[name]:
			lines = append(lines, [2]string{name, s.value})
		}
	}
	var b strings.Builder
	for _, l := range lines {
		quoted, err := Quote(l[1])
		if err != nil {
			return nil, nil, fmt.Errorf("could not write %s to file %q: %w", l[0], RecoveryFile, err)
		}
		fmt.Fprintf(&b, "%s = %s\n", l[0], quoted)
	}
	return []byte(b.String()), resets, nil
}

// oldRecovery returns the settings of the server's recovery.conf.
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
				return nil, fmt.Errorf("file %q line %d includes another file, which is not supported here: replace the line with the content of that file", file, s.line)
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
