//go:build unix

package recovery_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/internal/recovery"
	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/pgdata"
)

// cluster is a stopped cluster from a fixture, modified to look like another state.
func cluster(t *testing.T, name string, edit func(*controlfile.Fields)) *datadir.Dir {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	require.NoError(t, savedcluster.RestoreStored(filepath.Join("..", "..", "testdata", "clusters", name, "target"), dir))
	change(t, dir, edit)
	return open(t, dir)
}

func change(t *testing.T, dir string, edit func(*controlfile.Fields)) {
	t.Helper()
	c := control(t, dir)
	f := c.Fields
	edit(&f)
	require.NoError(t, os.WriteFile(filepath.Join(dir, pgdata.ControlFilePath), c.Encode(f), 0o600))
}

func killed(f *controlfile.Fields) { f.State = controlfile.InProduction }

func TestWhatAClusterNeeds(t *testing.T) {
	for _, c := range []struct {
		name    string
		state   controlfile.State
		minimum pgdata.LSN
		files   []string
		want    recovery.Need
		err     error
	}{
		{name: "a stopped primary", state: controlfile.ShutDown},
		{name: "a stopped primary that is to be a standby", state: controlfile.ShutDown, files: []string{"standby.signal"}},
		{name: "a stopped standby", state: controlfile.ShutDownInRecovery, minimum: 0x2000000, files: []string{"standby.signal"}},
		{name: "a killed primary", state: controlfile.InProduction, want: recovery.SingleUser},
		{name: "a killed primary that is to be a standby", state: controlfile.InProduction, files: []string{"standby.signal"}, want: recovery.SingleUser},
		{name: "a killed primary during an old kind of backup", state: controlfile.InProduction, files: []string{"backup_label"}, want: recovery.SingleUser},
		{name: "a primary killed in recovery", state: controlfile.InCrashRecovery, files: []string{"standby.signal"}, want: recovery.SingleUser},
		{name: "a primary killed while it stopped", state: controlfile.ShuttingDown, want: recovery.SingleUser},
		{name: "a killed standby", state: controlfile.InArchiveRecovery, minimum: 0x2000000, files: []string{"standby.signal"}, want: recovery.OlderStart},
		{name: "a server killed in recovery to a point in time", state: controlfile.InArchiveRecovery, minimum: 0x2000000, files: []string{"recovery.signal"}, want: recovery.OlderStart},
		{name: "a file of an older major says nothing", state: controlfile.InArchiveRecovery, minimum: 0x2000000, files: []string{"recovery.conf"}, want: recovery.SingleUser},
		{name: "a standby killed in promotion", state: controlfile.InArchiveRecovery, minimum: 0x2000000, want: recovery.SingleUser},
		{name: "a primary killed as it became a standby", state: controlfile.InArchiveRecovery, files: []string{"standby.signal"}, want: recovery.SingleUser},
		{name: "restored or rewound and not started", state: controlfile.InArchiveRecovery, minimum: 0x2000000, files: []string{"standby.signal", "backup_label"}, err: recovery.ErrInconsistent},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := cluster(t, "17-basic", func(f *controlfile.Fields) { f.State, f.MinRecoveryPoint = c.state, c.minimum })
			for _, name := range c.files {
				write(t, d.Join(name), "")
			}
			need, err := recovery.Assess(d, control(t, d.Name()))
			assert.ErrorIs(t, err, c.err)
			assert.Equal(t, c.want, need, "needs %s", need)
		})
	}
}

func TestAnUnfinishedRewindIsNotRecovered(t *testing.T) {
	d := cluster(t, "17-basic", killed)
	require.NoError(t, os.WriteFile(d.Join(pgdata.ControlFilePath), poison.Of(control(t, d.Name())), 0o600))
	_, err := recovery.Assess(d, control(t, d.Name()))
	assert.ErrorIs(t, err, recovery.ErrPoisoned)
	assert.ErrorIs(t, recovery.Run(t.Context(), recovery.Options{Dir: d}), recovery.ErrPoisoned)
}

func TestNothingIsDoneWhereAServerRuns(t *testing.T) {
	d := cluster(t, "17-basic", killed)
	sleeper := exec.Command("sleep", "60")
	require.NoError(t, sleeper.Start())
	t.Cleanup(func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() })
	write(t, d.Join(pgdata.PostmasterPid), strconv.Itoa(-sleeper.Process.Pid)+"\n")
	write(t, d.Join(recovery.HiddenName("standby.signal")), "")
	assert.ErrorIs(t, recovery.Run(t.Context(), recovery.Options{Dir: d}), recovery.ErrRunning)
	assert.FileExists(t, d.Join(recovery.HiddenName("standby.signal")), "it may be a single-user server that is about to look")
}

func TestFilesAreBackHoweverTheServerEnds(t *testing.T) {
	for _, c := range []struct {
		name, server string
		check        func(*testing.T, *recovery.ProgramError)
	}{
		{"it cannot start", "", func(t *testing.T, e *recovery.ProgramError) {
			assert.ErrorIs(t, e, os.ErrNotExist)
		}},
		{"it ends well and did nothing", "echo PostgreSQL stand-alone backend; echo backend\\>", func(t *testing.T, e *recovery.ProgramError) {
			assert.ErrorContains(t, e, `its control file says "in production": PostgreSQL stand-alone backend; correct that and try again; command was: `)
		}},
		{
			"it says why it failed", "for i in $(seq 30); do echo LOG:  $i; done; echo '12:00 [1] FATAL:  no space'; echo 'HINT:  free some'; echo 'LOG:  bye'; printf end; exit 1",
			func(t *testing.T, e *recovery.ProgramError) {
				assert.Equal(t, "12:00 [1] FATAL:  no space HINT:  free some", e.Reason())
				assert.Len(t, e.Output, 20)
				assert.Equal(t, "end", e.Output[19])
				assert.ErrorContains(t, e, "failed: exit status 1: 12:00")
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := cluster(t, "17-basic", killed)
			write(t, d.Join("standby.signal"), "mine")
			program := filepath.Join(t.TempDir(), "postgres")
			if c.server != "" {
				script(t, program, "test ! -e "+d.Join("standby.signal")+" || echo it sees the file\n"+c.server)
			}
			err := recovery.Run(t.Context(), recovery.Options{Dir: d, Program: program})
			var failed *recovery.ProgramError
			require.ErrorAs(t, err, &failed)
			assert.ErrorIs(t, err, recovery.ErrStillUnclean)
			assert.NotContains(t, failed.Output, "it sees the file")
			c.check(t, failed)
			back, err := os.ReadFile(d.Join("standby.signal"))
			require.NoError(t, err)
			assert.Equal(t, "mine", string(back))
		})
	}
}

func TestCancelledRunStopsTheServer(t *testing.T) {
	d := cluster(t, "17-basic", killed)
	write(t, d.Join("recovery.signal"), "")
	started := filepath.Join(t.TempDir(), "started")
	require.NoError(t, exec.Command("mkfifo", started).Run())
	program := script(t, filepath.Join(t.TempDir(), "postgres"), "echo > "+started+"; exec sleep 600")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = os.ReadFile(started) // returns when the server has written to it
		cancel()
	}()
	err := recovery.Run(ctx, recovery.Options{Dir: d, Program: program})
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, err, recovery.ErrStillUnclean)
	assert.FileExists(t, d.Join("recovery.signal"))
}

func TestWhatCannotBeSetAsideStopsTheRun(t *testing.T) {
	d := cluster(t, "17-basic", killed)
	write(t, d.Join("standby.signal"), "")
	require.NoError(t, os.Chmod(d.Name(), 0o500))
	t.Cleanup(func() { _ = os.Chmod(d.Name(), 0o700) })
	err := recovery.Run(t.Context(), recovery.Options{Dir: d, Program: "/no/such/program"})
	assert.ErrorContains(t, err, `could not rename file "`+d.Join("standby.signal")+`"`)
	assert.ErrorContains(t, err, "permission denied")
}

func TestRestoreSignalFiles(t *testing.T) {
	for _, c := range []struct {
		name        string
		aside, here map[string]string
		back        []string
		err         string
		want        map[string]string
	}{
		{name: "nothing was set aside", here: map[string]string{"standby.signal": "a"}, want: map[string]string{"standby.signal": "a"}},
		{
			name: "all that was", aside: map[string]string{"standby.signal": "a", "recovery.signal": "b", "recovery.conf": "c"},
			back: []string{"standby.signal", "recovery.signal", "recovery.conf"},
			want: map[string]string{"standby.signal": "a", "recovery.signal": "b", "recovery.conf": "c"},
		},
		{
			name: "somebody has written the same again", aside: map[string]string{"standby.signal": "a"}, here: map[string]string{"standby.signal": "a"},
			back: []string{"standby.signal"}, want: map[string]string{"standby.signal": "a"},
		},
		{
			name: "somebody has written another", aside: map[string]string{"recovery.conf": "a"}, here: map[string]string{"recovery.conf": "b"},
			err: "was set aside by an earlier run, and now there is another", want: map[string]string{"recovery.conf": "b"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := cluster(t, "17-basic", killed)
			for name, text := range c.aside {
				write(t, d.Join(recovery.HiddenName(name)), text)
			}
			for name, text := range c.here {
				write(t, d.Join(name), text)
			}
			back, err := recovery.RestoreSignalFiles(d)
			if c.err != "" {
				assert.ErrorContains(t, err, c.err)
			} else {
				require.NoError(t, err)
			}
			assert.Equal(t, c.back, back)
			for name, text := range c.want {
				got, err := os.ReadFile(d.Join(name))
				require.NoError(t, err)
				assert.Equal(t, text, string(got))
				if c.err == "" {
					assert.NoFileExists(t, d.Join(recovery.HiddenName(name)))
				}
			}
		})
	}
}
