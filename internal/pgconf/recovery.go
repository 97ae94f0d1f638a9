package pgconf

import (
	"fmt"
	"strings"
)

// targetSettings are the settings that end recovery (access/transam/xlogrecovery.c). A
// server accepts at most one of them.
var targetSettings = []string{
	"recovery_target", "recovery_target_lsn", "recovery_target_name", "recovery_target_time", "recovery_target_xid",
}

// RecoveryChoice is the part of a configuration that determines recovery:
// where it gets WAL and histories, which timeline it follows, and where it ends.
// It only applies if a file asks for archive recovery or a standby
// (recovery.signal or standby.signal; recovery.conf up to 11).
type RecoveryChoice struct {
	// Targets has those of recovery_target, recovery_target_lsn, _name, _time and
	// _xid that are not empty. From 12 on a server with more than one does not start.
	Targets map[string]string
	// Action is recovery_target_action: what happens at the target. The default,
	// an empty string here, is to pause, or to promote if hot_standby is off.
	Action string
	// Timeline is recovery_target_timeline as written. The default, an empty
	// string here, is "latest"; up to 11 it is the timeline of the control file.
	Timeline string

	PrimaryConnInfo, PrimarySlotName, RestoreCommand string
	// TriggerFile is promote_trigger_file (12 to 15), or trigger_file up to 11: a
	// standby promotes itself when that file exists. It can be relative to the data
	// directory.
	TriggerFile string
}

// RecoveryChoice returns what determines recovery. Up to 11 it is empty without
// a recovery.conf. The error is a *SeveralTargetsError; the result is valid even then.
func (c *Config) RecoveryChoice() (RecoveryChoice, error) {
	choice := RecoveryChoice{
		Targets:         map[string]string{},
		Action:          c.value("recovery_target_action"),
		Timeline:        c.value("recovery_target_timeline"),
		PrimaryConnInfo: c.value("primary_conninfo"),
		PrimarySlotName: c.value("primary_slot_name"),
		RestoreCommand:  c.value("restore_command"),
		TriggerFile:     c.value(c.triggerSetting()),
	}
	var set []string
	for _, name := range targetSettings {
		if value := c.value(name); value != "" {
			choice.Targets[name] = value
			set = append(set, name)
		}
	}
	if len(set) > 1 && !c.version.RecoveryConf {
		return choice, &SeveralTargetsError{set}
	}
	return choice, nil
}

func (c *Config) triggerSetting() string {
	if c.version.RecoveryConf {
		return "trigger_file"
	}
	return "promote_trigger_file"
}

// SeveralTargetsError says that a server does not start because it has more than one
// recovery target.
type SeveralTargetsError struct{ Settings []string }

func (e *SeveralTargetsError) Error() string {
	return fmt.Sprintf("multiple recovery targets specified: set at most one of %s", strings.Join(e.Settings, ", "))
}

// ArchiveCommand is archive_command as written, or empty.
func (c *Config) ArchiveCommand() string { return c.value("archive_command") }

// ArchiveLibrary is archive_library (15), or empty.
func (c *Config) ArchiveLibrary() string { return c.value("archive_library") }

// The values of archive_mode (access/transam/xlog.c).
const (
	ArchiveOff    = "off"
	ArchiveOn     = "on"     // WAL that the server itself writes is archived
	ArchiveAlways = "always" // WAL that it receives as a standby is archived, too
)

// ArchiveMode is archive_mode. An invalid value is returned as written.
func (c *Config) ArchiveMode() string {
	value, set := c.Lookup("archive_mode")
	if !set {
		return ArchiveOff
	}
	switch lower(value) {
	case "always":
		return ArchiveAlways
	case "on", "true", "yes", "1":
		return ArchiveOn
	case "off", "false", "no", "0":
		return ArchiveOff
	}
	return value
}

// Bool reads a Boolean setting as parse_bool (utils/adt/bool.c) does: words may be
// abbreviated. def is the server's default.
func (c *Config) Bool(name string, def bool) (bool, error) {
	s, set := c.values[lower(name)]
	if !set {
		return def, nil
	}
	value := lower(s.value)
	for _, w := range []struct {
		word  string
		least int // the shortest valid abbreviation
		on    bool
	}{
		{"true", 1, true},
		{"false", 1, false},
		{"yes", 1, true},
		{"no", 1, false},
		{"on", 2, true},
		{"off", 2, false},
		{"1", 1, true},
		{"0", 1, false},
	} {
		if len(value) >= w.least && strings.HasPrefix(w.word, value) {
			return w.on, nil
		}
	}
	return def, fmt.Errorf("parameter %q requires a Boolean value, in file %q line %d", s.name, s.file, s.line)
}
