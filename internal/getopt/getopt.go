// Package getopt reads command lines as GNU getopt_long does, with its words in
// its errors, so that a program can take the place of one that uses it.
package getopt

import (
	"fmt"
	"strings"
)

// Option is one option that a program has.
type Option struct {
	Name  string // the long spelling, without the dashes; always given
	Short byte   // the short spelling; zero where there is none
	Arg   bool   // it takes an argument
	// Optional is set, beside Arg, where it can do without: then only "--name=value" gives one.
	Optional bool
	Later    bool // an abbreviation that can mean another option, which is not later, means that one
}

// Parser goes through a command line. Make one with New.
type Parser struct {
	options  []Option
	rest     []string // not looked at yet
	operands []string // arguments that are no options
	bundle   string   // what is left of short options in one argument: "P" of "-nP"
	posix    bool
	ended    bool
}

// New begins to read args, which do not contain the program's name. posix is
// whether options end at the first operand, as the environment variable
// POSIXLY_CORRECT asks for; otherwise they may come anywhere before "--".
func New(args []string, options []Option, posix bool) *Parser {
	return &Parser{options: options, rest: args, posix: posix}
}

// Next returns the next option, by its index in the list that New was given, and
// its argument. ok is false at the end of the options. An error is one of the
// command line, in the words of the GNU C library; more may follow.
func (p *Parser) Next() (index int, value string, ok bool, err error) {
	if p.bundle != "" {
		return p.short()
	}
	for len(p.rest) > 0 && !p.ended {
		arg := p.rest[0]
		p.rest = p.rest[1:]
		switch {
		case arg == "--":
			p.ended = true
		case strings.HasPrefix(arg, "--"):
			return p.long(arg[2:])
		case len(arg) > 1 && arg[0] == '-':
			p.bundle = arg[1:]
			return p.short()
		default:
			p.operands = append(p.operands, arg)
			p.ended = p.posix
		}
	}
	return 0, "", false, nil
}

// Operands are the arguments that are no options, in their order, once Next has
// come to the end.
func (p *Parser) Operands() []string {
	return append(p.operands[:len(p.operands):len(p.operands)], p.rest...)
}

// short takes one option from a bundle. What follows one that takes an argument
// is its argument.
func (p *Parser) short() (int, string, bool, error) {
	c := p.bundle[0]
	p.bundle = p.bundle[1:]
	index := -1
	for i, o := range p.options {
		if o.Short == c && c != 0 {
			index = i
		}
	}
	switch {
	case index < 0:
		return 0, "", true, fmt.Errorf("invalid option -- '%c'", c)
	case !p.options[index].Arg:
		return index, "", true, nil
	case p.bundle != "":
		value := p.bundle
		p.bundle = ""
		return index, value, true, nil
	}
	value, ok := p.argument()
	if !ok {
		return 0, "", true, fmt.Errorf("option requires an argument -- '%c'", c)
	}
	return index, value, true, nil
}

// long reads the option in "--arg". Its name may be cut short where that leaves
// no doubt.
func (p *Parser) long(arg string) (int, string, bool, error) {
	name, value, given := strings.Cut(arg, "=")
	index, err := p.find(name, arg)
	if err != nil {
		return 0, "", true, err
	}
	o := p.options[index]
	switch {
	case given && !o.Arg:
		return 0, "", true, fmt.Errorf("option '--%s' doesn't allow an argument", o.Name)
	case !given && o.Arg && !o.Optional:
		if value, given = p.argument(); !given {
			return 0, "", true, fmt.Errorf("option '--%s' requires an argument", o.Name)
		}
	}
	return index, value, true, nil
}

func (p *Parser) find(name, arg string) (int, error) {
	var matches, later []int
	for i, o := range p.options {
		switch {
		case o.Name == name:
			return i, nil
		case !strings.HasPrefix(o.Name, name):
		case o.Later:
			later = append(later, i)
		default:
			matches = append(matches, i)
		}
	}
	if len(matches) == 0 {
		matches = later
	}
	switch len(matches) {
	case 0:
		return 0, fmt.Errorf("unrecognized option '--%s'", arg)
	case 1:
		return matches[0], nil
	}
	var list strings.Builder
	for _, i := range matches {
		fmt.Fprintf(&list, " '--%s'", p.options[i].Name)
	}
	return 0, fmt.Errorf("option '--%s' is ambiguous; possibilities:%s", arg, list.String())
}

// argument takes the next argument, whatever it looks like.
func (p *Parser) argument() (string, bool) {
	if len(p.rest) == 0 {
		return "", false
	}
	arg := p.rest[0]
	p.rest = p.rest[1:]
	return arg, true
}
