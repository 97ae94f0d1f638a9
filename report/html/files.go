package html

import (
	"cmp"
	"path"
	"slices"

	"github.com/gorewind/gorewind/report"
)

// touched are the files that are more than mentioned.
func (v *view) touched() []report.File {
	return slices.DeleteFunc(slices.Clone(v.Files), func(f report.File) bool { return f.Action == "none" })
}

// TouchedFiles is how many there are.
func (v *view) TouchedFiles() int { return len(v.touched()) }

// ShownFiles are those that have a row of their own, in the order of the work, if
// they are not too many.
func (v *view) ShownFiles() []report.File {
	if files := v.touched(); len(files) <= maxFiles {
		return files
	}
	return nil
}

// FileGroup is what happens to some of the files of a directory.
type FileGroup struct {
	Directory, Action string
	Files             int
	FetchBytes        int64
}

// FileGroups add the files up where they are too many to be listed, the most bytes
// first.
func (v *view) FileGroups() Cut[FileGroup] {
	files := v.touched()
	if len(files) <= maxFiles {
		return Cut[FileGroup]{}
	}
	index := map[[2]string]int{}
	var groups []FileGroup
	for _, f := range files {
		key := [2]string{path.Dir(f.Path), f.Action}
		at, known := index[key]
		if !known {
			at = len(groups)
			index[key] = at
			groups = append(groups, FileGroup{Directory: key[0], Action: key[1]})
		}
		groups[at].Files++
		groups[at].FetchBytes += f.FetchBytes
	}
	slices.SortStableFunc(groups, func(a, b FileGroup) int {
		return cmp.Or(cmp.Compare(b.FetchBytes, a.FetchBytes), cmp.Compare(b.Files, a.Files))
	})
	return cut(groups, maxGroups)
}
