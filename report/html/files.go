package html

import (
	"cmp"
	"path"
	"slices"

	"github.com/gorewind/gorewind/report"
)

// touched are the files that are changed and not only mentioned.
func touched(files []report.File) (list []report.File) {
	for _, f := range files {
		if f.Action != report.ActionNone {
			list = append(list, f)
		}
	}
	return list
}

// shownFiles are the files that have their own row, in the order of the work, unless
// there are too many.
func (v *view) shownFiles() []report.File {
	if len(v.touched) <= maxFiles {
		return v.touched
	}
	return nil
}

// writeFiles writes the files, or their sums if there are too many.
func (v *view) writeFiles(p *page) {
	if len(v.touched) == 0 {
		return
	}
	p.section("files", "Files", func() {
		if files := v.shownFiles(); len(files) > 0 {
			p.put(`<details><summary>{}, in the order of the work</summary>
<div class="scroll"><table><thead><tr><th scope="col">File</th><th scope="col">Action</th><th scope="col" class="n end">Copied</th><th scope="col" class="wide">Why</th></tr></thead>
<tbody>`, report.Count(int64(len(files)), "file"))
			for _, f := range files {
				p.put(`<tr><td class="mono name">{}</td><td>{}</td><td class="n end">{}</td><td class="wide">{}</td></tr>`+"\n", f.Path, f.Action, report.Bytes(f.FetchBytes), f.Reason)
			}
			p.put("</tbody></table></div></details>")
		}
		p.put("\n")
		if groups := v.fileGroups(); len(groups.List) > 0 {
			p.put(`<details><summary>{} files, by directory and action</summary>
<div class="scroll"><table><thead><tr><th scope="col">Directory</th><th scope="col">Action</th><th scope="col" class="n">Files</th><th scope="col" class="n">Copied</th></tr></thead>
<tbody>`, number(len(v.touched)))
			for _, g := range groups.List {
				p.put(`<tr><td class="mono name">{}</td><td>{}</td><td class="n">{}</td><td class="n">{}</td></tr>`+"\n", g.Directory, g.Action, number(g.Files), report.Bytes(g.FetchBytes))
			}
			p.put("</tbody></table></div>")
			p.more(groups.More)
			p.put("</details>")
		}
		p.put("\n")
	})
}

// fileGroup sums up the same action on files of a directory.
type fileGroup struct {
	Directory  string
	Action     report.FileAction
	Files      int
	FetchBytes int64
}

// fileGroups sums up the files if there are too many to list, with the most bytes
// first.
func (v *view) fileGroups() cutOff[fileGroup] {
	if len(v.touched) <= maxFiles {
		return cutOff[fileGroup]{}
	}
	index := map[fileGroup]int{}
	var groups []fileGroup
	for _, f := range v.touched {
		key := fileGroup{Directory: path.Dir(f.Path), Action: f.Action}
		at, known := index[key]
		if !known {
			at = len(groups)
			index[key] = at
			groups = append(groups, key)
		}
		groups[at].Files++
		groups[at].FetchBytes += f.FetchBytes
	}
	slices.SortStableFunc(groups, func(a, b fileGroup) int {
		return cmp.Or(cmp.Compare(b.FetchBytes, a.FetchBytes), cmp.Compare(b.Files, a.Files))
	})
	return cut(groups, maxGroups)
}
