package pgconf_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/pgtest"
)

// corpus has configurations, each with the setting that a server is asked for.
// Of a text alone, that is postgresql.conf.
var corpus = []struct {
	name, ask string
	conf      string
	files     map[string]string
}{
	{"an empty file", "archive_command", "", nil},
	{"every escape", "log_line_prefix", `log_line_prefix = 'a''b\'c\\d\be\ff\tg\qh\101\7\0601|'`, nil},
	{"a newline and a return in a value", "log_line_prefix", `log_line_prefix = 'a\nb\rc'`, nil},
	{"octal numbers that do not fit", "log_line_prefix", `log_line_prefix = '\501\777x'`, nil},
	{"an escaped zero byte", "log_line_prefix", `log_line_prefix = 'ab\000cd'`, nil},
	{"an escaped number that is cut off to zero", "log_line_prefix", `log_line_prefix = 'ab\400cd'`, nil},
	{"an empty value", "log_line_prefix", `log_line_prefix = ''`, nil},
	{"nothing but quotes", "log_line_prefix", `log_line_prefix = ''''''`, nil},
	{"a comment after a quote", "log_line_prefix", `log_line_prefix = 'a # b' # 'c'`, nil},
	{"no equals sign", "log_line_prefix", `log_line_prefix 'x '`, nil},
	{"nothing between name and quote", "log_line_prefix", `log_line_prefix'x'`, nil},
	{"nothing between anything", "log_line_prefix", `log_line_prefix='x'#y`, nil},
	{"a number right behind the name", "log_line_prefix", `log_line_prefix+5`, nil},
	{"tabs, form feeds excluded", "log_line_prefix", "\t log_line_prefix\t=\t'x'\t", nil},
	{"a form feed", "log_line_prefix", "\flog_line_prefix = 'x'", nil},
	{"carriage returns", "log_line_prefix", "# c\r\nlog_line_prefix = 'x'\r\n\r\n", nil},
	{"a return within a line", "log_line_prefix", "log_line_prefix\r=\r'x\ry'", nil},
	{"a byte order mark", "log_line_prefix", "\ufeff# c\nlog_line_prefix = x", nil},
	{"upper case", "log_line_prefix", "LOG_Line_PREFIX = Xx", nil},
	{"the last one wins", "log_line_prefix", "log_line_prefix = a\nLOG_LINE_PREFIX = 'b'\nlog_line_prefix c", nil},
	{"a word", "log_line_prefix", "log_line_prefix = a.b-c:d/e_f9", nil},
	{"a name as value", "log_line_prefix", "log_line_prefix = a.b", nil},
	{"letters that are not ASCII", "log_line_prefix", "log_line_prefix = äö-ü", nil},
	{"bytes that are no characters", "log_line_prefix", "log_line_prefix = '\xff\xfe\\\xfc' # \xff", nil},
	{"a number with unit", "log_line_prefix", "log_line_prefix = 64MB", nil},
	{"a hexadecimal number", "log_line_prefix", "log_line_prefix = 0x1Fg", nil},
	{"not quite a hexadecimal number", "log_line_prefix", "log_line_prefix = 0xg", nil},
	{"a sign", "log_line_prefix", "log_line_prefix = -0x10", nil},
	{"two signs", "log_line_prefix", "log_line_prefix = --5", nil},
	{"a fraction", "log_line_prefix", "log_line_prefix = -1.5E-7", nil},
	{"a fraction with unit", "log_line_prefix", "log_line_prefix = 1.5GB", nil},
	{"an exponent without a dot", "log_line_prefix", "log_line_prefix = 1e3", nil},
	{"a lone dot", "log_line_prefix", "log_line_prefix = .", nil},
	{"a number before a unit before a number", "log_line_prefix", "log_line_prefix = 5min6", nil},
	{"a path", "log_line_prefix", "log_line_prefix = /tmp/x", nil},
	{"two words", "log_line_prefix", "log_line_prefix = a b", nil},
	{"two equals signs", "log_line_prefix", "log_line_prefix == a", nil},
	{"a name alone", "log_line_prefix", "log_line_prefix", nil},
	{"a name and an equals sign", "log_line_prefix", "log_line_prefix =\n", nil},
	{"a value alone", "log_line_prefix", "'x'", nil},
	{"an open quote", "log_line_prefix", "log_line_prefix = 'x", nil},
	{"a quote that a backslash keeps open", "log_line_prefix", `log_line_prefix = 'x\'`, nil},
	{"a quote over two lines", "log_line_prefix", "log_line_prefix = 'x\ny'", nil},
	{"a semicolon", "log_line_prefix", "log_line_prefix = 'x';", nil},
	{"double quotes", "search_path", `search_path = "x"`, nil},
	{"double quotes in quotes", "search_path", `search_path = '"x y", public'`, nil},
	{"a name of an extension", "my_ext.Some", "my_ext.some = 'v'\nMY_EXT.SOME = 'w'", nil},
	{"a name with a hyphen", "log_line_prefix", "my-ext.some = 'v'\nlog_line_prefix = 'x'", nil},
	{"a name with two dots", "log_line_prefix", "a.b.c = 'v'\nlog_line_prefix = 'x'", nil},
	{"a zero byte", "log_line_prefix", "log_line_prefix = a\x00b", nil},
	{"a zero byte in a comment", "log_line_prefix", "log_line_prefix = a # \x00b", nil},
	{"a restore command", "archive_command", `archive_command = 'test ! -f "/a b/%f" && cp ''%p'' "/a b/%f"; printf %%s\\n'`, nil},

	{"ALTER SYSTEM", "log_line_prefix", "log_line_prefix = a\n", map[string]string{
		"postgresql.auto.conf": "# Do not edit\nlog_line_prefix = 'b'",
	}},
	{"an ALTER SYSTEM that is broken", "log_line_prefix", "log_line_prefix = a\n", map[string]string{
		"postgresql.auto.conf": "log_line_prefix = 'b",
	}},
	{"an ALTER SYSTEM that includes", "log_line_prefix", "log_line_prefix = a\n", map[string]string{
		"postgresql.auto.conf": "include x/y", "x/y": "include 'z'", "x/z": "log_line_prefix = z",
	}},
	{"what is included, in its place", "log_line_prefix", "log_line_prefix = a\nINCLUDE = 'sub/x.conf'\n", map[string]string{
		"sub/x.conf": "log_line_prefix = 'x'\ninclude 'y.conf'\n", "sub/y.conf": "log_line_prefix = y",
	}},
	{"what comes after an include", "log_line_prefix", "include 'sub/x'\nlog_line_prefix = a\n", map[string]string{
		"sub/x": "log_line_prefix = 'x'",
	}},
	{"an include of an absolute path", "log_line_prefix", "include '@/sub/x'", map[string]string{
		"sub/x": "log_line_prefix = 'x'\ninclude '../y'", "y": "log_line_prefix = y",
	}},
	{"an include of nothing", "log_line_prefix", "include 'no'", nil},
	{"an include of a directory", "log_line_prefix", "include 'sub'", map[string]string{"sub/x": ""}},
	{"an include without a name", "log_line_prefix", "include ' '", nil},
	{"an include of something broken", "log_line_prefix", "include 'x'", map[string]string{"x": "a"}},
	{"an optional include of nothing", "log_line_prefix", "log_line_prefix = a\ninclude_if_exists 'no'", nil},
	{"an optional include below a file", "log_line_prefix", "log_line_prefix = a\ninclude_if_exists 'postgresql.conf/no'", nil},
	{"an optional include", "log_line_prefix", "log_line_prefix = a\ninclude_if_exists x", map[string]string{"x": "log_line_prefix = 'x'"}},
	{"an optional include of something broken", "log_line_prefix", "include_if_exists x", map[string]string{"x": "="}},
	{"an optional include of a directory", "log_line_prefix", "include_if_exists 'sub'", map[string]string{"sub/x": ""}},
	{"an optional include without a name", "log_line_prefix", "include_if_exists ''", nil},
	{"a directory, sorted", "log_line_prefix", "include_dir 'conf.d'", map[string]string{
		"conf.d/10.conf": "log_line_prefix = ten", "conf.d/9.conf": "log_line_prefix = nine", "conf.d/B.conf": "log_line_prefix = B",
		"conf.d/z.conf~": "=", "conf.d/z.CONF": "=", "conf.d/.z.conf": "=", "conf.d/.conf": "=", "conf.d/z": "=",
		"conf.d/zz.conf/x.conf": "=",
	}},
	{"a directory with nothing to read", "log_line_prefix", "include_dir conf.d", map[string]string{"conf.d/README": "="}},
	{"no directory", "log_line_prefix", "include_dir 'conf.d'", nil},
	{"a directory without a name", "log_line_prefix", "include_dir ''", nil},
	{"a directory with a link to nothing", "log_line_prefix", "include_dir 'conf.d'", map[string]string{"conf.d/x.conf": "-> nowhere"}},
	{"a directory with a link", "log_line_prefix", "include_dir 'conf.d'", map[string]string{
		"conf.d/x.conf": "-> ../y", "y": "log_line_prefix = y\ninclude_if_exists z", "z": "=", "conf.d/z": "log_line_prefix = z",
	}},
	{"a file that includes itself", "log_line_prefix", "include './postgresql.conf'", nil},
	{"a file that optionally includes itself", "log_line_prefix", "include_if_exists './postgresql.conf'", nil},
	{"a file that includes itself through another", "log_line_prefix", "include x", map[string]string{"x": "include 'postgresql.conf'"}},
	{"a directory that holds the file", "log_line_prefix", "include_dir '.'", nil},
	{"includes, ten deep", "log_line_prefix", "include d1", deep(10)},
	{"includes, eleven deep", "log_line_prefix", "include d1", deep(11)},

	{"a data directory elsewhere", "log_line_prefix", "data_directory = '@/sub'\nlog_line_prefix = a\n", map[string]string{
		"postgresql.auto.conf": "log_line_prefix = wrong", "sub/postgresql.auto.conf": "log_line_prefix = right",
	}},
}

func deep(n int) map[string]string {
	files := map[string]string{}
	for i := 1; i < n; i++ {
		files["d"+string(rune('0'+i))] = "include d" + string(rune('1'+i)) + "\n"
	}
	files["d"+string(rune('0'+n))] = "log_line_prefix = deep\n"
	return files
}

func TestConfigurationIsReadAsByTheServer(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		for _, c := range corpus {
			dir := writeConf(t, c.conf, c.files)
			compare(t, in, c.name, c.ask, pgconf.Options{DataDir: dir, Version: in.Version})
		}
	})
}

func TestConfigFileOutsideOfTheDataDirectory(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		etc := writeConf(t, "log_line_prefix = '%m '\ninclude 'x.conf'", map[string]string{"x.conf": "cluster_name = 'etc'"})
		data := writeConf(t, "=", map[string]string{"postgresql.auto.conf": "log_line_prefix = 'auto'", "x.conf": "="})
		o := pgconf.Options{DataDir: data, ConfigFile: filepath.Join(etc, "postgresql.conf"), Version: in.Version}
		compare(t, in, "config_file", "cluster_name", o)
		compare(t, in, "config_file", "log_line_prefix", o)
	})
}

func writeConf(t *testing.T, conf string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		if to, isLink := strings.CutPrefix(text, "-> "); isLink {
			require.NoError(t, os.Symlink(to, path))
			return
		}
		require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(text, "@", dir)), 0o600))
	}
	write("postgresql.conf", conf)
	for name, text := range files {
		write(name, text)
	}
	return dir
}

// compare checks one setting, and whether the server starts with that at all.
func compare(t *testing.T, in *pgtest.Installation, name, ask string, o pgconf.Options) {
	t.Helper()
	args := []string{"-D", o.DataDir, "-C", ask}
	if o.ConfigFile != "" {
		args = append(args, "-c", "config_file="+o.ConfigFile)
	}
	cmd := in.Command(t, "postgres", args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	accepted := cmd.Run() == nil
	got, err := pgconf.Load(o)
	if !accepted {
		assert.Error(t, err, "%s: the server says %s", name, &stderr)
		return
	}
	if !assert.NoError(t, err, name) {
		return
	}
	value, _ := got.Lookup(ask)
	assert.Equal(t, strings.TrimSuffix(stdout.String(), "\n"), value, name)
}
