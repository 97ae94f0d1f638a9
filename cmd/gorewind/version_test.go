package main

import (
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAVersionIsSaidAsFarAsItIsKnown(t *testing.T) {
	vcs := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs.revision", Value: "08a24de5829147e5de6526d4272ec7ecd875cccb"}, {Key: "vcs.modified", Value: modified}}
	}
	for _, c := range []struct {
		name, release, commit, module string
		settings                      []debug.BuildSetting
		want                          string
	}{
		{"a release by make", "v1.2.0", "08a24de5829147e5de6526d4272ec7ecd875cccb", "(devel)", nil, "1.2.0, commit 08a24de58291"},
		{"make in a changed clone", "v1.2.0-3-g08a24de-dirty", "08a24de5829147e5de6526d4272ec7ecd875cccb", "(devel)", vcs("true"), "1.2.0-3-g08a24de-dirty, commit 08a24de58291"},
		{"make outside of a clone", "unknown", "unknown", "(devel)", nil, "unknown, commit unknown"},
		{"a packager who names the version", "1.2.0", "", "(devel)", nil, "1.2.0, commit unknown"},
		{"go install of a release", "", "", "v1.2.0", nil, "1.2.0, commit unknown"},
		{"go install of a commit", "", "", "v1.2.1-0.20261128035200-08a24de58291", nil, "1.2.1-0.20261128035200-08a24de58291, commit 08a24de58291"},
		{"go build in a clone", "", "", "v0.0.0-20261128035200-08a24de58291", vcs("false"), "0.0.0-20261128035200-08a24de58291, commit 08a24de58291"},
		{"go build in a changed clone", "", "", "v0.0.0-20261128035200-08a24de58291+dirty", vcs("true"), "0.0.0-20261128035200-08a24de58291+dirty, commit 08a24de58291 and changes"},
		{"go build without VCS stamping", "", "", "(devel)", nil, "unknown, commit unknown"},
		{"no build information", "", "", "", nil, "unknown, commit unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			info := &debug.BuildInfo{Main: debug.Module{Version: c.module}, Settings: c.settings}
			assert.Equal(t, c.want, describe(c.release, c.commit, info))
		})
	}
}

// packaging/try.sh, which builds, proves that the linker finds these names.
func TestTheMakefileTellsTheProgramItsVersion(t *testing.T) {
	mk, err := exec.LookPath("make")
	if err != nil {
		t.Skipf("make is needed, install it: %v", err)
	}
	out, err := exec.Command(mk, "-n", "-C", filepath.Join("..", ".."), "build", "VERSION=v1.2.0", "COMMIT=08a24de5829147e5de6526d4272ec7ecd875cccb").CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "-X main.release=v1.2.0 -X main.commit=08a24de5829147e5de6526d4272ec7ecd875cccb")
}
