package main

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/gorewind/gorewind/internal/getopt"
	"github.com/gorewind/gorewind/lost/rows/export"
	"github.com/gorewind/gorewind/rewind"
)

// options are the options and operands of a command line.
type options struct {
	target, sourceDir, sourceServer            *string // nil where not given
	configFile, binDir, format, logFormat      string
	output                                     string
	rowFormat                                  export.Format
	since                                      rewind.Since
	tables                                     []string
	limit                                      int64 // zero: all
	compare                                    bool
	savePlan, plan, saveLost, report           string
	jobs                                       int // zero: as many as are useful
	keep, ignore                               []string
	upTo                                       rewind.Difference
	all                                        bool
	sourceTimeout                              time.Duration // zero: the default
	system                                     uint64
	syncMethod                                 rewind.SyncMethod
	resync                                     rewind.Resync
	dryRun, progress, debug, noSync, inPlace   bool
	archiveLostWAL, summary                    bool
	restoreWAL, noEnsureShutdown, recoveryConf bool
	slot, restoreCommand                       string
	tablespaces                                rewind.TablespaceMapping
	makeSlot, checkReplication, noVerify       bool
	help, version                              bool
	operands                                   []string
}

// The arguments of --format and --log-format.
const (
	formatText     = "text"
	formatTextTime = "text+time"
	formatJSON     = "json"
)

// completion is what a shell completes an option's argument with.
type completion int

const (
	anything completion = iota
	files
	directories
)

// option is a row of the table that the parser, the help, the manual page and
// the completions are made from.
type option struct {
	name     string
	id       string // its name in sections, where two commands have an option of the same name; else empty
	short    byte
	arg      string // the name of its argument; empty if it takes none
	optional bool   // the argument may be left out
	help     string // for the help and the manual page
	more     string // for the manual page only
	since    string // the first major whose pg_rewind has it; empty if all have it or none does
	complete completion
	values   []string // the valid arguments, if there are few
	repeated bool     // it may be given several times
	set      func(o *options, value string) error
}

// optionTable is in the order of pg_rewind's own table, which shows when an
// abbreviation is ambiguous. The options of gorewind come after it.
var optionTable = []*option{
	{
		name: "help", short: '?', help: "show this help, then exit",
		set: sets(func(o *options) *bool { return &o.help }),
	},
	{
		name: "target-pgdata", short: 'D', arg: "DIRECTORY", help: "existing data directory to modify",
		more:     "Its server must not be running.",
		complete: directories, set: setsText(func(o *options) **string { return &o.target }),
	},
	{
		name: "write-recovery-conf", short: 'R', since: "13", help: "write configuration for replication (requires --source-server)",
		more: "From version 12 on this creates standby.signal and sets primary_conninfo in postgresql.auto.conf; up to 11 it writes recovery.conf. " +
			"This is also done when no rewind is required.",
		set: sets(func(o *options) *bool { return &o.recoveryConf }),
	},
	{
		name: "source-pgdata", arg: "DIRECTORY", help: "source data directory to synchronize with",
		more:     "Its server must have been shut down cleanly.",
		complete: directories, set: setsText(func(o *options) **string { return &o.sourceDir }),
	},
	{
		name: "source-server", arg: "CONNSTR", help: "source server to synchronize with",
		more: "A connection string or URI, as for libpq. The server may be a primary or a standby.",
		set:  setsText(func(o *options) **string { return &o.sourceServer }),
	},
	{
		name: "no-ensure-shutdown", since: "13", help: "do not automatically fix unclean shutdown",
		more: "Without this option, a target that was not shut down cleanly first goes through crash recovery in single-user mode.",
		set:  sets(func(o *options) *bool { return &o.noEnsureShutdown }),
	},
	{
		name: "config-file", since: "15", arg: "FILENAME", help: "use specified main server configuration file when running target cluster",
		complete: files,
		set:      func(o *options, value string) error { o.configFile = value; return nil },
	},
	{
		name: "version", short: 'V', help: "output version information, then exit",
		set: sets(func(o *options) *bool { return &o.version }),
	},
	{
		name: "restore-target-wal", short: 'c', since: "13", help: "use \"restore_command\" in target configuration to retrieve WAL files from archives",
		set: sets(func(o *options) *bool { return &o.restoreWAL }),
	},
	{
		name: "dry-run", short: 'n', help: "stop before modifying anything",
		set: sets(func(o *options) *bool { return &o.dryRun }),
	},
	{
		name: "no-sync", short: 'N', since: "12", help: "do not wait for changes to be written safely to disk",
		more: "If the operating system crashes during or after the rewind, the target may be lost. For tests only.",
		set:  sets(func(o *options) *bool { return &o.noSync }),
	},
	{
		name: "progress", short: 'P', help: "write progress messages",
		set: sets(func(o *options) *bool { return &o.progress }),
	},
	{
		name: "debug", help: "write a lot of debug messages",
		more: "They include both timeline histories and what is done with every file.",
		set:  sets(func(o *options) *bool { return &o.debug }),
	},
	{
		name: "sync-method", since: "17", arg: "METHOD", help: "set method for syncing files to disk",
		more:   "Either fsync, the default, or syncfs, where the operating system has it.",
		values: []string{"fsync", "syncfs"},
		set: func(o *options, value string) (err error) {
			o.syncMethod, err = rewind.ParseSyncMethod(value)
			return err
		},
	},

	{
		name: "bindir", arg: "DIRECTORY", help: "where to look for the target's \"postgres\" program",
		more: "The program is needed for crash recovery only. By default gorewind looks next to itself, in PATH, and where distributions " +
			"install the target's major version.",
		complete: directories,
		set:      func(o *options, value string) error { o.binDir = value; return nil },
	},
	{
		name: "restore-command", arg: "COMMAND", help: "retrieve WAL files with this command instead of the target's own",
		more: "It is written as restore_command is, with %f, %p and %r. With -c it is used for all WAL that the target no longer has, otherwise only for WAL that is found nowhere else. " +
			"The target's own command is not run then; to try both in turn, give both as 'A || B'. The command is not written to the configuration.",
		set: func(o *options, value string) error { o.restoreCommand = value; return nil },
	},
	{
		name: "tablespace-mapping", short: 'T', arg: "OLDDIR=NEWDIR", help: "create the source's new tablespace in OLDDIR in NEWDIR instead (may be given several times)",
		repeated: true,
		more: "Both paths must be absolute. NEWDIR must be empty; if it does not exist, it is created with its parent directories, and removed again if the rewind fails before the commit. Write \"=\" in a directory's name as \"\\=\". Tablespaces that the target already has stay where they are. " +
			"A tablespace that was created after the divergence requires --resync as well, since recovery would create it in OLDDIR again.",
		set: func(o *options, value string) error { return o.tablespaces.Add(value) },
	},
	{
		name: "slot", arg: "SLOTNAME", help: "with -R, the replication slot that the standby will use",
		more: "It becomes the standby's primary_slot_name, in place of the one in the source's configuration.",
		set:  func(o *options, value string) error { o.slot = value; return nil },
	},
	{
		name: "create-slot", help: "create that slot first, so that the source keeps WAL for the standby",
		more: "The source keeps WAL from its last checkpoint on, also while WAL is being copied. If the rewind fails and leaves the target unchanged, the slot is dropped again. " +
			"A run that is killed leaves the slot behind; the same command, run again, recognizes and uses it.",
		set: sets(func(o *options) *bool { return &o.makeSlot }),
	},
	{
		name: "check-replication", help: "refuse to rewind a target that will not be able to stream from the source",
		more: "Before anything is changed, the connection that the standby will use is tried: the source's pg_hba.conf, the role, the slot, " +
			"and whether WAL arrives. With -R this is always done, and problems are warnings.",
		set: sets(func(o *options) *bool { return &o.checkReplication }),
	},
	{
		name: "in-place", help: "write to the target directly, for disks without room to stage the changes",
		more: "If it is interrupted, no server starts on the target, and the next run needs the source again to finish.",
		set:  sets(func(o *options) *bool { return &o.inPlace }),
	},
	{
		name: "resync", arg: "HOW", optional: true,
		help: "find differences in other ways where WAL does not show them",
		more: "A base backup is then needed only if the system identifier, the major version or the block sizes differ. " +
			"With --resync=changes the blocks that the source changed are copied instead of replayed from WAL, so that the server is ready sooner. " +
			"With --resync=compare all files are compared whatever WAL says, for example after hardware trouble.",
		values: []string{string(rewind.ResyncIfNeeded), string(rewind.ResyncChanges), string(rewind.ResyncCompare)},
		set: func(o *options, value string) (err error) {
			o.resync, err = rewind.ParseResync(cmp.Or(value, string(rewind.ResyncIfNeeded)))
			return err
		},
	},
	{
		name: "system-identifier", arg: "NUMBER",
		help: "with --resync=compare, the target's system identifier, where neither its control file nor WAL has it",
		set: func(o *options, value string) (err error) {
			o.system, err = parseSystemIdentifier(value)
			return err
		},
	},
	{
		name: "no-verify-checksums", help: "copy the source's pages without verifying their checksums",
		more: "Without this option, a page with a wrong checksum is read again. If it is still wrong, the rewind fails before it changes the target.",
		set:  sets(func(o *options) *bool { return &o.noVerify }),
	},
	{
		name: "keep", arg: "GLOB", help: "keep the target's own version of matching files (may be given several times)",
		repeated: true,
		more: "For configuration, certificates and logs. A pattern with a slash is matched against the path within the data directory, " +
			"one without a slash against every name in that path. @config stands for postgresql.conf, postgresql.auto.conf, postgresql.base.conf, pg_hba.conf, pg_ident.conf, " +
			"pg_hosts.conf, conf.d, and files whose names end in .crt, .key, .crl or .pem.",
		set: setsPattern("keep", func(o *options) *[]string { return &o.keep }),
	},
	{
		name: "source-timeout", arg: "DURATION", help: "give up on the source after this much silence (default 2min)",
		more: "A number of seconds, or a number with a unit: ms, s, min, h or d. Until then lost connections are reopened.",
		set: func(o *options, value string) (err error) {
			o.sourceTimeout, err = parseDuration(value)
			return err
		},
	},
	{
		name: "jobs", arg: "NUMBER", help: "use at most this many connections to the source (default: as many as are useful)",
		set: func(o *options, value string) (err error) {
			o.jobs, err = parseJobs(value)
			return err
		},
	},
	{
		name: "save-plan", arg: "FILENAME", help: "with --dry-run, write the plan to a file, for --plan", complete: files,
		more: "It is valid as long as neither control file changes.",
		set:  func(o *options, value string) error { o.savePlan = value; return nil },
	},
	{
		name: "plan", arg: "FILENAME", help: "carry out a plan that --save-plan wrote, without a new analysis", complete: files,
		more: "The plan is refused if either control file has changed since.",
		set:  func(o *options, value string) error { o.plan = value; return nil },
	},
	{
		name: "save-lost", arg: "DIRECTORY", help: "save what the rewind discards in a new directory", complete: directories,
		more: "Its subdirectory wal gets the target's WAL from the divergence on, files what is removed, replaced or overwritten, " +
			"and rows the lost rows, as \"gorewind lost\" writes them.",
		set: func(o *options, value string) error { o.saveLost = value; return nil },
	},
	{
		name: "archive-lost-wal",
		help: "archive WAL from before the fork with the target's archive_command before the rewind removes it",
		more: "Without this option, the rewind only warns that such WAL is missing from the archive.",
		set:  sets(func(o *options) *bool { return &o.archiveLostWAL }),
	},
	{
		name: "report", arg: "FILENAME", help: "write a report as a web page", complete: files,
		more: "In a dry run it shows the plan, otherwise what was done. It is a single file without scripts, for a browser.",
		set:  func(o *options, value string) error { o.report = value; return nil },
	},
	{
		name: "summary", help: "print a summary at the end: what the rewind did and what was lost",
		more: "Without this option, the summary is printed only on a terminal, and never if the program is called pg_rewind. It is not part of messages in JSON.",
		set:  sets(func(o *options) *bool { return &o.summary }),
	},
	{
		name: "log-format", arg: "FORMAT", help: "write messages as text, as text with the time (text+time), or as JSON lines",
		values: []string{formatText, formatTextTime, formatJSON},
		set: func(o *options, value string) (err error) {
			o.logFormat, err = value, oneOf("log format", value, formatText, formatTextTime, formatJSON)
			return err
		},
	},

	{
		name: "ignore", arg: "GLOB", help: "ignore matching files (may be given several times)",
		repeated: true,
		more:     "Patterns are as for --keep.",
		set:      setsPattern("ignore", func(o *options) *[]string { return &o.ignore }),
	},
	{
		name: "up-to", arg: "DIFFERENCE", help: "ignore differences up to this kind",
		more: "Each kind includes those before it: checksum, lsn, hint_bits (notes that servers make without WAL), " +
			"free_space (bytes in pages that no server reads, and free space maps).",
		values: []string{"none", "checksum", "lsn", "hint_bits", "free_space"},
		set: func(o *options, value string) (err error) {
			o.upTo, err = rewind.ParseDifference(value)
			return err
		},
	},
	{
		name: "all", help: "also compare WAL and the control file",
		set: sets(func(o *options) *bool { return &o.all }),
	},

	{
		name: "output", arg: "DIRECTORY", help: "write to this directory, which must be new or empty", complete: directories,
		set: func(o *options, value string) error { o.output = value; return nil },
	},
	{
		name: "format", id: "row-format", arg: "FORMAT", help: "write rows as csv (the default), jsonl or sql", values: []string{"csv", "jsonl", "sql"},
		more: "The SQL statements repeat the changes on the new server. Read them before you run them.",
		set: func(o *options, value string) (err error) {
			o.rowFormat, err = export.ParseFormat(value)
			return err
		},
	},
	{
		name: "table", arg: "GLOB", help: "only matching tables (may be given several times)", repeated: true,
		more: "A pattern is matched against TABLE, SCHEMA.TABLE and DATABASE.SCHEMA.TABLE.",
		set:  setsPattern("table", func(o *options) *[]string { return &o.tables }),
	},
	{
		name: "limit", arg: "NUMBER", help: "write at most this many rows per table; all rows are counted",
		set: func(o *options, value string) (err error) {
			o.limit, err = parseLimit(value)
			return err
		},
	},
	{
		name: "compare", help: "show for each row what the source has now under its primary key (requires --source-server)",
		more: "That is the same row, a different one, which is written to the output as well, or none. Rows are looked up by their keys, and the source is not changed.",
		set:  sets(func(o *options) *bool { return &o.compare }),
	},
	{
		name: "since", arg: "LSN/TIMELINE", help: "where the target diverged, if there is no source, as in 0/3000060/1",
		set: func(o *options, value string) (err error) {
			o.since, err = parseSince(value)
			return err
		},
	},

	{
		name: "format", arg: "FORMAT", help: "print the result as text or json", values: []string{formatText, formatJSON},
		more: "For a rewind the result is the plan in a dry run, otherwise what was done, or why the rewind failed. It goes to standard output; messages do not.",
		set: func(o *options, value string) (err error) {
			o.format, err = value, oneOf("format", value, formatText, formatJSON)
			return err
		},
	},
}

func sets(field func(*options) *bool) func(*options, string) error {
	return func(o *options, _ string) error { *field(o) = true; return nil }
}

func setsText(field func(*options) **string) func(*options, string) error {
	return func(o *options, value string) error { *field(o) = &value; return nil }
}

// setsPattern refuses an empty or malformed pattern.
func setsPattern(name string, field func(*options) *[]string) func(*options, string) error {
	return func(o *options, value string) error {
		if _, err := path.Match(value, ""); err != nil || value == "" {
			return fmt.Errorf("invalid pattern \"%s\" for option --%s", value, name)
		}
		list := field(o)
		*list = append(*list, value)
		return nil
	}
}

func optionNamed(name string) *option {
	for _, o := range optionTable {
		if cmp.Or(o.id, o.name) == name {
			return o
		}
	}
	panic("no option " + name) // a wrong name in the tables below; every test fails
}

// section is a part of the help: options in the order in which they are shown.
type section struct {
	title   string
	options []string
}

// command is one of the things that gorewind does: a rewind, which has no name, or the
// command that the first argument names.
type command struct {
	name     string
	purpose  string // continues the sentence that the name begins
	usage    []string
	sections []section
	notes    string
	operand  []string // the values of its only operand, if it has one
	run      func(*invocation) int
}

// ownOptions are the options that pg_rewind does not have. An abbreviation that
// pg_rewind accepts never means one of them.
var ownOptions = []string{
	"archive-lost-wal", "bindir", "check-replication", "create-slot", "format", "in-place", "jobs", "keep", "log-format", "no-verify-checksums", "plan", "report", "restore-command", "resync",
	"save-lost", "save-plan", "slot", "source-timeout", "summary", "system-identifier", "tablespace-mapping",
}

// commands begins with what gorewind does if no command is named. It is set in init,
// because it refers to functions that refer to it.
var commands []*command

func init() {
	general := []string{"version", "help"}
	commands = []*command{
		{
			purpose: "resynchronizes a PostgreSQL cluster with another copy of the cluster",
			usage: []string{
				"[OPTION]... --target-pgdata=DIRECTORY --source-server=CONNSTR",
				"[OPTION]... --target-pgdata=DIRECTORY --source-pgdata=DIRECTORY",
			},
			sections: []section{
				{"Options", append([]string{
					"restore-target-wal", "target-pgdata", "source-pgdata", "source-server", "dry-run", "no-sync", "progress",
					"write-recovery-conf", "config-file", "debug", "no-ensure-shutdown", "sync-method",
				}, general...)},
				{"Options that pg_rewind does not have", ownOptions},
			},
			notes: rewindNotes, run: (*invocation).rewind,
		},
		{
			name: "resume", purpose: "completes an interrupted rewind from the target's disks, without the source",
			usage:    []string{"[OPTION]... [--target-pgdata=DIRECTORY]"},
			sections: []section{{"Options", append([]string{"target-pgdata", "no-sync", "progress", "debug", "sync-method"}, general...)}},
			notes:    "Without -D the directory is taken from the environment variable PGDATA.\n", run: (*invocation).resume,
		},
		{
			name: "status", purpose: "shows what state a data directory is in and what to do about it",
			usage:    []string{"[--target-pgdata=DIRECTORY] [--format=text|json]"},
			sections: []section{{"Options", append([]string{"target-pgdata", "format"}, general...)}},
			notes:    statusNotes, run: (*invocation).status,
		},
		{
			name: "diff", purpose: "compares a data directory with another one, or with a server",
			usage: []string{
				"[OPTION]... DIRECTORY DIRECTORY",
				"[OPTION]... --source-server=CONNSTR DIRECTORY",
			},
			sections: []section{{"Options", append([]string{
				"source-server", "ignore", "up-to", "all", "format", "jobs", "source-timeout", "debug",
			}, general...)}},
			notes: diffNotes, run: (*invocation).diff,
		},
		{
			name: "lost", purpose: "writes the rows that a rewind would lose to files",
			usage: []string{
				"[OPTION]... -D DIRECTORY --source-server=CONNSTR --output=DIRECTORY",
				"[OPTION]... -D DIRECTORY --source-pgdata=DIRECTORY --output=DIRECTORY",
				"[OPTION]... -D DIRECTORY --since=LSN/TIMELINE --output=DIRECTORY",
			},
			sections: []section{{"Options", append([]string{
				"target-pgdata", "source-pgdata", "source-server", "since", "output", "row-format", "table", "limit", "compare", "restore-target-wal", "config-file",
				"source-timeout", "debug", "log-format",
			}, general...)}},
			notes: lostNotes, run: (*invocation).lost,
		},
		{
			name: "completion", purpose: "writes a script that lets a shell complete command lines",
			usage:    []string{"bash|zsh|fish"},
			sections: []section{{"Options", general}},
			operand:  []string{"bash", "zsh", "fish"}, run: (*invocation).completion,
		},
	}
}

const rewindNotes = `Exit status: 0 done or not required; 1 failed, the target is untouched except for its crash
recovery, if it needed one; 2 wrong command line; 3 only --resync or a base backup can help,
this run did not change the target; 4 interrupted after the point of no return: run the same
command again, or "resume".
`

const statusNotes = `Without -D the directory is taken from the environment variable PGDATA.

Exit status: 0 no unfinished rewind; 1 failed; 2 wrong command line; 4 unfinished rewind: no
server starts until it is finished.
`

const diffNotes = `Files that a rewind ignores are ignored here, too. Relations are compared page by page, and
pages part by part. A running server changes while it is read.

Exit status: 0 equal; 1 different; 2 wrong command line, or the comparison failed.
`

const lostNotes = `The rows that committed transactions changed after the fork are read from the target's WAL and
files. No server is started, and the target is not changed. Its server must be stopped or have
crashed. README.txt and summary.json in the output directory explain its contents.

Exit status: 0 done, or nothing is lost; 1 failed; 2 wrong command line.
`

// options lists the command's options in the table's order.
func (c *command) options() []*option {
	has := map[string]bool{}
	for _, s := range c.sections {
		for _, name := range s.options {
			has[name] = true
		}
	}
	var list []*option
	for _, o := range optionTable {
		if has[cmp.Or(o.id, o.name)] {
			list = append(list, o)
		}
	}
	return list
}

func getoptOptions(list []*option) []getopt.Option {
	var to []getopt.Option
	for _, o := range list {
		to = append(to, getopt.Option{Name: o.name, Short: o.short, Arg: o.arg != "", Optional: o.optional, Later: slices.Contains(ownOptions, o.name)})
	}
	return to
}

// shown is the option's argument as the help shows it.
func (o *option) shown() string {
	if o.optional {
		return "[=" + o.arg + "]"
	}
	return "=" + o.arg
}
