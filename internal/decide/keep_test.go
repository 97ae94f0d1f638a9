package decide_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/pgdata"
)

func TestKeptFilesStayAsTheyAre(t *testing.T) {
	source := []pgdata.FileInfo{
		file("postgresql.conf", 10), file("pg_hba.conf", 10), file("extra.conf", 10), dir("log"), file("log/theirs", 10),
		dir("conf.d"), file("conf.d/a.conf", 10), file("conf.d/b.txt", 10), file("server.key", 10),
	}
	target := []pgdata.FileInfo{
		file("postgresql.conf", 20), file("pg_hba.conf", 20), dir("log"), file("log/ours", 20), dir("certs"), dir("certs/deep"),
		file("certs/deep/ours.key", 20), file("certs/ours.crt", 20), dir("conf.d"), file("conf.d/a.conf", 20), file("server.key", 20),
	}
	all := map[string]string{
		"postgresql.conf": "COPY", "pg_hba.conf": "COPY", "extra.conf": "COPY", "log/theirs": "COPY", "log/ours": "REMOVE", "certs": "REMOVE",
		"certs/deep": "REMOVE", "certs/deep/ours.key": "REMOVE", "certs/ours.crt": "REMOVE", "conf.d/a.conf": "COPY", "conf.d/b.txt": "COPY", "server.key": "COPY",
	}
	for _, c := range []struct {
		name string
		keep decide.Patterns
		want map[string]string // what differs from a rewind that keeps nothing
	}{
		{"nothing", nil, nil},
		{"a file", decide.Patterns{"postgresql.conf"}, map[string]string{"postgresql.conf": "KEPT"}},
		{
			"all matching files in any directory; missing ones are not created",
			decide.Patterns{"*.conf"},
			map[string]string{"postgresql.conf": "KEPT", "pg_hba.conf": "KEPT", "extra.conf": "", "conf.d/a.conf": "KEPT"},
		},
		{"a whole directory", decide.Patterns{"log"}, map[string]string{"log": "KEPT", "log/ours": "KEPT", "log/theirs": ""}},
		{
			"a file, and with it its directories that only the target has",
			decide.Patterns{"*.key"},
			map[string]string{"certs/deep/ours.key": "KEPT", "certs": "", "certs/deep": "", "server.key": "KEPT"},
		},
		{"a path", decide.Patterns{"conf.d/*.conf"}, map[string]string{"conf.d/a.conf": "KEPT"}},
		{"several", decide.Patterns{"pg_hba.conf", "server.key"}, map[string]string{"pg_hba.conf": "KEPT", "server.key": "KEPT"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.NoError(t, c.keep.Check())
			b := decide.NewBuilder(decide.Rules{Version: pgdata.VersionByName("17"), Geometry: geometry, Keep: decide.Keep{Patterns: c.keep}})
			for _, f := range source {
				require.NoError(t, b.AddSource(f))
			}
			for _, f := range target {
				require.NoError(t, b.AddTarget(f))
			}
			plan, err := b.Plan(decide.Facts{})
			require.NoError(t, err)
			want := map[string]string{}
			for p, action := range all {
				want[p] = action
			}
			for p, action := range c.want {
				if want[p] = action; action == "" {
					delete(want, p)
				}
			}
			got := map[string]string{}
			for _, e := range plan.Entries {
				got[e.Path] = e.Action.String()
				if e.Reason == filemap.Kept {
					assert.Equal(t, filemap.None, e.Action)
					got[e.Path] = "KEPT"
				}
			}
			assert.Equal(t, want, got)
		})
	}
}

func TestDataCannotBeKept(t *testing.T) {
	for _, c := range []struct{ pattern, path string }{
		{"*", "PG_VERSION"},
		{"1*", "base/5/16384"},
		{"pg_wal", "pg_wal/000000010000000000000001"},
		{"0000", "pg_xact/0000"},
		{"pg_control", "global/pg_control"},
		{"backup_label", "backup_label"},
	} {
		keep := decide.Patterns{c.pattern}
		b := decide.NewBuilder(decide.Rules{Version: pgdata.VersionByName("17"), Geometry: geometry, Keep: decide.Keep{Patterns: keep}})
		err := b.AddTarget(file(c.path, 1))
		if keep.Match(c.path) == "" {
			assert.NoError(t, err, c.path)
			continue
		}
		assert.ErrorContains(t, err, "keep only configuration, certificates and logs", c.path)
		assert.ErrorContains(t, err, c.path)
	}
	for _, pattern := range []string{"[", ""} {
		assert.ErrorContains(t, decide.Patterns{pattern}.Check(), "malformed")
	}
}

func TestFilesThatAnInterruptedRewindWroteAreNotTrusted(t *testing.T) {
	const wal, needed, version = "pg_wal/000000010000000000000004", "pg_wal/000000010000000000000003", "base/7/PG_VERSION"
	suspects := map[string]bool{wal: true, needed: true, version: true}
	b := decide.NewBuilder(decide.Rules{
		Version: pgdata.VersionByName("17"), Geometry: geometry, Suspect: suspects,
	})
	for _, f := range []pgdata.FileInfo{file(wal, 1<<20), file(version, 3)} {
		add(t, b.AddSource, f)
	}
	for _, f := range []pgdata.FileInfo{file(wal, 1<<20), file(version, 3), file(needed, 1<<20)} {
		add(t, b.AddTarget, f)
	}
	plan, err := b.Plan(decide.Facts{})
	require.NoError(t, err)
	got := map[string]filemap.Step{}
	for _, e := range plan.Entries {
		got[e.Path] = e.Action
	}
	delete(got, "pg_wal")
	assert.Equal(t, map[string]filemap.Step{wal: filemap.Copy, version: filemap.Copy, needed: filemap.Remove}, got)
}

// TestAFunctionSelectsWhatIsKept has a function that is called for everything
// except data.
func TestAFunctionSelectsWhatIsKept(t *testing.T) {
	var asked []string
	keep := decide.Keep{Patterns: decide.Patterns{"*.key"}, Func: func(p string) bool {
		asked = append(asked, p)
		return p == "certs" || p == "conf.d/a.conf" || p == "base"
	}}
	b := decide.NewBuilder(decide.Rules{Version: pgdata.VersionByName("17"), Geometry: geometry, Keep: keep})
	for _, f := range []pgdata.FileInfo{dir("certs"), file("certs/theirs", 1), dir("conf.d"), file("conf.d/a.conf", 1), file("conf.d/b.conf", 1), file("base/5/16384", 8192)} {
		add(t, b.AddSource, f)
	}
	for _, f := range []pgdata.FileInfo{dir("certs"), file("certs/ours", 2), dir("conf.d"), file("conf.d/a.conf", 2), file("own.key", 2), file("own.txt", 2)} {
		add(t, b.AddTarget, f)
	}
	plan, err := b.Plan(decide.Facts{})
	require.NoError(t, err)
	got := map[string]string{}
	for _, e := range plan.Entries {
		got[e.Path] = e.Action.String() + " " + string(e.Reason)
	}
	for _, name := range []string{"certs", "certs/ours", "conf.d/a.conf", "own.key"} {
		assert.Equal(t, "NONE "+string(filemap.Kept), got[name], name)
		delete(got, name)
	}
	assert.NotContains(t, got, "certs/theirs")
	assert.Contains(t, got["conf.d/b.conf"], "COPY")
	assert.Contains(t, got["own.txt"], "REMOVE")
	assert.Contains(t, got["base/5/16384"], "COPY")
	for _, p := range asked {
		assert.NotContains(t, p, "base")
		assert.NotContains(t, p, "own.key", "a pattern already selects it")
	}
}
