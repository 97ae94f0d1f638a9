package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/getopt"
)

var update = flag.Bool("update", false, "write man/gorewind.1 anew")

func TestTheManPageIsCurrent(t *testing.T) {
	path := filepath.Join("..", "..", "man", "gorewind.1")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(manPage()), 0o644))
	}
	committed, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.True(t, string(committed) == manPage(), "go test ./cmd/gorewind -run ManPage -update writes it anew")
}

func TestTheManPageIsWellFormed(t *testing.T) {
	page := manPage()
	for _, c := range page {
		require.True(t, c == '\n' || ' ' <= c && c <= '~', "%q is not ASCII", c)
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skipf("groff is needed, install it: %v", err)
	}
	cmd := exec.Command(groff, "-man", "-ww", "-Tascii", "-P-c", "-P-b", "-P-u") // plain text
	cmd.Stdin = strings.NewReader(page)
	var warnings, text strings.Builder
	cmd.Stdout, cmd.Stderr = &text, &warnings
	require.NoError(t, cmd.Run(), warnings.String())
	assert.Empty(t, warnings.String())
	for _, o := range optionTable {
		assert.True(t, strings.Contains(text.String(), "--"+o.name), "--%s", o.name)
	}
}

func TestTheManPageHasEveryOptionOfEveryCommandInItsPlace(t *testing.T) {
	page := strings.ReplaceAll(manPage(), `\-`, "-")
	options, rest, found := strings.Cut(page, ".SH COMMANDS\n")
	require.True(t, found)
	rest, _, _ = strings.Cut(rest, ".SH EXIT STATUS\n")
	places := map[string]string{"": options}
	for place := range strings.SplitSeq(rest, ".SS gorewind ") {
		name, text, _ := strings.Cut(place, "\n")
		places[name] = text
	}
	for _, c := range commands {
		require.Contains(t, places, c.name)
		for _, o := range c.options() {
			assert.Regexp(t, `--`+o.name+`\b`, places[c.name], "gorewind %s --%s", c.name, o.name)
			if o.more != "" {
				explained := strings.Contains(options, strings.ReplaceAll(roff(o.more), `\-`, "-")) ||
					strings.Contains(places[c.name], strings.ReplaceAll(roff(o.more), `\-`, "-"))
				assert.True(t, explained, "gorewind %s --%s is not explained", c.name, o.name)
			}
		}
	}
}

func TestEveryOptionIsShownOnceInTheHelpOfACommand(t *testing.T) {
	used := map[string]bool{}
	for _, c := range commands {
		help := c.help("pg_rewind")
		for _, o := range c.options() {
			used[o.name] = true
			assert.Equal(t, 1, strings.Count(help, "\n"+strings.Split(o.helpLines(), "\n")[0]+"\n"), "%s --%s", c.name, o.name)
		}
		for line := range strings.Lines(help) {
			assert.LessOrEqual(t, len(strings.TrimSuffix(line, "\n")), 95, line)
			assert.NotContains(t, line, "\t")
		}
	}
	for _, o := range optionTable {
		assert.True(t, used[o.name], "no command has --%s", o.name)
	}
}

// Abbreviations of pg_rewind's options that were unambiguous still are.
func TestNewOptionsTakeNoAbbreviationAway(t *testing.T) {
	own := map[string]bool{}
	for _, name := range ownOptions {
		own[name] = true
	}
	var theirs []string
	for _, o := range commands[0].options() {
		if !own[o.name] {
			theirs = append(theirs, o.name)
		}
	}
	for _, name := range theirs {
		for n := 1; n <= len(name); n++ {
			matches := 0
			for _, other := range theirs {
				if strings.HasPrefix(other, name[:n]) {
					matches++
				}
			}
			if matches != 1 {
				continue
			}
			list := commands[0].options()
			i, _, _, err := getopt.New([]string{"--" + name[:n] + "=x"}, argumentsForAll(list), false).Next()
			if assert.NoError(t, err, name[:n]) {
				assert.Equal(t, name, list[i].name, "--%s", name[:n])
			}
		}
	}
}

// argumentsForAll lets every option take an argument.
func argumentsForAll(list []*option) []getopt.Option {
	all := getoptOptions(list)
	for i := range all {
		all[i].Arg = true
	}
	return all
}
