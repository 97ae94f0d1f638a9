package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/rewind"
)

// ofTheLibrary are fields that the program never sets, and that are named only to those who
// set them.
var ofTheLibrary = []string{"Options.FetchWAL", "Options.ServerProgram"}

// Every field that the library's advice names has an option, and exists.
func TestAdviceOfTheLibraryIsSaidInOptions(t *testing.T) {
	named := map[string]bool{}
	advice := regexp.MustCompile(`Options\.[A-Z]\w+|rewind\.Resume\b`)
	for _, pkg := range []string{"rewind", "filemap", "internal/decide", "source", "source/pgsource", "internal/apply", "internal/recovery", "internal/archive", "internal/pgconf", "internal/datadir"} {
		files, err := filepath.Glob(filepath.Join("..", "..", pkg, "*.go"))
		require.NoError(t, err)
		for _, name := range files {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			for line := range strings.Lines(string(text)) {
				if strings.HasSuffix(name, "_test.go") {
					continue
				}
				for _, literal := range regexp.MustCompile(`"(?:[^"\\\\]|\\\\.)*"`).FindAllString(line, -1) {
					for _, field := range advice.FindAllString(literal, -1) {
						named[field] = true
					}
				}
			}
		}
	}
	require.NotEmpty(t, named)
	for field := range named {
		name, isField := strings.CutPrefix(field, "Options.")
		if isField {
			_, isField = reflect.TypeFor[rewind.Options]().FieldByName(name)
			assert.True(t, isField, field)
		}
		if field != "Options.EnsureShutdown" && !slices.Contains(ofTheLibrary, field) { // which has no option, but some against it
			assert.NotEmpty(t, optionOf[field], field)
		}
	}
	for _, option := range optionOf {
		if name, is := strings.CutPrefix(option, "--"); is {
			assert.NotNil(t, optionNamed(name))
		}
	}
}

func TestAdviceKnowsWhichOptionsWereGiven(t *testing.T) {
	target, source := restore(t)
	require.NoError(t, os.Remove(filepath.Join(target, "pg_wal", "00000001000000000000000B")))
	require.NoError(t, os.WriteFile(filepath.Join(target, "postgresql.conf"), []byte("restore_command = 'false'\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(target, "postgresql.auto.conf"), nil, 0o600))
	got := gorewind(t, "-D", target, "--source-pgdata", source, "--format=json")
	assert.Contains(t, got.stderr, "bring it back with --restore-target-wal")
	assert.Contains(t, got.stdout, "bring it back with --restore-target-wal")
	got = gorewind(t, "-c", "-D", target, "--source-pgdata", source)
	assert.Equal(t, 1, got.status)
	assert.NotContains(t, got.stderr, "--restore-target-wal")

	editControl(t, target, setState(6)) // in production
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-n"}, "or have that done by a run without --dry-run."},
		{[]string{"--no-ensure-shutdown"}, "or have that done by a run without --no-ensure-shutdown."},
		{[]string{"-n", "--no-ensure-shutdown"}, "or have that done by a run without --dry-run and --no-ensure-shutdown."},
	} {
		got := gorewind(t, append(c.args, "-D", target, "--source-pgdata", source)...)
		assert.Equal(t, 1, got.status)
		assert.Contains(t, got.stderr, c.want)
	}
}
