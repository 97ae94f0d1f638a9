package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// completion writes the script for the shell that the command line names.
func (in *invocation) completion() int {
	if err := in.opts.checkOperands(1); err != nil {
		return in.misused(err)
	}
	script := ""
	switch shell := strings.Join(in.opts.operands, ""); shell {
	case "bash":
		script = bashCompletion()
	case "zsh":
		script = zshCompletion()
	case "fish":
		script = fishCompletion()
	case "":
		return in.misused(fmt.Errorf("no shell specified (bash, zsh or fish)"))
	default:
		return in.misused(oneOf("shell", shell, in.command.operand...))
	}
	fmt.Fprint(in.stdout, script)
	return exitDone
}

// names are the programs that the completions are registered for.
const names = "gorewind pg_rewind"

// spellings are all ways to write an option: --name= if it takes an argument.
func (o *option) spellings() []string {
	long := "--" + o.name
	if o.arg != "" {
		long += "="
	}
	if o.short != 0 {
		return []string{long, "-" + string(rune(o.short))}
	}
	return []string{long}
}

func bashCompletion() string {
	var b strings.Builder
	b.WriteString(`# bash completion for gorewind: source <(gorewind completion bash)
_gorewind() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words
    # Bash takes the equals sign of --option=value for a word of its own.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = && $COMP_CWORD -ge 2 ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    COMPREPLY=()
    case "${COMP_WORDS[1]} $prev" in
`)
	// Where options share a name, those of a single command come first.
	ownFirst := slices.SortedStableFunc(slices.Values(optionTable), func(a, b *option) int { return cmp.Compare(b.id, a.id) })
	for _, o := range ownFirst {
		if o.arg == "" {
			continue
		}
		pattern := fmt.Sprintf(`%s" --%s"`, o.commandPattern(), o.name)
		if o.short != 0 {
			pattern += fmt.Sprintf(`|*" -%c"`, o.short)
		}
		answer := ":"
		switch {
		case o.values != nil:
			answer = fmt.Sprintf(`mapfile -t COMPREPLY < <(compgen -W "%s" -- "$cur")`, strings.Join(o.values, " "))
		case o.complete == directories:
			answer = `compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur")`
		case o.complete == files:
			answer = `compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")`
		}
		fmt.Fprintf(&b, "        %s) %s; return ;;\n", pattern, answer)
	}
	b.WriteString("    esac\n    case ${COMP_WORDS[1]} in\n")
	for _, c := range commands[1:] {
		fmt.Fprintf(&b, "        %s) words=\"%s\" ;;\n", c.name, strings.Join(c.words(), " "))
	}
	fmt.Fprintf(&b, "        *) words=\"%s\" ;;\n    esac\n", strings.Join(commands[0].words(), " "))
	fmt.Fprintf(&b, `    [[ $COMP_CWORD -eq 1 ]] && words+=" %s"
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    return 0
}
complete -F _gorewind %s
`, strings.Join(commandNames(), " "), names)
	return b.String()
}

// commandPattern matches the commands that have this option, if another option has the
// same name.
func (o *option) commandPattern() string {
	if o.id == "" {
		return "*"
	}
	var names []string
	for _, c := range commands {
		if slices.Contains(c.options(), o) {
			names = append(names, c.name)
		}
	}
	return strings.Join(names, "|")
}

// words are all options and operands of the command.
func (c *command) words() []string {
	words := append([]string(nil), c.operand...)
	for _, o := range c.options() {
		words = append(words, o.spellings()...)
	}
	return words
}

func commandNames() []string {
	var list []string
	for _, c := range commands[1:] {
		list = append(list, c.name)
	}
	return list
}

func zshCompletion() string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %s\n# zsh completion for gorewind: gorewind completion zsh > a file _gorewind in a directory of $fpath\n\n_gorewind() {\n    case $words[2] in\n", names)
	for _, c := range commands[1:] {
		fmt.Fprintf(&b, "        %s)\n            shift words; (( CURRENT-- ))\n            _arguments -s%s ;;\n", c.name, c.zshArguments("                "))
	}
	fmt.Fprintf(&b, "        *)\n            _arguments -s%s \\\n                '1:command:((%s))' ;;\n    esac\n}\n",
		commands[0].zshArguments("                "), zshCommands())
	b.WriteString("\nif [[ $funcstack[1] == _gorewind ]]; then\n    _gorewind \"$@\"\nelse\n    compdef _gorewind " + names + "\nfi\n")
	return b.String()
}

func zshCommands() string {
	var list []string
	for _, c := range commands[1:] {
		list = append(list, c.name+`\:"`+strings.ReplaceAll(c.purpose, "'", `'\''`)+`"`)
	}
	return strings.Join(list, " ")
}

func (c *command) zshArguments(indent string) string {
	var b strings.Builder
	quote := strings.NewReplacer("'", `'\''`, "[", `\[`, "]", `\]`)
	for _, o := range c.options() {
		action := ""
		switch {
		case o.arg == "":
		case o.values != nil:
			action = fmt.Sprintf(":%s:(%s)", o.arg, strings.Join(o.values, " "))
		case o.complete == directories:
			action = fmt.Sprintf(":%s:_directories", o.arg)
		case o.complete == files:
			action = fmt.Sprintf(":%s:_files", o.arg)
		default:
			action = fmt.Sprintf(":%s: ", o.arg)
		}
		if o.optional {
			action = ":" + action
		}
		for _, spelling := range o.spellings() {
			if o.optional {
				spelling += "-" // the argument is in the same word
			}
			if o.arg != "" && len(spelling) == 2 {
				spelling += "+"
			}
			if o.repeated {
				spelling = "*" + spelling
			}
			fmt.Fprintf(&b, " \\\n%s'%s[%s]%s'", indent, spelling, quote.Replace(o.help), action)
		}
	}
	if c.operand != nil {
		fmt.Fprintf(&b, " \\\n%s'1:what:(%s)'", indent, strings.Join(c.operand, " "))
	}
	return b.String()
}

func fishCompletion() string {
	var b strings.Builder
	b.WriteString("# fish completion for gorewind: gorewind completion fish | source\n")
	quote := strings.NewReplacer("'", `\'`, `\`, `\\`)
	subcommands := strings.Join(commandNames(), " ")
	for name := range strings.FieldsSeq(names) {
		fmt.Fprintf(&b, "complete -c %s -f\n", name)
		for _, c := range commands[1:] {
			fmt.Fprintf(&b, "complete -c %s -n __fish_use_subcommand -a %s -d '%s'\n", name, c.name, quote.Replace(c.purpose))
		}
		for _, c := range commands {
			when := "__fish_seen_subcommand_from " + c.name
			if c.name == "" {
				when = "not __fish_seen_subcommand_from " + subcommands
			}
			if c.operand != nil {
				fmt.Fprintf(&b, "complete -c %s -n '%s' -a '%s'\n", name, when, strings.Join(c.operand, " "))
			}
			for _, o := range c.options() {
				fmt.Fprintf(&b, "complete -c %s -n '%s' -l %s%s -d '%s'\n", name, when, o.name, o.fish(), quote.Replace(o.help))
			}
		}
	}
	return b.String()
}

// fish is what else fish must know about the option.
func (o *option) fish() string {
	s := ""
	if o.short != 0 {
		s += " -s '" + string(rune(o.short)) + "'"
	}
	switch {
	case o.arg == "":
	case o.optional:
		s += " -f -a '" + strings.Join(o.values, " ") + "'"
	case o.values != nil:
		s += " -x -a '" + strings.Join(o.values, " ") + "'"
	case o.complete == directories:
		s += " -x -a '(__fish_complete_directories)'"
	case o.complete == files:
		s += " -r -F"
	default:
		s += " -x"
	}
	return s
}
