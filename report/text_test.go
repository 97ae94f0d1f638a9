package report_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/report"
)

func textOf(t *testing.T, d *report.Document, o report.Options) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Text(&b, d, o))
	return b.String()
}

func TestTextIsAsItWasLookedAt(t *testing.T) {
	for name, d := range samples() {
		t.Run(name, func(t *testing.T) {
			got := textOf(t, d, report.Options{Width: 80})
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
		})
	}
}

func TestTextFitsAndIsPlainWhereItMustBe(t *testing.T) {
	for name, d := range samples() {
		for _, width := range []int{0, 40, 57, 80, 200} {
			text := textOf(t, d, report.Options{Width: width})
			for line := range strings.Lines(text) {
				line = strings.TrimSuffix(line, "\n")
				assert.LessOrEqual(t, utf8.RuneCountInString(line), max(width, 40), "%s: %q", name, line)
				assert.Equal(t, strings.TrimRight(line, " "), line, name)
			}
			for _, r := range text {
				if !assert.Less(t, r, rune(0x80), name) {
					break
				}
			}
			assert.NotContains(t, text, "\x1b")
		}
		assert.Less(t, len(textOf(t, d, report.Options{Width: 80})), 8000, "%s is to be read", name)
	}
	drawn := textOf(t, planSample(), report.Options{Width: 80, Unicode: true, Color: true})
	assert.Contains(t, drawn, "╭──────────▶ source, timeline 2")
	assert.Contains(t, drawn, "\x1b[1mWhat is lost\x1b[0m")
}

func TestBytesAreWrittenForPeople(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 999: "999 bytes", 1000: "1.0 kB", 8192: "8.0 kB", 24576: "24 kB", 10 << 20: "10 MB", 1 << 30: "1.0 GB", -8192: "-8.0 kB", 1 << 62: "4.0 EB",
	} {
		assert.Equal(t, want, report.Bytes(n))
	}
}

// TestThePageHasADocumentToShow writes the document that the page's tests read.
func TestThePageHasADocumentToShow(t *testing.T) {
	want, err := json.MarshalIndent(samples()["result"], "", "  ")
	require.NoError(t, err)
	name := filepath.Join("html", "testdata", "result.json")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, append(want, '\n'), 0o644))
	}
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, string(want)+"\n", string(got))
}

func FuzzText(f *testing.F) {
	for _, d := range samples() {
		if text, err := json.Marshal(d); err == nil && len(text) < 100_000 {
			f.Add(text, 80)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, width int) {
		var d report.Document
		if json.Unmarshal(text, &d) != nil {
			return
		}
		width = min(max(width, -1), 300)
		for line := range strings.Lines(textOf(t, &d, report.Options{Width: width})) {
			assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), max(width, 40), "%q", line)
		}
	})
}
