package pgconf

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func FuzzParseLine(f *testing.F) {
	for _, line := range []string{
		"", "# x", "a = b", "a b", "A.b 'x''y\\'\\101\\n' # c", "a=0x1F", "a -1.5e+7", "a = 'x", "a == b", "\xff = '\xfe'", "a'\\",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "\n") {
			return // is more than a line
		}
		name, value, err := parseLine(line)
		if err != nil || name == "" {
			return
		}
		quoted, err := Quote(value)
		require.NoError(t, err)
		again, same, err := parseLine(name + " = " + quoted)
		require.NoError(t, err)
		assert.Equal(t, name, again)
		assert.Equal(t, value, same)
	})
}

func FuzzSet(f *testing.F) {
	f.Add("# c\r\na = 1\nPRIMARY_conninfo 'x'", "host='/a b' password='\\''\n")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, file, value string) {
		set, err := Set([]byte(file), AutoFile, "primary_conninfo", value)
		if err != nil {
			return
		}
		before, err := settings(AutoFile, []byte(file))
		require.NoError(t, err)
		after, err := settings(AutoFile, set)
		require.NoError(t, err)
		var kept []setting
		for _, s := range before {
			if lower(s.name) != "primary_conninfo" {
				kept = append(kept, s)
			}
		}
		require.Len(t, after, len(kept)+1)
		for i, s := range kept {
			assert.Equal(t, s.name+"="+s.value, after[i].name+"="+after[i].value)
		}
		assert.Equal(t, value, after[len(kept)].value)
	})
}

func FuzzEndpoints(f *testing.F) {
	for _, s := range []string{
		"", "host=a,b port=1,2 hostaddr=", `password='a\'b' host = c\ d`, "postgres://u:p@[::1]:5432,h/db?host=%2Ftmp&port=1", "postgresql://", "host='", "service=x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, conninfo string) {
		list, ok := endpoints(conninfo)
		assert.Equal(t, ok, len(list) > 0)
		(&Config{values: map[string]setting{}}).PointsToItself(conninfo, Here{CommandLine: []byte(conninfo)})
	})
}
