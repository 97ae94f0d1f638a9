package sanitize_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/sanitize"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"what is printable stays", `größe "日本" \x1b 100 %`, `größe "日本" \x1b 100 %`},
		{"an escape sequence of a terminal is shown", "\x1b]0;title\a\x1b[2Jx", `\x1b]0;title\a\x1b[2Jx`},
		{"a line stays one", "a\r\nb\tc\x00", `a\r\nb\tc\x00`},
		{"controls beyond ASCII are controls", "\u009b2J\x7f\u0085", `\u009b2J\x7f\u0085`},
		{"nothing turns the direction of writing", "a\u202egnp.exe\u2066", `a\u202egnp.exe\u2066`},
		{"nothing has no width", "a\u200bb\ufeff\u2028", `a\u200bb\ufeff\u2028`},
		{"tags beyond the basic plane are invisible, too", "a\U000e0041", `a\U000e0041`},
		{"bytes that are no UTF-8 are shown one by one", "caf\xe9\xc3", `caf\xe9\xc3`},
		{"the character for those is not mistaken for them", "\ufffd\xff", `\ufffd\xff`},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, sanitize.Text(c.in, sanitize.Unlimited)) })
	}
}

func TestTextIsCappedInItsMiddle(t *testing.T) {
	long := `could not open file "` + strings.Repeat("ä", 5000) + `": no such file`
	got := sanitize.Text(long, 100)
	assert.LessOrEqual(t, len(got), 100)
	assert.Regexp(t, `^could not open file "ä+ \[\d+ bytes left out\] .*": no such file$`, got)
	assert.Equal(t, "[50 bytes left out]", sanitize.Text(strings.Repeat("x", 50), 5), "where nothing fits")
	assert.Equal(t, "12345", sanitize.Text("12345", 5))
	// What is escaped counts as it is shown.
	assert.LessOrEqual(t, len(sanitize.Text(strings.Repeat("\x1b", 1000), 100)), 100)
}

func TestJSONSaysTheSame(t *testing.T) {
	in := map[string]string{"k\u009b": "a\u202eb\x1b\x7f\U000e0041ä日\ufffd"}
	text, err := json.MarshalIndent(in, "", "  ")
	require.NoError(t, err)
	got := sanitize.JSON(text)
	assert.Empty(t, strings.Trim(string(got), "\n{} \"k:,ab日ä\ufffd\\u0123456789cdef"))
	var out map[string]string
	require.NoError(t, json.Unmarshal(got, &out))
	assert.Equal(t, in, out)
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b\u202e\xff", 30)
	f.Add(strings.Repeat("ä", 50), 40)
	f.Add("\ufffd", 0)
	f.Fuzz(func(t *testing.T, s string, max int) {
		got := sanitize.Text(s, max)
		for _, r := range got {
			if !unicode.IsPrint(r) || r == utf8.RuneError {
				t.Fatalf("%q has %q", got, r)
			}
		}
		if max > 60 && len(got) > max {
			t.Fatalf("%d bytes, at most %d asked for", len(got), max)
		}
		if sanitize.Text(got, sanitize.Unlimited) != got {
			t.Fatalf("%q is not plain", got)
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add("a\x1b\u202e\u009b\U000e0041")
	f.Fuzz(func(t *testing.T, s string) {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		if err := json.Unmarshal(text, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(sanitize.JSON(text), &after); err != nil || before != after {
			t.Fatalf("%q became %q: %v", before, after, err)
		}
	})
}
