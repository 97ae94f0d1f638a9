package gorewind_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestModulesOfTheirOwn has go test ./... run everything: the go command passes over
// directories with a go.mod of their own, with a workspace, too.
func TestModulesOfTheirOwn(t *testing.T) {
	found := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if dir := filepath.Dir(path); d.Name() == "go.mod" && dir != "." {
			found++
			t.Run(filepath.ToSlash(dir), func(t *testing.T) {
				t.Parallel()
				mustGo(t, dir, "vet", "./...")
				mustGo(t, dir, "test", "./...")
				mustGo(t, dir, "mod", "tidy", "-diff")
			})
		}
		return nil
	}))
	assert.Equal(t, 6, found)
}

// TestAnImporterGetsNoMoreThanItNeeds has a module that imports one of our packages. What
// its go.mod gets it pays for: it is downloaded, vendored and scanned for
// vulnerabilities. In go.sum there are also those that the tests of what it imports take,
// since go mod tidy makes them run.
func TestAnImporterGetsNoMoreThanItNeeds(t *testing.T) {
	root, err := os.Getwd()
	require.NoError(t, err)
	var (
		system    = []string{"golang.org/x/sync", "golang.org/x/sys"}
		pages     = []string{"github.com/klauspost/compress", "github.com/pierrec/lz4/v4"} // in WAL and in tables
		encodings = []string{"golang.org/x/text"}
		protocol  = []string{
			"github.com/jackc/pgio", "github.com/jackc/pglogrepl", "github.com/jackc/pgpassfile", "github.com/jackc/pgservicefile", "github.com/jackc/pgx/v5",
		}
		testify = []string{"github.com/davecgh/go-spew", "github.com/pmezard/go-difflib", "github.com/stretchr/testify", "gopkg.in/yaml.v3"}
	)
	for _, c := range []struct {
		imports     string
		needs, sums []string
	}{
		{"pgdata", nil, testify},
		{"controlfile", nil, testify},
		{"report", nil, testify},
		{"source", system, testify},
		{"rewind", slices.Concat(system, pages, encodings), slices.Concat(protocol, testify)},
		{"source/pgsource", slices.Concat(system, encodings, protocol), append(testify, "github.com/jackc/puddle/v2")},
	} {
		t.Run(c.imports, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(name, text string) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
			}
			write("go.mod", "module example.org/importer\n\ngo 1.25.0\n\nrequire "+strings.TrimSuffix(module, "/")+" v0.0.0\n\nreplace "+strings.TrimSuffix(module, "/")+" => "+root+"\n")
			write("main.go", "package main\n\nimport _ \""+module+c.imports+"\"\n\nfunc main() {}\n")
			mustGo(t, dir, "mod", "tidy")

			required := words(t, filepath.Join(dir, "go.mod"), `(?m)^\t(\S+) v\S+ // indirect$|^require (\S+) v\S+ // indirect$`)
			assert.ElementsMatch(t, c.needs, required, "go.mod")
			summed := words(t, filepath.Join(dir, "go.sum"), `(?m)^(\S+) v[^/\s]+ h1:`)
			assert.ElementsMatch(t, slices.Concat(c.needs, c.sums), summed, "go.sum")
			mustGo(t, dir, "mod", "vendor")
			vendored := words(t, filepath.Join(dir, "vendor", "modules.txt"), `(?m)^# (\S+) v\S+$`)
			assert.ElementsMatch(t, c.needs, vendored, "vendor")
		})
	}
}

// words are what the groups of a pattern match in a file, each once.
func words(t *testing.T, file, pattern string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	var all []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
		all = append(all, strings.Join(m[1:], ""))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func mustGo(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "go %s in %s: %s", strings.Join(args, " "), dir, out)
}

// What makes the saved clusters lies below testdata, where the go command looks only if
// it is told to.
func TestWhatMakesTheSavedClustersBuilds(t *testing.T) {
	mustGo(t, ".", "vet", "./testdata/makeclusters")
}
