package main

import (
	"slices"
	"strings"

	"github.com/gorewind/gorewind/report"
)

// optionOf maps the fields of rewind.Options that the library names in its
// advice to options of the command line.
var optionOf = map[string]string{
	"Options.ArchiveLostWAL":    "--archive-lost-wal",
	"Options.BinDir":            "--bindir",
	"Options.CheckReplication":  "--check-replication",
	"Options.ConfigFile":        "--config-file",
	"Options.InPlace":           "--in-place",
	"Options.Keep":              "--keep",
	"Options.MakeSlot":          "--create-slot",
	"Options.NoVerifyChecksums": "--no-verify-checksums",
	"Options.Resync":            "--resync",
	"Options.RestoreCommand":    "--restore-command",
	"Options.RestoreTargetWAL":  "--restore-target-wal",
	"Options.SaveLost":          "--save-lost",
	"Options.Slot":              "--slot",
	"Options.Source":            "--source-server",
	"Options.SystemIdentifier":  "--system-identifier",
	"Options.PrimaryConnInfo":   "--write-recovery-conf",
	"Options.TablespaceMapping": "--tablespace-mapping",
	"rewind.Resume":             "`gorewind resume -D DIR`",
	"Run the rewind again":      "Run the same command again",
}

// words translates the library's advice to the terms of the command line.
func (in *invocation) words() *strings.Replacer {
	without := "a run"
	switch {
	case in.opts.dryRun && in.opts.noEnsureShutdown:
		without += " without --dry-run and --no-ensure-shutdown"
	case in.opts.dryRun:
		without += " without --dry-run"
	default:
		without += " without --no-ensure-shutdown"
	}
	pairs := []string{"Options.EnsureShutdown", without}
	for field, option := range optionOf {
		pairs = append(pairs, field, option)
	}
	return strings.NewReplacer(pairs...)
}

// inWords translates the advice in a document.
func (in *invocation) inWords(d *report.Document) {
	words := in.words()
	d.Warnings = slices.Clone(d.Warnings) // the plan shares the slice
	all := [][]string{d.Warnings}
	if e := d.Error; e != nil {
		e.Message = words.Replace(e.Message)
		all = append(all, e.Details, e.Hints)
	}
	for _, list := range all {
		for i := range list {
			list[i] = words.Replace(list[i])
		}
	}
}
