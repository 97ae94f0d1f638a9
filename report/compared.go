package report

// reasonSame is the reason of files without differences.
const reasonSame = "same content on both sides"

// compares reports whether a file of a relation was compared as a whole.
func (d *Document) compares(f *File) bool {
	return d.Compared > 0 && f.SourceSize > 0 && f.TargetSize > 0 && (f.Reason == reasonSame || f.FetchBytes > 0 || f.Blocks != "")
}

// ComparedWords is the result of a comparison of all files, as the rest of a sentence.
func (d *Document) ComparedWords() string {
	type place struct{ tablespace, database, file uint32 }
	differs := map[place]bool{}
	blocks, different := int64(0), int64(0)
	for i := range d.Files {
		f := &d.Files[i]
		r, ok := RelationOf(f.Path)
		if !ok || !d.compares(f) {
			continue
		}
		at := place{r.Tablespace, r.Database, r.FileNode}
		for first, last := range BlockRuns(f.Blocks) {
			blocks += last - first + 1
		}
		differs[at] = differs[at] || f.FetchBytes > 0
	}
	if len(differs) == 0 {
		return ""
	}
	for _, does := range differs {
		if does {
			different++
		}
	}
	return ": " + Count(blocks, "block") + " of " + Count(different, "relation") + " differ, " + Count(int64(len(differs))-different, "relation") + " the same"
}
