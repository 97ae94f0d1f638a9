package main

import (
	"cmp"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCompletionsNameEveryOption(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		got := gorewind(t, "completion", shell)
		require.Equal(t, 0, got.status, got.stderr)
		assert.Empty(t, got.stderr)
		for _, o := range optionTable {
			spelling := "--" + o.name
			if shell == "fish" {
				spelling = "-l " + o.name + " "
			}
			assert.True(t, strings.Contains(got.stdout, spelling), "%s: %s", shell, spelling)
		}
		for _, c := range commands[1:] {
			assert.Contains(t, got.stdout, c.name)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("no %s here to read its script", shell)
			continue
		}
		cmd := exec.Command(path, "-n")
		cmd.Stdin = strings.NewReader(got.stdout)
		out, err := cmd.CombinedOutput()
		assert.NoError(t, err, "%s: %s", shell, out)
	}
}

func TestCompletionsOfferEveryOptionOfEveryCommand(t *testing.T) {
	bash, zsh, fish := bashCompletion(), zshCompletion(), fishCompletion()
	for _, c := range commands {
		pattern := cmp.Or(c.name, "*")
		_, words, found := strings.Cut(bash, "        "+pattern+") words=")
		require.True(t, found, pattern)
		words, _, _ = strings.Cut(words, "\n")
		_, arguments, found := strings.Cut(zsh, "        "+pattern+")\n")
		require.True(t, found, pattern)
		arguments, _, _ = strings.Cut(arguments, ";;")
		when := "__fish_seen_subcommand_from " + c.name
		if c.name == "" {
			when = "not __fish_seen_subcommand_from " + strings.Join(commandNames(), " ")
		}
		for _, o := range c.options() {
			assert.Regexp(t, `--`+o.name+`[ ="]`, words, "bash: %s --%s", c.name, o.name)
			assert.Regexp(t, `'\*?--`+o.name+`[=\[-]`, arguments, "zsh: %s --%s", c.name, o.name)
			for name := range strings.FieldsSeq(names) {
				assert.Contains(t, fish, "complete -c "+name+" -n '"+when+"' -l "+o.name+" ")
			}
		}
	}
}

func TestZshOffersRepeatedOptionsAgain(t *testing.T) {
	script := zshCompletion()
	for _, o := range optionTable {
		again := strings.Contains(script, "'*--"+o.name)
		assert.Equal(t, strings.Contains(o.help, "several times"), again, o.name)
	}
}

func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skipf("bash is needed, install it: %v", err)
	}
	_, source := restore(t)
	for _, c := range []struct{ name, words, want string }{
		{"an option", "gorewind --dr", "--dry-run"},
		{"an option that takes an argument", "gorewind -n --source-s", "--source-server="},
		{"a command", "gorewind st", "status"},
		{"no command later", "gorewind -n st", ""},
		{"a command's option", "gorewind status --f", "--format="},
		{"its values", "gorewind status --format = j", "json"},
		{"its values at once", "gorewind status --format =", "text json"},
		{"the same after a blank", "pg_rewind --sync-method sy", "syncfs"},
		{"a shell", "gorewind completion z", "zsh"},
		{"directories only", "gorewind -D " + filepath.Dir(source) + "/", filepath.Dir(source) + "/source " + filepath.Dir(source) + "/target"},
	} {
		t.Run(c.name, func(t *testing.T) {
			script := bashCompletion() + `
compopt() { :; } # there is no command line being completed
COMP_WORDS=(` + c.words + `) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_gorewind
printf '%s\n' "${COMPREPLY[@]}" | sort -r | if [[ ${#COMPREPLY[@]} -gt 0 ]]; then cat; fi`
			out, err := exec.Command(bash, "-c", script).CombinedOutput()
			require.NoError(t, err, string(out))
			assert.ElementsMatch(t, strings.Fields(c.want), strings.Fields(string(out)))
		})
	}
}
