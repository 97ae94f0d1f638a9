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

// TouchedFiles is the number of those files.
func (v *view) TouchedFiles() int { return len(v.touched) }

// ShownFiles are the files that have their own row, in the order of the work, unless
// there are too many.
func (v *view) ShownFiles() []report.File {
	if len(v.touched) <= maxFiles {
		return v.touched
	}
	return nil
}

// fileGroup sums up the same action on files of a directory.
type fileGroup struct {
	Directory  string
	Action     report.FileAction
	Files      int
	FetchBytes int64
}

// FileGroups sums up the files if there are too many to list, with the most bytes
// first.
func (v *view) FileGroups() cutOff[fileGroup] {
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
