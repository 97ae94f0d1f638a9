package html

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/gorewind/gorewind/report"
)

// heatCells is how many cells a file has in the heat map.
const heatCells = 64

// blockSize is that of nearly all clusters; in others the map is coarser or finer.
const blockSize = 8192

// HeatRow is a file in the heat map.
type HeatRow struct {
	Path  string
	Bytes int64
	Cells []HeatCell
}

// HeatCell is a part of a file, by how much of it is written: 0 to 4.
type HeatCell struct{ X, Level int }

// Heat maps where in the largest changed files the rewind writes.
func (v *view) Heat() []HeatRow {
	var files []report.File
	for _, f := range v.Files {
		if f.Kind == "main" && f.FetchBytes > 0 {
			files = append(files, f)
		}
	}
	slices.SortStableFunc(files, func(a, b report.File) int { return cmp.Compare(b.FetchBytes, a.FetchBytes) })
	var rows []HeatRow
	for _, f := range files[:min(len(files), maxHeatRows)] {
		rows = append(rows, heatRow(f))
	}
	return rows
}

func heatRow(f report.File) HeatRow {
	blocks := max(1, (f.SourceSize+blockSize-1)/blockSize)
	var written [heatCells]float64 // of each cell, in blocks
	note := func(first, last int64) {
		last = min(last, blocks-1)
		for c := first * heatCells / blocks; first <= last && c < heatCells; c++ {
			from, to := float64(c)*float64(blocks)/heatCells, float64(c+1)*float64(blocks)/heatCells
			if part := min(to, float64(last+1)) - max(from, float64(first)); part > 0 {
				written[c] += part
			} else if from > float64(last) {
				break
			}
		}
	}
	switch f.Action {
	case "copy":
		note(0, blocks-1)
	case "copy_tail":
		note(f.TargetSize/blockSize, blocks-1)
	}
	for run := range strings.FieldsSeq(f.Blocks) {
		low, high, isRange := strings.Cut(run, "-")
		first, err := strconv.ParseInt(low, 10, 64)
		last := first
		if err == nil && isRange {
			last, err = strconv.ParseInt(high, 10, 64)
		}
		if err == nil && first >= 0 && first <= last && first < blocks {
			note(first, last)
		}
	}
	row := HeatRow{Path: f.Path, Bytes: f.FetchBytes}
	for c, n := range written {
		if n > 0 {
			share := n * heatCells / float64(blocks)
			row.Cells = append(row.Cells, HeatCell{X: c, Level: 1 + min(3, int(share*4))})
		}
	}
	return row
}
