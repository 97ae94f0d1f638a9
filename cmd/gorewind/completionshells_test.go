package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFishCompletes lets fish itself complete command lines.
func TestFishCompletes(t *testing.T) {
	fish, err := exec.LookPath("fish")
	if err != nil {
		t.Skipf("fish is needed, install it: %v", err)
	}
	script := filepath.Join(t.TempDir(), "gorewind.fish")
	require.NoError(t, os.WriteFile(script, []byte(fishCompletion()), 0o600))
	for words, want := range map[string]string{
		"gorewind --dr":              "--dry-run",
		"gorewind sta":               "status",
		"gorewind status --format ":  "json text",
		"pg_rewind --sync-method sy": "syncfs",
		"gorewind completion z":      "zsh",
	} {
		cmd := exec.Command(fish, "--no-config", "-c", `source $argv[1]; complete -C $argv[2]`, script, words)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		var got []string
		for line := range strings.Lines(string(out)) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			got = append(got, word)
		}
		assert.ElementsMatch(t, strings.Fields(want), got, words)
	}
}

// zshTypes types command lines into a zsh on its own terminal, with a tab after
// each, and prints what zsh completed.
const zshTypes = `zmodload zsh/zpty || exit 9
zpty z "zsh -f -i"
zpty -w z "PROMPT= RPROMPT=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source $1"
zpty -w z "shown() { zle complete-word; print -r -- \"[[\$BUFFER]]\"; BUFFER=; }; zle -N shown; bindkey '^I' shown; print rea''dy"
while zpty -r z line; do [[ $line == *ready* ]] && break; done
for words in "${@:2}"; do
	zpty -w -n z "$words"$'\t'
	while zpty -r z line '*]]*'; do
		if [[ $line =~ '\[\[([^]]*)\]\]' ]]; then print -r -- "$match[1]"; break; fi
	done
done
zpty -d z`

// TestZshCompletes lets zsh itself complete command lines.
func TestZshCompletes(t *testing.T) {
	zsh, err := exec.LookPath("zsh")
	if err != nil {
		t.Skipf("zsh is needed, install it: %v", err)
	}
	script := filepath.Join(t.TempDir(), "gorewind.zsh")
	require.NoError(t, os.WriteFile(script, []byte(zshCompletion()), 0o600))
	lines := [][2]string{
		{"gorewind --dr", "gorewind --dry-run "},
		{"gorewind sta", "gorewind status "},
		{"gorewind status --form", "gorewind status --format="},
		{"pg_rewind --sync-method syncf", "pg_rewind --sync-method syncfs "},
		{"gorewind completion z", "gorewind completion zsh "},
	}
	args := []string{"-f", "-c", zshTypes, "zsh", script}
	var want strings.Builder
	for _, l := range lines {
		args = append(args, l[0])
		want.WriteString(l[1] + "\n")
	}
	cmd := exec.Command(zsh, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "TERM=dumb")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, want.String(), string(out))
}
