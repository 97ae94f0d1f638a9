package main

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/built"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
)

// diverged creates a stopped old primary and a running new one, which has some
// megabytes that the old one lacks.
func diverged(t *testing.T, major string) (target, source *pgtest.Cluster) {
	t.Helper()
	in, err := servers.Major(t.Context(), major)
	if err != nil {
		t.Skip(err)
	}
	target = in.InitCluster(t, pgtest.Options{TCP: true})
	target.Start(t)
	target.Exec(t, "CREATE TABLE journal (what text)", "INSERT INTO journal VALUES ('common')")
	source = target.Standby(t)
	source.Promote(t)
	target.Exec(t, "INSERT INTO journal VALUES ('lost')")
	target.Stop(t, pgtest.Fast)
	source.Exec(t, "INSERT INTO journal VALUES ('new')",
		"CREATE TABLE big AS SELECT g, repeat('x', 1000) AS filler FROM generate_series(1, 16000) g", "CHECKPOINT")
	return target, source
}

func mustHoldNewRows(t *testing.T, target, source *pgtest.Cluster) {
	t.Helper()
	target.MakeStandbyOf(t, source)
	target.Start(t)
	target.WaitCaughtUp(t, source)
	assert.Equal(t, "common,new", target.QueryString(t, "SELECT string_agg(what, ',' ORDER BY what) FROM journal"))
	assert.Equal(t, "16000", target.QueryString(t, "SELECT count(*) FROM big"))
}

func TestRewindFromAServer(t *testing.T) {
	for _, major := range []string{"9.6", "18"} {
		t.Run(major, func(t *testing.T) {
			target, source := diverged(t, major)
			got := gorewind(t, "-P", "-D", target.Dir, "--source-server", source.ConnString("postgres"))
			assert.Equal(t, 0, got.status, got.stderr)
			assert.Empty(t, got.stdout)
			mustContainInOrder(t, got.stderr,
				`gorewind: connected to server`, `gorewind: servers diverged at WAL location \S+ on timeline 1`,
				`gorewind: need to copy \d+ MB .*`, `(\d+)/(\d+) kB \(100%\) copied`,
				`gorewind: syncing target data directory`, `gorewind: Done!`)
			mustHoldNewRows(t, target, source)
		})
	}
}

// stallingProxy forwards connections to a server until the server has sent limit
// bytes; then it stalls.
func stallingProxy(t *testing.T, address string, limit int64) (port string, stalled <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	done := make(chan struct{})
	var once sync.Once
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = client.Close() })
			server, err := net.Dial("tcp", address)
			if err != nil {
				_ = client.Close()
				return
			}
			t.Cleanup(func() { _ = server.Close() })
			go func() { _, _ = io.Copy(server, client) }()
			go func() {
				if _, err := io.CopyN(client, server, limit); err == nil {
					once.Do(func() { close(done) })
				}
			}()
		}
	}()
	_, port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port, done
}

func TestAnInterruptIsExplainedAndChangesNothing(t *testing.T) {
	target, source := diverged(t, "18")
	port, stalled := stallingProxy(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(source.Port())), 4<<20)
	var stderr strings.Builder
	cmd := exec.Command(built.Gorewind(t), "-D", target.Dir, "--source-server", "host=127.0.0.1 user=postgres dbname=postgres sslmode=disable port="+port)
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-stalled:
	case err := <-ended:
		t.Fatalf("it ended before it was interrupted: %v: %s", err, &stderr)
	}
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, <-ended)
	assert.Equal(t, 1, cmd.ProcessState.ExitCode(), &stderr)
	mustContainInOrder(t, stderr.String(), `gorewind: error: .*(interrupt|context canceled).*`,
		`gorewind: detail: The target was not changed\.`)
	assert.NoDirExists(t, filepath.Join(target.Dir, "pgsql_tmp_gorewind"))

	got := gorewind(t, "-D", target.Dir, "--source-server", source.ConnString("postgres"))
	assert.Equal(t, 0, got.status, got.stderr)
	assert.NoDirExists(t, filepath.Join(target.Dir, "pgsql_tmp_gorewind"))
	mustHoldNewRows(t, target, source)
}
