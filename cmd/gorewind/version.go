package main

import (
	"cmp"
	"fmt"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// The Makefile sets these with the linker's -X. They are empty for go install and
// go build, which record what they know in the program's build information.
var (
	release string // the output of git describe
	commit  string
)

// versionLine is the output of --version. Called as pg_rewind, it is what programs
// that read pg_rewind's version expect: the version of PostgreSQL, namely the newest
// that gorewind supports, and then gorewind's own, where packagers put theirs.
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

// pseudoVersion matches a version that ends in the commit it stands for.
var pseudoVersion = regexp.MustCompile(`\d{14}-([0-9a-f]{12})$`)

// commitLength is how many digits of a commit's hash are shown: as many as Go shows.
const commitLength = 12

// describe names the version and the commit that the Makefile set or, without them,
// those that the go command recorded. What neither knows is left out.
func describe(release, commit string, info *debug.BuildInfo) string {
	module, dirty := info.Main.Version, false
	if module == "(devel)" {
		module = ""
	}
	if release == "" { // otherwise this information may be about another build
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
