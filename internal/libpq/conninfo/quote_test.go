package conninfo_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/libpq/conninfo"
)

func FuzzAQuotedValueIsReadAsItWas(f *testing.F) {
	for _, value := range []string{"", "plain", "a b", "it's", `back\slash`, `'`, `\`, "\t\n", "a=b", "postgres://", "ü", "\xff"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.Contains(value, "\x00") {
			t.Skip("no connection string has a NUL byte")
		}
		settings, err := conninfo.Parse("user=u password=" + conninfo.Quote(value) + " dbname=d")
		require.NoError(t, err)
		assert.Equal(t, value, settings.Value("password"))
		assert.Equal(t, "d", settings.Value("dbname"))
	})
}
