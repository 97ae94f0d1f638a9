package gorewind_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/savedcluster"
)

// TestAProgramOutsideTheModuleRewinds builds examples/failback, which sees of the
// library what any importer sees, and lets it decide.
func TestAProgramOutsideTheModuleRewinds(t *testing.T) {
	program := filepath.Join(t.TempDir(), "failback.exe")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join("examples", "failback")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	restore := func(cluster, side string) string {
		dir := filepath.Join(t.TempDir(), side)
		require.NoError(t, savedcluster.Restore(filepath.Join("testdata", "clusters", cluster, side), dir))
		return dir
	}
	target, source := restore("18-basic", "target"), restore("18-basic", "source")
	other := restore("17-basic", "source")
	damaged := restore("18-basic", "target")
	require.NoError(t, os.Remove(filepath.Join(damaged, "pg_wal", "00000001000000000000000B")))
	for _, conf := range []string{"postgresql.conf", "postgresql.auto.conf"} { // without an archive, that is
		require.NoError(t, os.WriteFile(filepath.Join(damaged, conf), nil, 0o600))
	}
	for _, c := range []struct {
		name           string
		args           []string
		status         int
		stdout, stderr []string
	}{
		{
			"a source of another system is nothing to wait for",
			[]string{"-source-pgdata", other},
			1, nil,
			[]string{"attempt 1 failed (different_systems): ", "gave up; the old primary is unchanged"},
		},
		{
			"a server that does not answer is tried three times",
			[]string{"-source-server", "host=" + t.TempDir(), "-wait", "1ms"},
			1, nil,
			[]string{"attempt 1 failed (source_unreachable)", "attempt 3 failed (source_unreachable)", "gave up"},
		},
		{
			"without its WAL nothing but a copy helps",
			[]string{"-source-pgdata", source, "-target", damaged},
			3, nil,
			[]string{"attempt 1 failed (missing_wal): ", "clone it anew"},
		},
		{
			"more is lost than allowed",
			[]string{"-source-pgdata", source},
			5,
			[]string{"What is lost"},
			[]string{"9 commits, 0 allowed: "},
		},
		{
			"the same with consent",
			[]string{"-source-pgdata", source, "-yes"},
			0,
			[]string{"What is lost", "Rewound: ", "The old primary can follow the new one."},
			nil,
		},
		{
			"a second time",
			[]string{"-source-pgdata", source},
			0,
			[]string{"No rewind is required", "The old primary can follow the new one."},
			nil,
		},
	} {
		var stdout, stderr bytes.Buffer
		cmd := exec.Command(program, append([]string{"-target", target}, c.args...)...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		var exit *exec.ExitError
		if err := cmd.Run(); err != nil {
			require.True(t, errors.As(err, &exit), "%s: %v", c.name, err)
		}
		assert.Equal(t, c.status, cmd.ProcessState.ExitCode(), "%s: %s", c.name, stderr.String())
		for _, want := range c.stdout {
			assert.Contains(t, stdout.String(), want, c.name)
		}
		for _, want := range c.stderr {
			assert.Contains(t, stderr.String(), want, c.name)
		}
		if c.stderr == nil {
			assert.Empty(t, stderr.String(), c.name)
		}
	}
}

// TestAProgramOutsideTheModuleResyncs is that of examples/resync.
func TestAProgramOutsideTheModuleResyncs(t *testing.T) {
	program := filepath.Join(t.TempDir(), "resync.exe")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join("examples", "resync")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	target, source := filepath.Join(t.TempDir(), "target"), filepath.Join(t.TempDir(), "source")
	require.NoError(t, savedcluster.Restore(filepath.Join("testdata", "clusters", "18-basic", "target"), target))
	require.NoError(t, savedcluster.Restore(filepath.Join("testdata", "clusters", "18-basic", "source"), source))
	require.NoError(t, os.Remove(filepath.Join(target, "pg_wal", "00000001000000000000000B")))
	for _, c := range []struct {
		name   string
		args   []string
		status int
		says   []string
	}{
		{"no server answers", []string{"-source-server", "host=" + t.TempDir()}, 3, []string{"source_unreachable: "}},
		{"only a look", []string{"-source-pgdata", source, "-dry-run"}, 0, []string{"Evidence of what differs: comparison.", "Not by wal (missing_wal): "}},
		{"in earnest", []string{"-source-pgdata", source}, 0, []string{"Evidence of what differs: comparison.", "copying: "}},
		{"a second time", []string{"-source-pgdata", source}, 0, []string{"The target can follow as it is."}},
	} {
		said, err := exec.Command(program, append([]string{"-target", target}, c.args...)...).CombinedOutput()
		var exit *exec.ExitError
		if err != nil {
			require.True(t, errors.As(err, &exit), "%s: %v", c.name, err)
			assert.Equal(t, c.status, exit.ExitCode(), "%s: %s", c.name, said)
		} else {
			assert.Zero(t, c.status, "%s: %s", c.name, said)
		}
		for _, want := range c.says {
			assert.Contains(t, string(said), want, c.name)
		}
	}
}

// TestAProgramOutsideTheModuleExportsMetrics is that of examples/metrics: of a rewind that
// is refused, and of one that succeeds.
func TestAProgramOutsideTheModuleExportsMetrics(t *testing.T) {
	program := filepath.Join(t.TempDir(), "metrics.exe")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join("examples", "metrics")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	dirs := map[string]string{}
	for _, side := range []string{"18-basic/target", "18-basic/source", "17-basic/source"} {
		dirs[side] = filepath.Join(t.TempDir(), "data")
		require.NoError(t, savedcluster.Restore(filepath.Join("testdata", "clusters", filepath.FromSlash(side)), dirs[side]))
	}
	metrics := filepath.Join(t.TempDir(), "rewind.prom")
	for _, c := range []struct {
		source  string
		status  int
		spans   []string
		metrics []string
	}{
		{"17-basic/source", 1, []string{`"Name": "rewind.inspect"`, `"different_systems"`}, []string{`ended="different_systems",phase="inspect"`}},
		{"18-basic/source", 0, []string{`"Name": "rewind.analyze"`, `"Name": "rewind.apply"`, `"gorewind.fetched_bytes"`}, []string{
			`gorewind_phase_seconds_count{ended="well",phase="stage"} 1`, `gorewind_phase_seconds_count{ended="well",phase="apply"} 1`,
		}},
	} {
		cmd := exec.Command(program, "-target", dirs["18-basic/target"], "-source", dirs[c.source], "-metrics", metrics)
		said, _ := cmd.CombinedOutput() // the status says it
		assert.Equal(t, c.status, cmd.ProcessState.ExitCode(), "%s", said)
		for _, want := range c.spans {
			assert.Contains(t, string(said), want)
		}
		exported, err := os.ReadFile(metrics)
		require.NoError(t, err)
		for _, want := range c.metrics {
			assert.Contains(t, string(exported), want)
		}
	}
}
