package main

import (
	"cmp"
	"fmt"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// What the Makefile knows of a build, by the linker's -X. Empty for go install and
// go build, which leave what they know in the program's build information.
var (
	release string // as git describe says it
	commit  string
)

// versionLine is what --version says. Called pg_rewind, it is what a program
// expects that reads a version from pg_rewind: that of PostgreSQL, the newest
// that gorewind knows, and then, where packagers put theirs, its own.
func versionLine(name string) string {
	if name == originalName {
		all := pgdata.Versions()
		return fmt.Sprintf("%s (PostgreSQL) %s.0 (gorewind %s)", name, all[len(all)-1].Name, version())
	}
	return fmt.Sprintf("%s (gorewind) %s", name, version())
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	return describe(release, commit, info)
}

// pseudoVersion ends in the commit that it stands for.
var pseudoVersion = regexp.MustCompile(`\d{14}-([0-9a-f]{12})$`)

// commitLength is how much of a commit's hash is shown: as much as Go shows of it.
const commitLength = 12

// describe names a version and a commit: of what the Makefile says, else of what
// the go command left in the program. It does not make up what neither knows.
func describe(release, commit string, info *debug.BuildInfo) string {
	module, dirty := info.Main.Version, false
	if module == "(devel)" {
		module = ""
	}
	if release == "" { // else neither of these is about the same build
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				commit = cmp.Or(commit, s.Value)
			case "vcs.modified":
				dirty = s.Value == "true"
			}
		}
		clean, _, _ := strings.Cut(module, "+")
		if m := pseudoVersion.FindStringSubmatch(clean); m != nil {
			commit = cmp.Or(commit, m[1])
		}
	}
	commit = cmp.Or(commit[:min(len(commit), commitLength)], "unknown")
	if dirty {
		commit += " and changes"
	}
	return cmp.Or(strings.TrimPrefix(cmp.Or(release, module), "v"), "unknown") + ", commit " + commit
}
