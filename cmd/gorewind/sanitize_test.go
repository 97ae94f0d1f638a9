package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Names of files come from the source, and a log is read line by line.
func TestNothingFromOutsideSteersATerminalOrForgesALine(t *testing.T) {
	target, source := restore(t)
	const name = "a\x1b[2J\u202e\u009b5m\xff\ngorewind: Done!"
	require.NoError(t, os.WriteFile(filepath.Join(source, name), []byte("x"), 0o600))
	const shown = `a\x1b[2J\u202e\u009b5m\xff\ngorewind: Done!`
	for _, args := range [][]string{
		{"-n", "--debug", "-D", target, "--source-pgdata", source},
		{"-n", "--debug", "--log-format=json", "--format=json", "-D", target, "--source-pgdata", source},
		{"diff", "--debug", target, source},
		{"diff", "--format=json", target, source},
		{"-D", target + name, "--source-pgdata", source},
		{"diff", target, source + name},
		{"--" + name},
		{"-n", "-D", target, "--source-pgdata", source, "--keep=[" + name},
	} {
		got := gorewind(t, args...)
		for _, text := range []string{got.stdout, got.stderr} {
			assert.Empty(t, rawIn(text), "%q\n%s", args, text)
			assert.NotContains(t, text, "\ngorewind: Done!\ngorewind: Done!")
		}
		all := got.stdout + got.stderr
		assert.True(t, strings.Contains(all, shown) || strings.Contains(all, `a\u001b[2J\u202e\u009b5m`) || strings.Contains(all, jsonOf(t, shown)), "%q\n%s", args, all)
	}
}

// rawIn is what should not have been written unchanged.
func rawIn(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) && r != unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ReplaceAll(text, "\\ufffd", ""))
}

func jsonOf(t *testing.T, s string) string {
	text, err := json.Marshal(s)
	require.NoError(t, err)
	return strings.Trim(string(text), `"`)
}

func TestNoMessageIsLongerThanAScreen(t *testing.T) {
	target, source := restore(t)
	long := strings.Repeat("x", 100_000)
	for _, args := range [][]string{
		{"-D", long, "--source-pgdata", source},
		{"-D", target, "--source-pgdata", source, "--keep=[" + long},
		{"-D", target, "--source-server", "host=/tmp/" + long},
		{"--" + long},
	} {
		got := gorewind(t, args...)
		assert.NotZero(t, got.status)
		for line := range strings.Lines(got.stderr) {
			assert.Less(t, len(line), 24*80, "%.200s", line)
		}
	}
}
