package main

import (
	"fmt"
	"slices"
	"strings"
)

// manPage is gorewind(1), in the language of man(7).
func manPage() string {
	var b strings.Builder
	b.WriteString(".\\\" Made from the table of options: go test ./cmd/gorewind -run ManPage -update\n")
	b.WriteString(".TH GOREWIND 1 \"\" gorewind \"PostgreSQL Server Applications\"\n")
	fmt.Fprintf(&b, ".SH NAME\ngorewind \\- %s\n.SH SYNOPSIS\n", roff(strings.TrimSuffix(commands[0].purpose, ".")))
	for _, c := range commands {
		for _, u := range c.usage {
			fmt.Fprintf(&b, ".B %s\n%s\n.br\n", roff(strings.TrimSpace("gorewind "+c.name)), roff(u))
		}
	}
	b.WriteString(manDescription)
	for _, s := range commands[0].sections {
		fmt.Fprintf(&b, ".SH %s\n", strings.ToUpper(s.title))
		for _, name := range s.options {
			b.WriteString(optionNamed(name).man())
		}
	}
	b.WriteString(".SH COMMANDS\nA command is the first argument.\n")
	for _, c := range commands[1:] {
		fmt.Fprintf(&b, ".SS gorewind %s\nIt %s.\n", c.name, roff(c.purpose))
		if c.name == "status" {
			b.WriteString("With \\-\\-format=json the result is machine-readable.\n")
		}
		for paragraph := range strings.SplitSeq(strings.TrimSpace(c.notes), "\n\n") {
			if paragraph != "" {
				fmt.Fprintf(&b, ".PP\n%s\n", roff(paragraph))
			}
		}
		b.WriteString(c.manOptions())
	}
	b.WriteString(".SH EXIT STATUS\n")
	for _, row := range exitStatuses {
		fmt.Fprintf(&b, ".TP\n%d\n%s\n", row.status, roff(row.meaning))
	}
	b.WriteString(manEnvironment)
	return b.String()
}

// manOptions describes the options that only this command has, and names the ones
// that are described above.
func (c *command) manOptions() string {
	var own strings.Builder
	var shared []string
	for _, s := range c.sections {
		for _, name := range s.options {
			o := optionNamed(name)
			if slices.Contains(commands[0].options(), o) {
				shared = append(shared, roff("--"+o.name))
			} else {
				own.WriteString(o.man())
			}
		}
	}
	text := own.String()
	if len(shared) > 0 {
		text += ".PP\nOptions as above: " + strings.Join(shared, ", ") + ".\n"
	}
	return text
}

var exitStatuses = []struct {
	status  int
	meaning string
}{
	{exitDone, "Done, or no rewind is required."},
	{exitFailed, "Failed. The target is unchanged, except for its crash recovery, if it needed one."},
	{exitUsage, "Wrong command line, or options that cannot be combined."},
	{exitBaseBackup, "Only --resync or a base backup can help. This run did not change the target."},
	{exitUnfinished, "Interrupted after the point of no return. No server starts on the target until the rewind is finished: run the same command again, or gorewind resume."},
}

const manDescription = `.SH DESCRIPTION
After a failover the old primary has WAL that the new one never saw.
.B gorewind
brings its data directory, the target, back in line with the server that took over, the source, by moving only what
differs, as pg_rewind does; for every major version of PostgreSQL from 9.6 to 19.
It takes pg_rewind's options and writes its messages, under the name by which it was called.
.PP
Until everything that is needed has been fetched and made durable, nothing in the target changes except a directory
pgsql_tmp_gorewind.
After that point, the same command or
.B gorewind resume
finishes an interrupted rewind, without the source.
`

const manEnvironment = `.SH ENVIRONMENT
.TP
PG* (PGHOST, PGPASSFILE, ...)
Defaults for connections, as for libpq.
.TP
PG_COLOR, PG_COLORS
Whether messages are coloured (always, auto or never), and how, as in PostgreSQL's programs.
.TP
NO_COLOR
If set and not empty, messages are not coloured.
.TP
PGDATA
The directory for gorewind resume and gorewind status.
A rewind does not use it.
.TP
POSIXLY_CORRECT
Options end at the first argument that is not an option.
.SH SEE ALSO
.BR pg_rewind (1),
.BR pg_basebackup (1)
`

func (o *option) man() string {
	var b strings.Builder
	arg := ""
	if o.arg != "" {
		arg = "=\\fI" + roff(o.arg) + "\\fR"
		if o.optional {
			arg = "[" + arg + "]"
		}
	}
	b.WriteString(".TP\n")
	if o.short != 0 {
		fmt.Fprintf(&b, "\\fB\\-%c\\fR, ", o.short)
	}
	fmt.Fprintf(&b, "\\fB\\-\\-%s\\fR%s\n%s.\n", roff(o.name), arg, roff(capital(o.help)))
	if o.more != "" {
		b.WriteString(roff(o.more) + "\n")
	}
	if o.since != "" {
		fmt.Fprintf(&b, "In PostgreSQL since %s; here for every major version.\n", o.since)
	}
	return b.String()
}

// roff escapes text for troff: a hyphen becomes a
// minus that can be copied, and no line starts with a request.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
