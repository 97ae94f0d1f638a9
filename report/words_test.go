package report_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/report"
)

func TestThePlanIsInWordsForADBA(t *testing.T) {
	relation := func(file uint32, blocks int64, schema, name string) report.Relation {
		return report.Relation{Tablespace: 1663, Database: 5, FileNode: file, Blocks: blocks, DBName: "shop", Schema: schema, Relation: name, Name: "table " + schema + "." + name, RelKind: "table"}
	}
	d := &report.Document{
		Kind: report.Plan, Required: true,
		Lost: &report.Lost{Relations: report.List[report.Relation]{
			relation(1249, 90, "pg_catalog", "pg_attribute"), relation(16500, 40, "public", "orders"),
			{Tablespace: 1664, FileNode: 1262, Blocks: 5},
			{Tablespace: 1663, Database: 5, FileNode: 2619, Blocks: 4, DBName: "shop"},
		}},
		Named: []report.Relation{relation(24584, 0, "public", "invoices")},
		Totals: &report.Totals{
			ByKind:   report.List[report.Total]{{Name: "vm", Files: 1, FetchBytes: 8192}, {Name: "slru", Files: 1, FetchBytes: 8192}},
			ByAction: report.List[report.Total]{{Name: "copy_tail", Files: 1, FetchBytes: 8192}},
		},
		Files: []report.File{
			{Path: "base/5/24584", Action: report.ActionCopy, FetchBytes: 16384},
			{Path: "base/5/1249", Action: report.ActionCopy, FetchBytes: 999999},
		},
		Saved: []report.Saving{{Rule: "same content on both sides", Files: 3, Bytes: 4096}},
	}
	var b strings.Builder
	require.NoError(t, report.Text(&b, d, report.Options{Width: 100}))
	text := b.String()
	for name, part := range map[string]string{
		"user tables come first, system catalogs are one row":      "  40 blocks  table public.orders in shop\n  99 blocks  system catalogs (3 relations)\n",
		"copied relations have names, system catalogs are one row": "table public.invoices in shop\n  977 kB  1 file  system catalogs (1 relation)\n",
		"kinds of files are words":                                 "transaction status\n",
		"actions are words":                                        "copied beyond the target's end\n",
		"what is not copied is listed":                             "  Not copied:\n  4.0 kB  3 files  same content on both sides\n",
	} {
		assert.Contains(t, text, part, name)
	}
	for _, code := range []string{"copy_tail", "slru", " vm\n", "file 24584"} {
		assert.NotContains(t, text, code)
	}
}
