package pgconf

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
)

// Names of configuration files in the data directory.
const (
	MainFile         = "postgresql.conf"
	AutoFile         = "postgresql.auto.conf" // written by ALTER SYSTEM (PG_AUTOCONF_FILENAME)
	StandbySignal    = "standby.signal"       // makes a standby, from 12 on
	RecoveryFile     = "recovery.conf"        // makes a standby, up to 11
	RecoveryDoneFile = "recovery.done"        // what a promotion renames RecoveryFile to
	optsFile         = "postmaster.opts"      // how the server was last started
)

// ReadFile returns the content of a file of the data directory. If the file does not
// exist, the error is fs.ErrNotExist.
type ReadFile func(path string) ([]byte, error)

// Options say whose configuration to load.
type Options struct {
	DataDir    string          // the server's -D
	ConfigFile string          // its config_file, if that is not postgresql.conf in DataDir
	Version    *pgdata.Version // the cluster's major

	// ReadFile, if not nil, supplies the files within DataDir, by their paths there, as
	// they will be and not as the disk has them. Then Names returns the names of the
	// files of a directory within DataDir, for include_dir; if Names is nil, they are
	// read from the disk.
	ReadFile ReadFile
	Names    func(dir string) ([]string, error)
}

// Config is a server's configuration.
type Config struct {
	// DataDir is the server's data directory: DataDir of the options, unless the
	// configuration sets data_directory.
	DataDir string
	version *pgdata.Version
	disk    *disk
	values  map[string]setting // by lower-case name
}

// Load reads what a server that is started with these options reads. The
// server's own command line is unknown. The error is a *SyntaxError if a
// file is invalid.
func Load(o Options) (*Config, error) {
	dataDir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, err
	}
	file := o.ConfigFile
	if file == "" {
		file = filepath.Join(dataDir, MainFile)
	}
	if file, err = filepath.Abs(file); err != nil {
		return nil, err
	}
	c := &Config{DataDir: dataDir, version: o.Version, disk: newDisk(dataDir, o), values: map[string]setting{}}
	if err := c.add(file, false); err != nil {
		if o.ConfigFile == "" && errors.Is(c.disk.stat(file), fs.ErrNotExist) {
			err = fmt.Errorf("%w: if it is elsewhere, specify it with Options.ConfigFile", err)
		}
		return nil, err
	}
	if dir, set := c.Lookup("data_directory"); set {
		if c.DataDir, err = filepath.Abs(dir); err != nil {
			return nil, err
		}
	}
	if err := c.add(filepath.Join(c.DataDir, AutoFile), true); err != nil {
		return nil, err
	}
	if o.Version.RecoveryConf {
		recovery, err := c.readRecovery(RecoveryFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		maps.Copy(c.values, recovery)
	}
	return c, nil
}

func (c *Config) add(file string, optional bool) error {
	f := files{disk: c.disk}
	if err := f.read(file, optional, setting{}, 0); err != nil {
		return err
	}
	for _, s := range f.settings {
		c.values[lower(s.name)] = s
	}
	return nil
}

// Lookup returns a setting as written, without quotes; set is false if no
// file sets it, and the server's default applies. Names are not case-sensitive.
func (c *Config) Lookup(name string) (value string, set bool) {
	s, set := c.values[lower(name)]
	return s.value, set
}

// value is a setting as written, or empty.
func (c *Config) value(name string) string { return c.values[name].value }

// RestoreCommand returns the command that gets WAL from the archive, or an empty string.
//
// Up to 11 a server that is not a standby cannot have one. If it was promoted
// from a standby, recovery.done has the command that it used. That one is returned,
// because its archive has the WAL from before the promotion, and usually also later
// WAL.
func (c *Config) RestoreCommand() (string, error) {
	if !c.version.RecoveryConf {
		return c.value("restore_command"), nil
	}
	if err := c.disk.stat(filepath.Join(c.DataDir, RecoveryFile)); !errors.Is(err, fs.ErrNotExist) {
		return c.value("restore_command"), nil
	}
	done, err := c.readRecovery(RecoveryDoneFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return done["restore_command"].value, nil
}

// readRecovery reads a recovery.conf. Its names are case-sensitive.
func (c *Config) readRecovery(name string) (map[string]setting, error) {
	file := filepath.Join(c.DataDir, name)
	if err := c.disk.stat(file); err != nil { // a missing include is a different error
		return nil, fmt.Errorf("could not open recovery command file %q: %w", file, datadir.Reason(err))
	}
	f := files{disk: c.disk}
	if err := f.read(file, false, setting{}, 0); err != nil {
		return nil, err
	}
	return recoverySettings(f.settings)
}

// recoveryParameters are the valid settings of a recovery.conf (readRecoveryCommandFile,
// access/transam/xlog.c), and whether each is copied when the server is made
// a standby again.
//
// The archive and the commands for it belong to this server, and so do the
// file that promotes it and its intended delay. A slot
// belongs to the server that it followed: if the new one lacks the slot it would send
// nothing, while without the setting everything works, as after pg_rewind --write-recovery-conf.
// A recovery target would end the recovery.
var recoveryParameters = map[string]bool{
	"restore_command":           true,
	"recovery_end_command":      true,
	"archive_cleanup_command":   true,
	"trigger_file":              true,
	"recovery_min_apply_delay":  true,
	"standby_mode":              false,
	"primary_conninfo":          false,
	"primary_slot_name":         false,
	"recovery_target":           false,
	"recovery_target_action":    false,
	"recovery_target_inclusive": false,
	"recovery_target_lsn":       false,
	"recovery_target_name":      false,
	"recovery_target_time":      false,
	"recovery_target_timeline":  false,
	"recovery_target_xid":       false,
}

func recoverySettings(list []setting) (map[string]setting, error) {
	values := map[string]setting{}
	for _, s := range list {
		if _, known := recoveryParameters[s.name]; !known {
			return nil, &SyntaxError{File: s.file, Line: s.line, What: fmt.Sprintf("unrecognized recovery parameter %q", s.name)}
		}
		values[s.name] = s
	}
	return values, nil
}

// FileOf is the file whose value of a setting counts; empty if no file sets it.
func (c *Config) FileOf(name string) string {
	file := c.values[lower(name)].file
	if file != "" && !filepath.IsAbs(file) {
		file = filepath.Join(c.DataDir, file)
	}
	return file
}

// Place describes where a setting is.
func (c *Config) Place(name string) string {
	return fmt.Sprintf("file %q line %d", filepath.Base(c.FileOf(name)), c.values[lower(name)].line)
}
