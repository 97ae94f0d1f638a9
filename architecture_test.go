// The tests of this package are about the repository as a whole.
package gorewind_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/walreader"
)

const module = "github.com/gorewind/gorewind/"

// mayImport lists, for every package, which of our own it may import directly.
// ARCHITECTURE.md says why.
var mayImport = map[string][]string{
	"pgdata":                   {},
	"controlfile":              {"pgdata", "internal/regular"},
	"timeline":                 {"pgdata", "controlfile", "internal/regular"},
	"walreader":                {"pgdata", "controlfile", "timeline", "internal/regular"},
	"heap":                     {"pgdata"},
	"heap/types":               {"heap"},
	"heap/heapwal":             {"pgdata", "walreader", "heap", "internal/xidset"},
	"catalog":                  {"pgdata", "heap", "heap/types"},
	"internal/xidset":          {},
	"lost":                     {"pgdata", "walreader", "heap/heapwal", "internal/xidset"},
	"lost/rows":                {"pgdata", "walreader", "heap", "heap/types", "heap/heapwal", "catalog", "internal/xidset"},
	"lost/rows/export":         {"lost/rows"},
	"filemap":                  {"pgdata"},
	"internal/decide":          {"pgdata", "filemap", "internal/ownfiles"},
	"internal/ownfiles":        {},
	"internal/page":            {"pgdata"},
	"internal/plain":           {},
	"internal/regular":         {},
	"internal/seam":            {},
	"internal/poison":          {"pgdata", "controlfile"},
	"internal/datadir":         {"pgdata", "internal/regular"},
	"internal/pgconf":          {"pgdata", "internal/datadir", "internal/regular", "internal/libpq/conninfo"},
	"internal/archive":         {"pgdata", "timeline", "internal/datadir", "internal/regular"},
	"internal/recovery":        {"pgdata", "controlfile", "internal/datadir", "internal/ownfiles", "internal/poison"},
	"source":                   {"pgdata", "internal/datadir"},
	"source/pgsource":          {"pgdata", "source", "internal/libpq", "internal/libpq/conninfo", "internal/plain"},
	"internal/libpq":           {"source", "internal/libpq/conninfo", "internal/plain"},
	"internal/libpq/conninfo":  {},
	"internal/apply":           {"pgdata", "controlfile", "filemap", "internal/datadir", "internal/decide", "internal/ownfiles", "internal/poison", "internal/regular"},
	"internal/apply/faultdisk": {"internal/apply"},
	"report":                   {"internal/plain"},
	"report/html":              {"report"},
	"rewind": {
		"pgdata", "controlfile", "timeline", "walreader", "lost", "lost/rows", "lost/rows/export", "filemap", "source", "report",
		"internal/datadir", "internal/regular", "internal/page", "internal/plain", "internal/poison", "internal/seam", "internal/xidset", "internal/decide", "internal/apply", "internal/pgconf", "internal/archive", "internal/recovery",
	},
	"cmd/gorewind": {"pgdata", "lost/rows/export", "report", "report/html", "rewind", "source", "source/pgsource", "internal/getopt", "internal/plain"},
	"rewindtest": {
		"pgdata", "controlfile", "walreader", "source", "rewind", "internal/page", "internal/regular", "internal/seam", "internal/waltest",
	},
	"internal/getopt":       {},
	"internal/savedcluster": {"pgdata"},
	"internal/schemacheck":  {},
	"internal/waltest":      {"pgdata", "walreader"},
	"demo": {
		"pgdata", "internal/page", "internal/pgtest/built", "internal/pgtest/cluster", "internal/pgtest/scratch", "internal/pgtest/servers",
		"internal/pgtest/unprivileged",
	},
	"bench": {
		"pgdata", "controlfile", "filemap", "source", "source/pgsource", "report", "rewind", "internal/pgtest/built", "internal/pgtest/cluster",
		"internal/pgtest/proxy", "internal/pgtest/scratch", "internal/pgtest/servers", "internal/pgtest/unprivileged",
	},

	"internal/pgtest": {
		"internal/pgtest/cluster", "internal/pgtest/console", "internal/pgtest/download", "internal/pgtest/process", "internal/pgtest/scratch",
		"internal/pgtest/servers", "internal/pgtest/unprivileged",
	},
	"internal/pgtest/built":       {"internal/pgtest/scratch"},
	"internal/pgtest/cache":       {"internal/pgtest/scratch"},
	"internal/pgtest/chance":      {},
	"internal/pgtest/cluster":     {"pgdata", "internal/pgtest/cache", "internal/pgtest/dirtree", "internal/pgtest/lockfile", "internal/pgtest/process", "internal/pgtest/scratch"},
	"internal/pgtest/console":     {},
	"internal/pgtest/dirtree":     {},
	"internal/pgtest/download":    {"internal/pgtest/built", "internal/pgtest/cache", "internal/pgtest/lockfile", "internal/pgtest/process", "internal/pgtest/scratch"},
	"internal/pgtest/lockfile":    {},
	"internal/pgtest/process":     {},
	"internal/pgtest/proxy":       {"internal/pgtest/cluster"},
	"internal/pgtest/rogueserver": {},
	"internal/pgtest/scratch":     {"internal/pgtest/lockfile"},
	"internal/pgtest/servers":     {"pgdata", "internal/pgtest/cluster", "internal/pgtest/download"},
	"internal/pgtest/smalldisk":   {},
	"internal/pgtest/unprivileged": {
		"internal/pgtest/built", "internal/pgtest/cache", "internal/pgtest/console", "internal/pgtest/dirtree", "internal/pgtest/process",
		"internal/pgtest/scratch", "internal/pgtest/servers", "internal/pgtest/smalldisk",
	},

	"packaging/archive": {},

	"testdata/makeclusters": {
		"pgdata", "lost/rows/export", "rewind", "source", "internal/savedcluster", "internal/pgtest/cluster", "internal/pgtest/download",
		"internal/pgtest/scratch", "internal/pgtest/servers", "internal/pgtest/unprivileged",
	},

	"internal/endtoend": {
		"pgdata", "controlfile", "rewind", "source", "source/pgsource", "internal/page", "internal/pgtest", "internal/pgtest/chance",
		"internal/pgtest/cluster", "internal/pgtest/dirtree",
	},
	"internal/endtoend/sides":     {}, // tests only, as the others
	"internal/endtoend/wal":       {},
	"internal/endtoend/files":     {},
	"internal/endtoend/rows":      {},
	"internal/endtoend/recovery":  {},
	"internal/endtoend/resync":    {},
	"internal/endtoend/histories": {},
	"internal/endtoend/whole":     {},
	"internal/endtoend/adopters":  {"rewind", "report", "source", "source/pgsource"}, // what is public
}

// mayDependOn lists which modules of others a package may pull in, itself or
// through what it imports; golang.org/x/sync is for all.
var mayDependOn = map[string][]string{
	"internal/datadir":         {"golang.org/x/sys"}, // listing
	"internal/archive":         {"golang.org/x/sys"},
	"internal/pgconf":          {"golang.org/x/sys"},
	"internal/recovery":        {"golang.org/x/sys"},
	"source":                   {"golang.org/x/sys"},
	"internal/apply":           {"golang.org/x/sys"}, // file locks, mounts, free space
	"internal/apply/faultdisk": {"golang.org/x/sys"},
	"heap":                     {"github.com/pierrec/lz4/v4"}, // values can be compressed with it
	"heap/types":               {"github.com/pierrec/lz4/v4"},
	"heap/heapwal":             {"github.com/pierrec/lz4/v4", "github.com/klauspost/compress"}, // page images
	"catalog":                  {"github.com/pierrec/lz4/v4"},
	"lost":                     {"github.com/pierrec/lz4/v4", "github.com/klauspost/compress"},
	"lost/rows":                {"github.com/pierrec/lz4/v4", "github.com/klauspost/compress", "golang.org/x/text"}, // encodings
	"lost/rows/export":         {"github.com/pierrec/lz4/v4", "github.com/klauspost/compress", "golang.org/x/text"},
	"rewind":                   {"golang.org/x/sys", "github.com/pierrec/lz4/v4", "github.com/klauspost/compress", "golang.org/x/text"},
	"internal/libpq":           {"github.com/jackc/", "golang.org/x/text", "golang.org/x/sys"},
	"rewindtest":               {"golang.org/x/sys", "github.com/pierrec/lz4/v4", "github.com/klauspost/compress", "golang.org/x/text"},
	"source/pgsource":          {"github.com/jackc/", "golang.org/x/text", "golang.org/x/sys"},
	"cmd/gorewind": {
		"github.com/pierrec/lz4/v4", "github.com/klauspost/compress",
		"github.com/jackc/", "golang.org/x/text",
		"golang.org/x/term", "golang.org/x/sys",
	},
	// For tests, the demonstration and the benchmark: anything.
	"internal/endtoend":            nil,
	"internal/endtoend/adopters":   nil,
	"internal/pgtest":              nil,
	"internal/pgtest/cluster":      nil,
	"internal/pgtest/proxy":        nil,
	"internal/pgtest/rogueserver":  nil,
	"internal/pgtest/servers":      nil,
	"internal/pgtest/unprivileged": nil,
	"testdata/makeclusters":        nil,
	"demo":                         nil,
	"bench":                        nil,
}

func goList(t *testing.T, format string, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-f", format}, args...)...).Output()
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestPackagesImportOnlyWhatTheArchitectureAllows(t *testing.T) {
	for _, line := range goList(t, `{{.ImportPath}} {{join .Imports " "}}`, "./...", "./testdata/makeclusters") {
		importPath, imports, _ := strings.Cut(line, " ")
		name, ours := strings.CutPrefix(importPath, module)
		if !ours {
			continue // the package of this test
		}
		allowed, known := mayImport[name]
		require.True(t, known, "package %s is not in the architecture: add it here and to ARCHITECTURE.md", name)
		for imported := range strings.FieldsSeq(imports) {
			if own, ours := strings.CutPrefix(imported, module); ours {
				assert.Contains(t, allowed, own, "package %s imports %s", name, own)
			}
		}
	}
}

// importsPgx are the packages that may import pgx themselves.
var importsPgx = []string{"source/pgsource", "internal/libpq"}

func TestPgxIsImportedInTwoPlaces(t *testing.T) {
	for _, line := range goList(t, `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		importPath, imports, _ := strings.Cut(line, " ")
		name, _ := strings.CutPrefix(importPath, module)
		allowed, special := mayDependOn[name]
		if strings.Contains(imports, "github.com/jackc/") && (!special || allowed != nil) {
			assert.Contains(t, importsPgx, name)
		}
	}
}

func TestLibraryUsersPayOnlyForWhatTheyImport(t *testing.T) {
	for name := range mayImport {
		allowed, special := mayDependOn[name]
		if special && allowed == nil {
			continue
		}
		for _, dep := range goList(t, `{{if not .Standard}}{{.ImportPath}}{{end}}`, "-deps", "./"+name) {
			if dep == "" || strings.HasPrefix(dep, module) || strings.HasPrefix(dep, "golang.org/x/sync/") {
				continue
			}
			assert.True(t, slices.ContainsFunc(allowed, func(p string) bool { return strings.HasPrefix(dep, p) }),
				"package %s depends on %s", name, dep)
		}
	}
}

// The sets of methods of interfaces that importers implement. They stay as they are:
// what a source can do besides is an interface of its own, which is optional.
func TestWhatImportersImplementDoesNotGrow(t *testing.T) {
	for _, c := range []struct {
		of      reflect.Type
		methods []string
	}{
		{reflect.TypeFor[source.Source](), []string{"Close", "Fetch", "Files", "ReadFile", "State", "String"}},
		{reflect.TypeFor[source.Sink](), []string{"Vanished", "WriteAt"}},
		{reflect.TypeFor[walreader.Segments](), []string{"OpenSegment"}},
		{reflect.TypeFor[walreader.Visitor](), []string{"Prepend", "Visit"}},
	} {
		var got []string
		for i := range c.of.NumMethod() {
			got = append(got, c.of.Method(i).Name)
		}
		assert.Equal(t, c.methods, got, "%s: add an optional interface instead", c.of)
	}
}

// opensByName is what could wait at a fifo that lies where a file belongs.
var opensByName = regexp.MustCompile(`\bos\.(Open|OpenFile|ReadFile)\(|(?i:root)\.(Open|OpenFile|ReadFile)\(`)

// mayOpen lists the files that open something by themselves, and what it is.
var mayOpen = map[string]string{
	"internal/datadir/regular.go":   "it is for all others, and does not wait",
	"internal/archive/archive.go":   "a file of its own, which it makes",
	"internal/recovery/attached.go": "what the kernel has in /proc",
	"internal/recovery/signals.go":  "the data directory itself",
	"internal/apply/interlock.go":   "the data directory itself",
	"rewind/lostdir.go":             "the directory for what is lost",
}

// Files of a data directory are opened by internal/datadir, which waits for nobody.
func TestFilesOfADataDirectoryAreOpenedWithoutWaiting(t *testing.T) {
	for _, pkg := range []string{"source", "rewind", "internal/datadir", "internal/pgconf", "internal/archive", "internal/apply", "internal/recovery"} {
		files, err := filepath.Glob(pkg + "/*.go")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") || mayOpen[name] != "" {
				continue
			}
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			for line := range strings.Lines(string(text)) {
				if opensByName.MatchString(line) && !strings.Contains(line, "NoWaiting") {
					assert.Fail(t, "it could wait at a fifo: open it with internal/datadir", "%s: %s", name, line)
				}
			}
		}
	}
}

// anOption is how command lines are spelled.
var anOption = regexp.MustCompile(`"[^"]*--[a-z][a-z-]+`)

// What the library advises is for programs: it names fields of rewind.Options, which
// the command line makes options of.
func TestTheLibrarySpeaksOfNoCommandLine(t *testing.T) {
	for _, pkg := range []string{
		"controlfile", "filemap", "lost", "pgdata", "report", "rewind", "source", "source/pgsource", "timeline", "walreader",
		"internal/archive", "internal/datadir", "internal/decide", "internal/pgconf", "internal/apply",
	} {
		files, err := filepath.Glob(pkg + "/*.go")
		require.NoError(t, err)
		for _, name := range files {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			for line := range strings.Lines(string(text)) {
				if code, _, _ := strings.Cut(line, "// "); !strings.HasSuffix(name, "_test.go") && anOption.MatchString(code) {
					assert.Fail(t, "name the field of rewind.Options instead", "%s: %s", name, line)
				}
			}
		}
	}
}
