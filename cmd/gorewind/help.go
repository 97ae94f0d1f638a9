package main

import (
	"fmt"
	"strings"
)

const (
	helpIndent = 33 // the column at which pg_rewind's help describes options
	helpWidth  = 95
)

// help is the output of --help.
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

// helpEntry is a name and its description, wrapped.
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
