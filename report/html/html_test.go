package html_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/report/html"
)

func pageOf(t *testing.T, d *report.Document) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, html.Write(&b, d))
	return b.String()
}

func sample(t testing.TB, name string) *report.Document {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	require.NoError(t, err)
	d := new(report.Document)
	require.NoError(t, json.Unmarshal(text, d))
	return d
}

var update = flag.Bool("update", false, "rewrite the golden files")

func TestPagesAreAsReviewed(t *testing.T) {
	for _, name := range []string{"shop", "failed", "not_required", "compared"} {
		t.Run(name, func(t *testing.T) {
			got, golden := pageOf(t, sample(t, name)), filepath.Join("testdata", name+".html")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.True(t, string(want) == got, "%s differs: run go test ./report/html -update, and look at it", golden)
		})
	}
}

// TestPagesAreWellFormed reads pages as XML: except for empty elements, they are.
func TestPagesAreWellFormed(t *testing.T) {
	for _, name := range []string{"shop", "result", "failed", "not_required", "compared"} {
		decoder := xml.NewDecoder(strings.NewReader(pageOf(t, sample(t, name))))
		decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		ids, depth := map[string]bool{}, 0
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, name)
			switch token := token.(type) {
			case xml.EndElement:
				depth--
			case xml.StartElement:
				depth++
				for _, a := range token.Attr {
					if a.Name.Local == "id" {
						assert.False(t, ids[a.Value], "%s: id %s exists twice", name, a.Value)
						ids[a.Value] = true
					}
				}
			}
		}
		assert.Zero(t, depth, name)
	}
}

func TestThePageSaysWhatIsInTheDocument(t *testing.T) {
	d := sample(t, "result")
	page := pageOf(t, d)
	for _, want := range []string{
		"The target is rewound and can follow the source.", d.Divergence.LSN, d.Target.Name, d.Source.Name, "1234", "table public.orders", "shop", "Databases created, which disappear: <bdi>16600</bdi>.", "Relations created, which disappear: <bdi>file 16500 in database 5</bdi>",
		"base/5/16384: 640 of 8192 blocks written", "1 segment in the archive",
		"000000010000000000000002", "apply", "WAL that the target has", "recovery will need file", `class="x4"`,
	} {
		assert.Contains(t, page, want)
	}
	for _, never := range []string{"<script", "http:", "https:", "url(", "src=", "ZgotmplZ"} {
		assert.NotContains(t, page, never, "a page needs nothing from elsewhere")
	}
}

func TestHostileTextStaysText(t *testing.T) {
	d := sample(t, "result")
	evil := `</td><script>alert("x")</script>`
	d.Lost.Relations[0].Name, d.Target.Name, d.Warnings, d.Files[0].Path = evil, evil, []string{evil}, evil
	d.Files[0].Blocks = "99999999999999999999-3 x 5-4 -1 7"
	page := pageOf(t, d)
	assert.NotContains(t, page, "<script>")
	assert.Contains(t, page, "&lt;script&gt;")
}

func TestTheSizeOfAPageIsLimited(t *testing.T) {
	d := sample(t, "result")
	for i := range 10_000 {
		d.Files = append(d.Files, report.File{Path: fmt.Sprintf("base/%d/%d", i%7, i), Kind: "main", Action: "copy", SourceSize: 1 << 30, FetchBytes: 1 << 30})
		d.Lost.Relations = append(d.Lost.Relations, report.Relation{Database: 5, FileNode: uint32(i), Blocks: 1})
		d.Lost.Created, d.Lost.DroppedDatabases = append(d.Lost.Created, report.Relation{FileNode: uint32(i)}), append(d.Lost.DroppedDatabases, fmt.Sprint(i))
		d.Startability.Segments = append(d.Startability.Segments, report.Segment{Name: fmt.Sprintf("%024X", i), Where: "target"})
	}
	page := pageOf(t, d)
	assert.Less(t, len(page), 300_000)
	assert.Contains(t, page, " more</p>")
	assert.Contains(t, page, "10\u202f003 files, by directory and action")
	assert.Contains(t, page, `<td class="mono name">base/6</td><td>copy</td><td class="n">1428</td>`)
	assert.Less(t, strings.Count(page, "<rect"), 3000)
}

// TestDocumentsThatMakeNoSense has documents that decode but that no rewind writes.
func TestDocumentsThatMakeNoSense(t *testing.T) {
	for _, text := range nonsense {
		d := new(report.Document)
		require.NoError(t, json.Unmarshal([]byte(text), d))
		assert.Contains(t, pageOf(t, d), "</html>", text)
	}
}

var nonsense = []string{
	`{"files": [{"kind": "main", "action": "copy_tail", "fetch_bytes": 1, "source_size": 8192, "target_size": -819200}]}`,
	`{"files": [{"kind": "main", "action": "copy", "fetch_bytes": 1, "source_size": 9223372036854775807, "blocks": "4294967295"}], "block_size": 1}`,
	`{"files": [{"kind": "main", "action": "blocks", "fetch_bytes": -1, "source_size": -9223372036854775808, "blocks": "0-4294967295"}], "block_size": -1}`,
	`{"lost": {"first_commit": "2026-03-01T10:00:00Z", "changed_blocks": -9223372036854775808, "relations": [{"changed_blocks": -9223372036854775808}]}}`,
	`{"target": {}, "source": {}, "divergence": {}, "totals": {"fetch_bytes": -9223372036854775808}, "startability": {}, "phases": [{"seconds": -1e300}, {"seconds": 1e300}]}`,
	`{"phases": [{"seconds": 1e308}, {"seconds": 1e308}]}`,
}

func TestVerdicts(t *testing.T) {
	side := &report.Side{Name: "a"}
	for want, d := range map[string]*report.Document{
		"take a base backup":     {Kind: report.Failed, Error: &report.Error{Action: report.StepBaseBackup, TargetUntouched: true}},
		"resync it, or take":     {Kind: report.Failed, Error: &report.Error{Action: report.StepResync, TargetUntouched: true}},
		"was not changed":        {Kind: report.Failed, Error: &report.Error{TargetUntouched: true}},
		"except by its crash":    {Kind: report.Failed, Error: &report.Error{TargetUntouched: true, CrashRecovered: true}},
		"run it again":           {Kind: report.Failed, Error: &report.Error{}},
		"No rewind is required":  {Kind: report.Plan, Target: side, Source: side, Reason: "they are the same"},
		"Nothing was changed":    {Kind: report.Plan, Required: true},
		"is rewound":             {Kind: report.Result, Required: true},
		"The rewind failed.":     {Kind: report.Failed},
		"can be completed":       {Kind: report.Plan, Required: true, Resumes: true},
		"An interrupted rewind ": {Kind: report.Result, Required: true, Resumes: true},
	} {
		assert.Contains(t, pageOf(t, d), want)
	}
}

func FuzzWrite(f *testing.F) {
	text, err := os.ReadFile("testdata/result.json")
	require.NoError(f, err)
	f.Add(text)
	for _, text := range nonsense {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"target": {"name": "</title><script>"}, "files": [{"path": "\" onload=\"", "action": "javascript:"}], "sync": "<a href=javascript:x>\u0000\u0001"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var d report.Document
		if json.Unmarshal(text, &d) != nil {
			return
		}
		page := pageOf(t, &d)
		assert.True(t, strings.HasSuffix(page, "</html>\n"))
		assert.Less(t, len(page), 300_000+30*len(text), "names can be long, and can appear more than once")
		mustBeHarmless(t, page)
	})
}
