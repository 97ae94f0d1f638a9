package report_test

import (
	"bytes"
	"encoding/json"
	"math"
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

// golden compares a text with a golden file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(got), 0o644))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

func TestTextIsAsReviewed(t *testing.T) {
	for name, d := range samples() {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".txt", textOf(t, d, report.Options{Width: 80}))
		})
	}
}

func TestTextFitsAndIsASCIIIfAsked(t *testing.T) {
	for name, d := range samples() {
		for _, width := range []int{1, 40, 57, 80, 200} {
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
		assert.Less(t, len(textOf(t, d, report.Options{Width: 80})), 8000, "%s can be read by people", name)
	}
	drawn := textOf(t, planSample(), report.Options{Width: 80, Unicode: true, Color: true})
	assert.Contains(t, drawn, `
                        ╭──────────▶ source, timeline 2
  0/2000080   0/3000148 │
  ────◆─────────────────┤
                        │
                        ╰──────────✕ target, timeline 1
                                     1234 commits, 34 MB of WAL: lost
`)
	assert.Contains(t, drawn, "\x1b[1mWhat is lost\x1b[0m")
}

func TestBytesAreWrittenForPeople(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 999: "999 bytes", 1000: "1.0 kB", 8192: "8.0 kB", 24576: "24 kB", 10 << 20: "10 MB", 1 << 30: "1.0 GB", -8192: "-8.0 kB", 1 << 62: "4.0 EB",
		math.MinInt64: "-8.0 EB", -1: "-1 bytes",
	} {
		assert.Equal(t, want, report.Bytes(n))
	}
}

func TestDurationsAreWrittenForPeople(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0.00 s", 0.256: "0.26 s", 59.5: "59.50 s", 3723.9: "1h2m3s", -1: "0.00 s", 1e300: "more than a year"} {
		assert.Equal(t, want, report.Duration(seconds))
	}
}

func TestNamesCannotHideOrControlAnything(t *testing.T) {
	d := planSample()
	d.Lost.Relations[0].Name = "table a\x1b[2J\u202e\u200bb"
	assert.Contains(t, textOf(t, d, report.Options{Width: 80}), "table a\\x1b[2J\\u202e\\u200bb in shop")
}

// TestWideNamesFit has names whose characters take two columns each.
func TestWideNamesFit(t *testing.T) {
	d := planSample()
	d.Lost.Relations[0].Name, d.Target.Name = "table public."+strings.Repeat("注文", 50), "/"+strings.Repeat("注", 80)
	for line := range strings.Lines(textOf(t, d, report.Options{Width: 60})) {
		columns := 0
		for _, r := range strings.TrimSuffix(line, "\n") {
			if columns++; r == '注' || r == '文' {
				columns++
			}
		}
		assert.LessOrEqual(t, columns, 60, line)
	}
}

func TestAnEarlyFailureDoesNotSayThatNoRewindIsRequired(t *testing.T) {
	d := planSample()
	d = &report.Document{Kind: report.Failed, Target: d.Target, Source: d.Source, Error: &report.Error{Message: "x", Action: report.StepRetry, TargetUntouched: true, Retryable: true}}
	text := textOf(t, d, report.Options{Width: 80})
	assert.NotContains(t, text, "No rewind is required")
	assert.Contains(t, text, "It may succeed later: run the same again.")
}

func TestSummariesAreAsReviewed(t *testing.T) {
	for _, name := range []string{"result", "failed", "not_required", "resumed"} {
		var b bytes.Buffer
		require.NoError(t, report.Summary(&b, samples()[name], report.Options{Width: 80}))
		golden(t, name+".summary.txt", b.String())
	}
}

func TestFilesAddUpToTheirRelations(t *testing.T) {
	d := planSample()
	d.Files = append(d.Files,
		report.File{Path: "base/5/16384.1", Action: "copy", FetchBytes: 10, Blocks: "1-2"},
		report.File{Path: "base/5/16384_fsm", Action: "copy", FetchBytes: 20},
		report.File{Path: "pg_tblspc/9/PG_17_202406281/5/16384", Action: "copy", FetchBytes: 30},
		report.File{Path: "base/5/pg_filenode.map", Action: "copy", FetchBytes: 40},
		report.File{Path: "base/5/16384_other", Action: "copy", FetchBytes: 50})
	list := d.ByRelation()
	require.Len(t, list, 3)
	assert.Equal(t, "table public.orders in shop", list[0].String())
	assert.Equal(t, []int64{3, 5<<20 + 30, 642}, []int64{int64(list[0].Files), list[0].FetchBytes, list[0].Blocks})
	assert.Equal(t, report.Relation{Tablespace: 9, Database: 5, FileNode: 16384, DBName: "shop"}, list[2].Relation, "the database is known from another relation, the name is not")
	assert.Equal(t, int64(30), list[2].FetchBytes)
}

func TestRunsOfBlocks(t *testing.T) {
	var got [][2]int64
	for first, last := range report.BlockRuns("0-3 7 x 9-8 -1 99999999999-3 4294967294") {
		got = append(got, [2]int64{first, last})
	}
	assert.Equal(t, [][2]int64{{0, 3}, {7, 7}, {4294967294, 4294967294}}, got)
}

// TestSampleDocuments writes the documents that the tests of report/html read.
func TestSampleDocuments(t *testing.T) {
	for _, name := range []string{"result", "shop", "failed", "not_required", "compared"} {
		want, err := json.MarshalIndent(samples()[name], "", "  ")
		require.NoError(t, err)
		golden(t, filepath.Join("..", "html", "testdata", name+".json"), string(want)+"\n")
	}
}

func FuzzText(f *testing.F) {
	for _, d := range samples() {
		if text, err := json.Marshal(d); err == nil && len(text) < 100_000 {
			f.Add(text, 80)
		}
	}
	f.Add([]byte(`{"kind": "result", "required": true, "phases": [{"name": "x", "seconds": 1e300}]}`), 40)
	f.Add([]byte(`{"totals": {"fetch_bytes": -9223372036854775808, "remove_bytes": 9223372036854775807}}`), 40)
	f.Fuzz(func(t *testing.T, text []byte, width int) {
		var d report.Document
		if json.Unmarshal(text, &d) != nil {
			return
		}
		width = min(max(width, -1), 300)
		o := report.Options{Width: width}
		var summary bytes.Buffer
		require.NoError(t, report.Summary(&summary, &d, o))
		for line := range strings.Lines(textOf(t, &d, o) + summary.String()) {
			assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), max(width, 40), "%q", line)
		}
	})
}

func TestTheZeroOptionsAreOfTheUsualWidth(t *testing.T) {
	d := &report.Document{Kind: report.Failed, Error: &report.Error{Message: strings.Repeat("word ", 40)}}
	assert.Equal(t, textOf(t, d, report.Options{Width: report.DefaultWidth}), textOf(t, d, report.Options{}))
	assert.NotEqual(t, textOf(t, d, report.Options{Width: 1}), textOf(t, d, report.Options{}))
}
