package html

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/report"
)

// heatCells is how many cells a file has in the heat map.
const heatCells = 64

// usualBlockSize is the block size of nearly all clusters.
const usualBlockSize = 8192

// heatRow is a segment of a relation in the heat map.
type heatRow struct {
	Name  string // the names of the relation and of its file
	Path  string
	Bytes int64
	Says  string // what the cells show, as text, for accessibility
	Cells []heatCell
}

// heatCell is a part of a file; the level, 1 to 4, is how many quarters of it are written.
type heatCell struct{ X, Level int }

// heat shows where in its segments the rewind writes, for the segments with the most copied data.
func (v *view) heat() []heatRow {
	var files []report.File
	for _, f := range v.Files {
		if f.Kind == report.KindMain && f.FetchBytes > 0 {
			files = append(files, f)
		}
	}
	slices.SortStableFunc(files, func(a, b report.File) int { return cmp.Compare(b.FetchBytes, a.FetchBytes) })
	names := map[report.Relation]string{}
	for _, r := range v.copied {
		if r.Name != "" {
			names[at(r.Relation)] = r.String()
		}
	}
	var rows []heatRow
	for _, f := range files[:min(len(files), maxHeatRows)] {
		row := rowOf(f, v.blockSize())
		if r, ok := report.RelationOf(f.Path); ok && names[at(r)] != "" {
			row.Name = names[at(r)]
			if _, segment, ok := strings.Cut(path.Base(f.Path), "."); ok {
				row.Name += ", segment " + segment
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// writeHeat draws the heat map.
func (v *view) writeHeat(p *page) {
	rows := v.heat()
	if len(rows) == 0 {
		return
	}
	p.section("heat", "Where it is written", func() {
		p.put(`<p class="soft">Each bar is a file from its first block to its last; the stronger the color of a part, the more of it is written.</p>
<p class="legend" aria-hidden="true"><span><svg viewBox="0 0 3 2"><rect class="b" width="3" height="2"/></svg>nothing</span><span><svg viewBox="0 0 3 2"><rect class="x1" width="3" height="2"/></svg>up to a quarter</span><span><svg viewBox="0 0 3 2"><rect class="x2" width="3" height="2"/></svg>a half</span><span><svg viewBox="0 0 3 2"><rect class="x3" width="3" height="2"/></svg>three quarters</span><span><svg viewBox="0 0 3 2"><rect class="x4" width="3" height="2"/></svg>more</span></p>
<ul class="heat">
`)
		for _, r := range rows {
			p.put(`<li><span class="name">`)
			if r.Name != "" {
				p.put("<bdi>{}</bdi> ", r.Name)
			}
			p.put(`<span class="mono soft">{}</span></span><span class="n">{}</span><svg viewBox="0 0 64 1" preserveAspectRatio="none" role="img" aria-label="{}"><title>{}</title><rect class="b" width="64" height="1"/>`,
				r.Path, report.Bytes(r.Bytes), r.Says, r.Says)
			for _, c := range r.Cells {
				p.put(`<rect class="x{}" x="{}" width="1.02" height="1"/>`, c.Level, c.X)
			}
			p.put("</svg></li>\n")
		}
		p.put("</ul>\n")
	})
}

// at is the location of a relation, without its name.
func at(r report.Relation) report.Relation {
	return report.Relation{Tablespace: r.Tablespace, Database: r.Database, FileNode: r.FileNode}
}

func (v *view) blockSize() int64 {
	if v.BlockSize > 0 {
		return v.BlockSize
	}
	return usualBlockSize
}

func rowOf(f report.File, blockSize int64) heatRow {
	blocks := max(1, f.SourceSize/blockSize)
	var written [heatCells]float64 // blocks per cell
	var sum int64
	note := func(first, last int64) {
		first, last = max(0, first), min(last, blocks-1)
		if first > last {
			return
		}
		sum += last - first + 1
		width := float64(blocks) / heatCells
		for c := min(int(float64(first)/width), heatCells-1); c < heatCells && float64(c)*width <= float64(last); c++ {
			from, to := float64(c)*width, float64(c+1)*width
			written[c] += max(0, min(to, float64(last+1))-max(from, float64(first)))
		}
	}
	switch f.Action {
	case report.ActionCopy:
		note(0, blocks-1)
	case report.ActionCopyTail:
		note(f.TargetSize/blockSize, blocks-1)
	}
	for first, last := range report.BlockRuns(f.Blocks) {
		note(first, last)
	}
	row := heatRow{Path: f.Path, Bytes: f.FetchBytes, Says: fmt.Sprintf("%s: %s of %s written", f.Path, grouped(sum), report.Count(blocks, "block"))}
	for c, n := range written {
		if n > 0 {
			share := n * heatCells / float64(blocks)
			row.Cells = append(row.Cells, heatCell{X: c, Level: 1 + max(0, min(3, int(share*4)))})
		}
	}
	return row
}
