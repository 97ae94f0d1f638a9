package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

const (
	helpIndent = 33 // where pg_rewind's help begins to say what an option does
	helpWidth  = 95
)

// help is what --help says.
func (c *command) help(name string) string {
	var b strings.Builder
	full := strings.TrimSpace(name + " " + c.name)
	fmt.Fprintf(&b, "%s %s.\n\nUsage:\n", full, c.purpose)
	for _, u := range c.usage {
		fmt.Fprintf(&b, "  %s %s\n", full, u)
	}
	for _, s := range c.sections {
		fmt.Fprintf(&b, "\n%s:\n", s.title)
		for _, name := range s.options {
			b.WriteString(optionNamed(name).helpLines())
		}
	}
	if c.name == "" {
		b.WriteString("\nCommands that pg_rewind does not have (see their --help):\n")
		for _, sub := range commands[1:] {
			b.WriteString(helpEntry(name+" "+sub.name, sub.purpose))
		}
	}
	if c.notes != "" {
		b.WriteString("\n" + c.notes)
	}
	return b.String()
}

func (o *option) helpLines() string {
	spelling := "    --" + o.name
	if o.short != 0 {
		spelling = fmt.Sprintf("-%c, --%s", o.short, o.name)
	}
	if o.arg != "" {
		spelling += o.shown()
	}
	return helpEntry(spelling, o.help)
}

// helpEntry is a name and what it stands for, in lines that are not too long.
func helpEntry(name, what string) string {
	line := fmt.Sprintf("  %-*s", helpIndent-3, name)
	var b strings.Builder
	for word := range strings.FieldsSeq(what) {
		if len(line)+1+len(word) > helpWidth {
			b.WriteString(line + "\n")
			line = strings.Repeat(" ", helpIndent-1)
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}

// versionLine is what --version says. Called pg_rewind, it is what a program
// expects that reads a version from pg_rewind: that of PostgreSQL, the newest
// that gorewind knows, and behind it, where packagers put theirs, its own.
func versionLine(name string) string {
	if name == "pg_rewind" {
		all := pgdata.Versions()
		return fmt.Sprintf("pg_rewind (PostgreSQL) %s.0 (gorewind %s)", all[len(all)-1].Name, version())
	}
	return fmt.Sprintf("%s (gorewind) %s", name, version())
}

// version is that of the module: a release, or what the build knows of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
