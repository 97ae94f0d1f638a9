package html_test

import (
	"bytes"
	"encoding/json"
	"os"
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

func sample(t *testing.T) *report.Document {
	t.Helper()
	text, err := os.ReadFile("testdata/result.json")
	require.NoError(t, err)
	d := new(report.Document)
	require.NoError(t, json.Unmarshal(text, d))
	return d
}

func TestThePageSaysWhatIsInTheDocument(t *testing.T) {
	d := sample(t)
	page := pageOf(t, d)
	for _, want := range []string{
		"The target is rewound and can follow the source.", d.Divergence.LSN, d.Target.Name, d.Source.Name, "1234", "table public.orders", "shop",
		"000000010000000000000002", "apply", "WAL that the target has", "recovery will need file", `class="x4"`,
	} {
		assert.Contains(t, page, want)
	}
	for _, never := range []string{"<script", "http:", "https:", "url(", "src=", "ZgotmplZ"} {
		assert.NotContains(t, page, never, "a page needs nothing from elsewhere")
	}
}

func TestWhatIsHostileStaysText(t *testing.T) {
	d := sample(t)
	evil := `</td><script>alert("x")</script>`
	d.Lost.Relations[0].Name, d.Target.Name, d.Warnings, d.Files[0].Path = evil, evil, []string{evil}, evil
	d.Files[0].Blocks = "99999999999999999999-3 x 5-4 -1 7"
	page := pageOf(t, d)
	assert.NotContains(t, page, "<script>")
	assert.Contains(t, page, "&lt;script&gt;")
}

func TestAPageHasBounds(t *testing.T) {
	d := sample(t)
	for range 12 {
		d.Files = append(d.Files, d.Files...)
		d.Lost.Relations = append(d.Lost.Relations, d.Lost.Relations...)
	}
	page := pageOf(t, d)
	assert.Less(t, len(page), 500_000)
	assert.Contains(t, page, " more</p>")
	assert.Less(t, strings.Count(page, "<rect"), 3000)
}

func TestVerdicts(t *testing.T) {
	side := &report.Side{Name: "a"}
	for want, d := range map[string]*report.Document{
		"take a base backup":     {Kind: report.Failed, Error: &report.Error{BaseBackupNeeded: true, TargetUntouched: true}},
		"was not changed":        {Kind: report.Failed, Error: &report.Error{TargetUntouched: true}},
		"run it again":           {Kind: report.Failed, Error: &report.Error{}},
		"No rewind is required":  {Kind: report.Plan, Target: side, Source: side, Reason: "they are the same"},
		"Nothing was changed":    {Kind: report.Plan, Required: true},
		"is rewound":             {Kind: report.Result, Required: true},
		"An interrupted rewind ": {Kind: report.Result, Required: true, Resumes: true},
	} {
		assert.Contains(t, pageOf(t, d), want)
	}
}

func FuzzWrite(f *testing.F) {
	text, err := os.ReadFile("testdata/result.json")
	require.NoError(f, err)
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		var d report.Document
		if json.Unmarshal(text, &d) == nil {
			assert.NotContains(t, pageOf(t, &d), "<script")
		}
	})
}
