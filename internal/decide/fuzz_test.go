package decide_test

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/pgdata"
)

// parseListing makes a listing from text. Each line is an entry: a digit for its
// type, one for its size in blocks, and its path.
func parseListing(text string) []pgdata.FileInfo {
	var all []pgdata.FileInfo
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) < 2 {
			continue
		}
		f := pgdata.FileInfo{Path: line[2:], Type: pgdata.FileType(line[0] & 7), Size: (int64(line[1]) - '0') << 13}
		if f.Type == pgdata.Symlink {
			f.Link = line
		}
		all = append(all, f)
	}
	return all
}

var listings = []string{
	"",
	"20base\n20base/5\n11base/5/16384\n11base/5/16385\n12base/5/16384\n20global\n11base/5/16383",
	"11b/2\n11a/1\n11b/1\n11a/2\n11b/2\n11c\n11a/longer than eight bytes 2\n11a/longer than eight bytes 1\n11a/longer t",
	"20base\n20global\n20pg_wal\n10PG_VERSION\n20pg_tblspc\n30pg_tblspc/9\n20pg_tblspc/9/PG_17_202406281\n11pg_wal/000000020000000000000007\n20conf\n10conf/a.conf",
	"10../x\n10/etc/passwd\n10base//x\n10.\n10x/y\n00x\n40x\n1/x\n11base/5/1/2\n21base/5/16384",
}

func FuzzListing(f *testing.F) {
	for _, text := range listings {
		f.Add(text, uint8(2))
	}
	f.Fuzz(func(t *testing.T, text string, early uint8) {
		var l decide.Listing
		want := map[string]pgdata.FileInfo{}
		for i, f := range parseListing(text) {
			if i == int(early) {
				require.Equal(t, len(want), l.Len(), "an early lookup changes nothing")
			}
			if l.Add(f) != nil {
				continue
			}
			if _, has := want[f.Path]; !has {
				want[f.Path] = f
			}
		}
		require.Equal(t, len(want), l.Len())
		order := slices.SortedFunc(maps.Keys(want), func(a, b string) int {
			dirA, nameA := path.Split(a)
			dirB, nameB := path.Split(b)
			if c := strings.Compare(dirA, dirB); c != 0 {
				return c
			}
			return strings.Compare(nameA, nameB)
		})
		var got []string
		for f := range l.All() {
			require.Equal(t, want[f.Path], f)
			got = append(got, f.Path)
		}
		require.Equal(t, order, got)
		for p, f := range want {
			found, has := l.Find(p)
			require.True(t, has, "%q", p)
			require.Equal(t, f, found)
			if _, known := want[p+"x"]; !known {
				_, has = l.Find(p + "x")
				require.False(t, has, "%q", p+"x")
			}
			var inDir []pgdata.FileInfo
			for f := range l.In(path.Dir(p)) {
				inDir = append(inDir, f)
			}
			if dir, _ := path.Split(p); path.Clean(p) == p && dir != "" && dir != "/" {
				require.Contains(t, inDir, f)
			}
		}
	})
}

// Whatever a source and a target list, the plan changes nothing outside the target,
// makes no file twice, and makes every directory into which it puts something.
func FuzzHostileListings(f *testing.F) {
	for _, source := range listings {
		for _, target := range listings {
			f.Add(source, target)
		}
	}
	v := pgdata.VersionByName("17")
	f.Fuzz(func(t *testing.T, source, target string) {
		b := decide.NewBuilder(decide.Rules{Version: v, Geometry: geometry, Keep: decide.Keep{Patterns: decide.Patterns{"*.conf"}}})
		isDir := map[string]bool{".": true}
		for _, f := range parseListing(source) {
			err := b.AddSource(f)
			if f.Size < 0 || strings.HasPrefix(f.Path, "/") || strings.Contains("/"+f.Path+"/", "/../") {
				require.Error(t, err, "%+v", f)
			}
		}
		for _, f := range parseListing(target) {
			if path.Clean(f.Path) == f.Path && fs.ValidPath(f.Path) && b.AddTarget(f) == nil { // the target's listing is trusted
				isDir[f.Path] = isDir[f.Path] || f.Type != pgdata.Regular
			}
		}
		if b.EndSource() != nil {
			return
		}
		plan, err := b.Plan(decide.Facts{WAL: map[string]decide.Segment{"000000010000000000000004": {Written: 8192}}})
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, e := range plan.Entries {
			require.False(t, seen[e.Path], "%q is in the plan twice", e.Path)
			seen[e.Path] = true
			assert.GreaterOrEqual(t, e.FetchBytes(geometry), int64(0), "%+v", e)
			switch e.Action {
			case filemap.Create:
				isDir[e.Path] = true
			case filemap.Copy, filemap.CopyTail:
			default:
				continue
			}
			assert.True(t, isDir[path.Dir(e.Path)], "nothing makes the directory of %q", e.Path)
		}
	})
}
