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

// options is what a command line says.
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
	jobs                                       int // zero: as many as are of use
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

// what completes the argument of an option in a shell.
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
	id       string // what sections call it, where two commands have one of that name; else empty
	short    byte
	arg      string // what its argument is called; empty where it takes none
	optional bool   // it can do without the argument
	help     string // for the help and the manual page
	more     string // for the manual page only
	since    string // the first major whose pg_rewind has it, where that is not the first of all; empty for those of gorewind
	complete completion
	values   []string // the arguments that there are
	repeated bool     // it may be given several times
	set      func(o *options, value string) error
}

// optionTable is in the order of pg_rewind's own, which shows where an
// abbreviation is ambiguous; those of gorewind follow.
var optionTable = []*option{
	{
		name: "help", short: '?', help: "show this help, then exit",
		set: sets(func(o *options) *bool { return &o.help }),
	},
	{
		name: "target-pgdata", short: 'D', arg: "DIRECTORY", help: "existing data directory to modify",
		more:     "Its server must not run.",
		complete: directories, set: setsText(func(o *options) **string { return &o.target }),
	},
	{
		name: "write-recovery-conf", short: 'R', since: "13", help: "write configuration for replication (requires --source-server)",
		more: "From 12 on this makes standby.signal and sets primary_conninfo in postgresql.auto.conf, up to 11 it writes recovery.conf. " +
			"It is done, too, where no rewind is required.",
		set: sets(func(o *options) *bool { return &o.recoveryConf }),
	},
	{
		name: "source-pgdata", arg: "DIRECTORY", help: "source data directory to synchronize with",
		more:     "Its server must have been shut down cleanly.",
		complete: directories, set: setsText(func(o *options) **string { return &o.sourceDir }),
	},
	{
		name: "source-server", arg: "CONNSTR", help: "source server to synchronize with",
		more: "A connection string or URI as libpq takes it. The server may be a primary or a standby.",
		set:  setsText(func(o *options) **string { return &o.sourceServer }),
	},
	{
		name: "no-ensure-shutdown", since: "13", help: "do not automatically fix unclean shutdown",
		more: "Without this, a target that was not shut down cleanly first goes through crash recovery in single-user mode.",
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
		more: "Then neither the rewind nor its interruption survives a crash of the operating system. For tests only.",
		set:  sets(func(o *options) *bool { return &o.noSync }),
	},
	{
		name: "progress", short: 'P', help: "write progress messages",
		set: sets(func(o *options) *bool { return &o.progress }),
	},
	{
		name: "debug", help: "write a lot of debug messages",
		more: "Among them both timeline histories and what happens to every file.",
		set:  sets(func(o *options) *bool { return &o.debug }),
	},
	{
		name: "sync-method", since: "17", arg: "METHOD", help: "set method for syncing files to disk",
		more:   "Either fsync, the default, or syncfs, where the system has that.",
		values: []string{"fsync", "syncfs"},
		set: func(o *options, value string) (err error) {
			o.syncMethod, err = rewind.ParseSyncMethod(value)
			return err
		},
	},

	{
		name: "bindir", arg: "DIRECTORY", help: "where to look first for the target's \"postgres\" program",
		more: "It is needed for crash recovery only. By default it is looked for next to gorewind, in PATH, and where distributions " +
			"put the target's major version.",
		complete: directories,
		set:      func(o *options, value string) error { o.binDir = value; return nil },
	},
	{
		name: "restore-command", arg: "COMMAND", help: "bring WAL back with this command, not with the target's own",
		more: "As restore_command has it, with %f, %p and %r. With -c it is used for all WAL that the target has no more, else for what is nowhere else. " +
			"The target's own is not asked then: to have both asked, one after the other, give both as 'A || B'. It is not written to the configuration.",
		set: func(o *options, value string) error { o.restoreCommand = value; return nil },
	},
	{
		name: "tablespace-mapping", short: 'T', arg: "OLDDIR=NEWDIR", help: "make a new tablespace of the source's OLDDIR in NEWDIR (may be given several times)",
		repeated: true,
		more: "Both are absolute; NEWDIR is empty, or is made, with the directories above it, and removed again if the rewind fails before the commit. A \"=\" in a directory's name has a backslash before it. Tablespaces that the target has stay where they are. " +
			"One that was made behind the divergence takes --resync as well, since recovery would make it in OLDDIR again.",
		set: func(o *options, value string) error { return o.tablespaces.Add(value) },
	},
	{
		name: "slot", arg: "SLOTNAME", help: "with -R, the replication slot that the standby is to use",
		more: "It becomes the standby's primary_slot_name, in place of the one that the source's configuration gives.",
		set:  func(o *options, value string) error { o.slot = value; return nil },
	},
	{
		name: "create-slot", help: "make that slot first; it keeps the source's WAL for the standby",
		more: "From the source's last checkpoint on, already while WAL is copied. If the rewind fails and the target stays as it was, the slot is dropped again. " +
			"A run that is killed leaves it: run the same again, which knows it and uses it.",
		set: sets(func(o *options) *bool { return &o.makeSlot }),
	},
	{
		name: "check-replication", help: "refuse a target that will not be able to stream from the source",
		more: "The connection that the standby will open is tried before anything is changed: the source's pg_hba.conf, the role, the slot, " +
			"and whether WAL comes. With -R this is done in any case, and what is wrong is a warning.",
		set: sets(func(o *options) *bool { return &o.checkReplication }),
	},
	{
		name: "in-place", help: "write to the target at once, for disks without room to stage the changes",
		more: "If it is interrupted, no server starts on the target, and a next run needs the source again to finish.",
		set:  sets(func(o *options) *bool { return &o.inPlace }),
	},
	{
		name: "resync", arg: "HOW", optional: true,
		help: "find out what differs in another way where WAL does not show it",
		more: "Then nothing but another system, another major version or other block sizes makes a base backup necessary. " +
			"With --resync=changes what the source changed is copied rather than replayed from WAL, so that the server is ready sooner. " +
			"With --resync=compare all files are compared whatever WAL says, as after hardware trouble.",
		values: []string{string(rewind.ResyncIfNeeded), string(rewind.ResyncChanges), string(rewind.ResyncCompare)},
		set: func(o *options, value string) (err error) {
			o.resync, err = rewind.ParseResync(cmp.Or(value, string(rewind.ResyncIfNeeded)))
			return err
		},
	},
	{
		name: "system-identifier", arg: "NUMBER",
		help: "with --resync=compare, whose the target is where neither a control file nor WAL tells",
		set: func(o *options, value string) (err error) {
			o.system, err = parseSystemIdentifier(value)
			return err
		},
	},
	{
		name: "no-verify-checksums", help: "copy pages of the source whatever their checksums are",
		more: "Without this, a page with a wrong checksum is read again, and one that stays wrong ends the rewind before the target is changed.",
		set:  sets(func(o *options) *bool { return &o.noVerify }),
	},
	{
		name: "keep", arg: "GLOB", help: "keep the target's own version of matching files (may be given several times)",
		repeated: true,
		more: "For configuration, certificates and logs. A pattern with a slash is compared with the path within the data directory, " +
			"one without with every name in it. @config stands for postgresql.conf, postgresql.auto.conf, postgresql.base.conf, pg_hba.conf, pg_ident.conf, " +
			"pg_hosts.conf, conf.d, and files that end in .crt, .key, .crl or .pem.",
		set: setsPattern("keep", func(o *options) *[]string { return &o.keep }),
	},
	{
		name: "source-timeout", arg: "DURATION", help: "give the source up when it has been silent for so long (default 2min)",
		more: "A number of seconds, or one with a unit: ms, s, min, h or d. Until then lost connections are made again.",
		set: func(o *options, value string) (err error) {
			o.sourceTimeout, err = parseDuration(value)
			return err
		},
	},
	{
		name: "jobs", arg: "NUMBER", help: "connections to the source at most (default: as many as are of use)",
		set: func(o *options, value string) (err error) {
			o.jobs, err = parseJobs(value)
			return err
		},
	},
	{
		name: "save-plan", arg: "FILENAME", help: "with --dry-run, write the plan to a file, for --plan", complete: files,
		more: "It holds for as long as neither control file changes.",
		set:  func(o *options, value string) error { o.savePlan = value; return nil },
	},
	{
		name: "plan", arg: "FILENAME", help: "carry out a plan that --save-plan wrote, without a new analysis", complete: files,
		more: "It is refused when either control file has changed since.",
		set:  func(o *options, value string) error { o.plan = value; return nil },
	},
	{
		name: "save-lost", arg: "DIRECTORY", help: "keep what the rewind throws away in a new directory", complete: directories,
		more: "Its directory wal has the target's WAL from the divergence on, its directory files what is removed, replaced or overwritten, " +
			"its directory rows the lost rows, as \"gorewind lost\" writes them.",
		set: func(o *options, value string) error { o.saveLost = value; return nil },
	},
	{
		name: "archive-lost-wal",
		help: "before the rewind removes it, archive WAL from before the fork with the target's archive_command",
		more: "Without this a rewind only warns that the archive lacks such WAL.",
		set:  sets(func(o *options) *bool { return &o.archiveLostWAL }),
	},
	{
		name: "report", arg: "FILENAME", help: "write a report as a web page", complete: files,
		more: "Of the plan in a dry run, else of what was done. It is one file, without scripts, for a browser.",
		set:  func(o *options, value string) error { o.report = value; return nil },
	},
	{
		name: "summary", help: "summarize at the end what the rewind took and what was lost",
		more: "Without this it is said on a terminal only, and not by what is called as pg_rewind. It is no part of messages in JSON.",
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
		more:     "Patterns are those of --keep.",
		set:      setsPattern("ignore", func(o *options) *[]string { return &o.ignore }),
	},
	{
		name: "up-to", arg: "DIFFERENCE", help: "ignore differences up to this kind",
		more: "Each includes those before it: checksum, lsn, hint_bits (what servers note without logging it), " +
			"free_space (what nobody reads, and free space maps).",
		values: []string{"none", "checksum", "lsn", "hint_bits", "free_space"},
		set: func(o *options, value string) (err error) {
			o.upTo, err = rewind.ParseDifference(value)
			return err
		},
	},
	{
		name: "all", help: "compare WAL and the control file, too",
		set: sets(func(o *options) *bool { return &o.all }),
	},

	{
		name: "output", arg: "DIRECTORY", help: "write to this directory, which must be new or empty", complete: directories,
		set: func(o *options, value string) error { o.output = value; return nil },
	},
	{
		name: "format", id: "row-format", arg: "FORMAT", help: "write rows as csv (the default), jsonl or sql", values: []string{"csv", "jsonl", "sql"},
		more: "SQL is statements that do the same again on the new server, for people to read first.",
		set: func(o *options, value string) (err error) {
			o.rowFormat, err = export.ParseFormat(value)
			return err
		},
	},
	{
		name: "table", arg: "GLOB", help: "only matching tables (may be given several times)", repeated: true,
		more: "A pattern is compared with the table's name, with that after its schema and a dot, and with that after its database and another dot.",
		set:  setsPattern("table", func(o *options) *[]string { return &o.tables }),
	},
	{
		name: "limit", arg: "NUMBER", help: "write at most this many rows per table; all are counted",
		set: func(o *options, value string) (err error) {
			o.limit, err = parseLimit(value)
			return err
		},
	},
	{
		name: "compare", help: "say for each row what the source has of its primary key now (requires --source-server)",
		more: "The same row, another one, which is written down as well, or none. Rows are looked up by their keys, and nothing is written.",
		set:  sets(func(o *options) *bool { return &o.compare }),
	},
	{
		name: "since", arg: "LSN/TIMELINE", help: "where the target parted, without a source, as in 0/3000060/1",
		set: func(o *options, value string) (err error) {
			o.since, err = parseSince(value)
			return err
		},
	},

	{
		name: "format", arg: "FORMAT", help: "print the result as text or json", values: []string{formatText, formatJSON},
		more: "For a rewind, in a dry run the plan, else what was done, or why it was not. It goes to the standard output, messages do not.",
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

// setsPattern refuses a pattern that none can be.
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
	panic("no option " + name) // a name in the tables below is wrong: every test fails
}

// section is a part of the help: options in the order in which they are shown.
type section struct {
	title   string
	options []string
}

// command is what gorewind does: rewinding, which has no name, or what its first
// argument says.
type command struct {
	name     string
	purpose  string // after the name, as a sentence goes on
	usage    []string
	sections []section
	notes    string
	operand  []string // what there is to choose from for its only operand, if it has one
	run      func(*invocation) int
}

// ownOptions are those of gorewind, which no abbreviation that pg_rewind knows means.
var ownOptions = []string{
	"archive-lost-wal", "bindir", "check-replication", "create-slot", "format", "in-place", "jobs", "keep", "log-format", "no-verify-checksums", "plan", "report", "restore-command", "resync",
	"save-lost", "save-plan", "slot", "source-timeout", "summary", "system-identifier", "tablespace-mapping",
}

// The first is what gorewind does without the name of a command. Set in init,
// as they refer to functions that refer to them.
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
			notes:    "Without -D the directory is that of the environment variable PGDATA.\n", run: (*invocation).resume,
		},
		{
			name: "status", purpose: "tells what state a data directory is in and what to do about it",
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
			name: "lost", purpose: "writes down the rows that a rewind would lose",
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

const rewindNotes = `Exit status: 0 done or not required; 1 failed, the target is untouched, but for its crash
recovery where it needed that; 2 wrong command line; 3 only --resync or a base backup can help,
the target is not changed by this run; 4 interrupted after the point of no return: run the same
command again, or "resume".
`

const statusNotes = `Without -D the directory is that of the environment variable PGDATA.

Exit status: 0 no rewind is to be finished; 1 failed; 2 wrong command line; 4 a rewind is to be
finished, and no server starts until then.
`

const diffNotes = `Files that a rewind ignores are ignored here. Pages of relations are compared part by part.
A running server changes while it is read.

Exit status: 0 equal; 1 different; 2 wrong command line, or the comparison failed.
`

const lostNotes = `The rows that committed transactions changed after the fork are read from the target's WAL and
files. No server is started and the target is not changed. Its server must be stopped or have
crashed. README.txt and summary.json in the directory explain what is there.

Exit status: 0 done, or nothing is lost; 1 failed; 2 wrong command line.
`

// options lists a command's, in the table's order.
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

// shown is how an option's argument is written in the help.
func (o *option) shown() string {
	if o.optional {
		return "[=" + o.arg + "]"
	}
	return "=" + o.arg
}
