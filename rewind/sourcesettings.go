package rewind

import (
	"fmt"
	"path/filepath"

	"github.com/gorewind/gorewind/internal/pgconf"
)

// settingsOfSource returns warnings about settings that come with the source's files,
// are only right for the source, and are not replaced. Their values can contain
// passwords, so only where they are set is reported.
func (a *analyzer) settingsOfSource(conf *pgconf.Config) (says []string) {
	tell := func(name, what string) {
		says = append(says, fmt.Sprintf("the configuration that comes from the source sets %s (%s): %s", name, conf.Place(name), what))
	}
	if a.opts.PrimaryConnInfo == "" {
		if a.comesFromSource(conf, "primary_conninfo") {
			tell("primary_conninfo", "a standby that is started with it connects to the primary that the source had, which may have been this server")
		}
		if a.comesFromSource(conf, "primary_slot_name") {
			tell("primary_slot_name", "a standby that is started with it uses that slot, which may be another's")
		}
	}
	if conf.ArchiveMode() == pgconf.ArchiveOff || !a.comesFromSource(conf, "archive_command") {
		return says
	}
	own, err := pgconf.Load(pgconf.Options{DataDir: a.target.Name(), ConfigFile: a.opts.ConfigFile, Version: a.version})
	if err == nil && own.ArchiveCommand() != conf.ArchiveCommand() {
		tell("archive_command", "it differs from the one that the target had, and this server would use it once it is a primary")
	}
	return says
}

// comesFromSource reports whether a setting is not empty and is from a file that comes from the
// source.
func (a *analyzer) comesFromSource(conf *pgconf.Config, name string) bool {
	if value, set := conf.Lookup(name); !set || value == "" {
		return false
	}
	dir, err := filepath.Abs(a.target.Name())
	if err != nil {
		return false
	}
	in, err := filepath.Rel(dir, conf.FileOf(name))
	return err == nil && filepath.IsLocal(in) && !a.keep.Match(filepath.ToSlash(in))
}
