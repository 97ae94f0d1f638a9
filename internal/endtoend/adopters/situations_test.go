package adopters_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend/adopters"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/rewindtest"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// place is where a manager finds an old primary.
type place struct {
	*rewindtest.Pair
	open    adopters.Open
	archive func(ctx context.Context, name, dst string) error
	ctx     func(context.Context) context.Context
	mend    func() // removes the cause of a failure
	opened  int    // how often the manager connected
}

// connect counts, and connects.
func (p *place) connect(ctx context.Context, connInfo string, o pgsource.Options) (source.Source, error) {
	p.opened++
	return p.open(ctx, connInfo, o)
}

// live connects to what looks like a running server.
func (p *place) live(ctx context.Context, _ string, _ pgsource.Options) (source.Source, error) {
	return rewindtest.OpenLive(ctx, p.Source)
}

// refuse lets connecting fail.
func (p *place) refuse(reason error) {
	p.open = func(context.Context, string, pgsource.Options) (source.Source, error) {
		return nil, fmt.Errorf("connection to server failed: %w", reason)
	}
}

// nobody is an address at which no server is.
func nobody(ctx context.Context, _ string, o pgsource.Options) (source.Source, error) {
	return adopters.OpenServer(ctx, "host=127.0.0.1 port=1 user=postgres dbname=postgres", o)
}

// failing lets a source fail that could be connected to.
func (p *place) failing(fail func(call, path string) error) {
	p.open = func(ctx context.Context, _ string, _ pgsource.Options) (source.Source, error) {
		live, err := rewindtest.OpenLive(ctx, p.Source)
		if err != nil {
			return nil, err
		}
		live.Fail = fail
		return live, nil
	}
}

// failingAt lets the rewind fail when it reaches a phase.
func (p *place) failingAt(phase rewind.Phase, err error) {
	p.ctx = func(ctx context.Context) context.Context { return rewindtest.FailAt(ctx, phase, err) }
}

// newPlace makes a place where nothing stands in the way.
func newPlace(t *testing.T, o rewindtest.Options) *place {
	p := &place{Pair: rewindtest.New(t, o)}
	p.ctx = func(ctx context.Context) context.Context { return ctx }
	p.open = p.live
	p.archive = func(context.Context, string, string) error { return rewind.ErrNotInArchive }
	p.mend = func() {
		p.open = p.live
		p.ctx = func(ctx context.Context) context.Context { return ctx }
	}
	return p
}

// inStep is the situation in which no rewind is required.
const inStep = "it has nothing of its own"

// situations are what the managers meet; the tables say what comes of each.
var situations = map[string]func(t *testing.T, p *place){
	"it has commits of its own": func(*testing.T, *place) {},
	inStep:                      func(*testing.T, *place) {},
	"the rewind was killed right after its commit, and the source is gone since": func(t *testing.T, p *place) {
		kill(t, rewind.PhaseApply, p.Target, p.Source, "")
		p.open = nobody
	},
	"the rewind was killed before its commit": func(t *testing.T, p *place) {
		kill(t, rewind.PhaseCommit, p.Target, p.Source, "")
	},
	"the disk fails while files are replaced": func(_ *testing.T, p *place) {
		p.failingAt(rewind.PhaseApply, errors.New("input/output error"))
	},
	"nobody answers at the source's address": func(_ *testing.T, p *place) { p.open = nobody },
	"the source is starting":                 func(_ *testing.T, p *place) { p.refuse(source.ErrNotReady) },
	"the password is wrong":                  func(_ *testing.T, p *place) { p.refuse(source.ErrWrongPassword) },
	"the source goes away while a table is copied": func(_ *testing.T, p *place) {
		p.failing(func(call, path string) error {
			if call == "Fetch" && strings.HasPrefix(path, "base/") {
				return source.ErrUnavailable
			}
			return nil
		})
	},
	"it is cancelled before it begins": func(_ *testing.T, p *place) {
		p.ctx = func(ctx context.Context) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx
		}
	},
	"it is cancelled while files are copied": func(_ *testing.T, p *place) {
		var cancel func()
		p.ctx = func(ctx context.Context) context.Context {
			ctx, cancel = context.WithCancel(ctx)
			return ctx
		}
		p.failing(func(call, path string) error {
			if call == "Fetch" && strings.HasPrefix(path, "base/") {
				cancel()
			}
			return nil
		})
	},
	"it is cancelled while files are replaced": func(_ *testing.T, p *place) { p.failingAt(rewind.PhaseApply, context.Canceled) },
	"its server still runs": func(t *testing.T, p *place) {
		server := exec.Command("sleep", "600") // any process of this user
		require.NoError(t, server.Start())
		end := func() { _ = server.Process.Kill(); _ = server.Wait() }
		t.Cleanup(end)
		name := filepath.Join(p.Target, pgdata.PostmasterPid)
		require.NoError(t, os.WriteFile(name, fmt.Appendf(nil, "%d\n%s\n", server.Process.Pid, p.Target), 0o600))
		p.mend = func() { end(); _ = os.Remove(name) }
	},
	"another rewind works on it": func(t *testing.T, p *place) {
		src, err := source.OpenDir(p.Source)
		require.NoError(t, err)
		r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.Target, Source: src})
		require.NoError(t, err)
		p.mend = func() { _ = r.Close(); _ = src.Close() }
	},
	"the source is of another cluster": func(t *testing.T, p *place) {
		other := rewindtest.New(t, rewindtest.Options{SystemIdentifier: 42})
		p.open = func(ctx context.Context, _ string, _ pgsource.Options) (source.Source, error) {
			return rewindtest.OpenLive(ctx, other.Source)
		}
	},
	"it has lost WAL, and the archive fails once": func(t *testing.T, p *place) {
		walDir := filepath.Join(p.Target, p.Version.WALDir)
		saved := t.TempDir()
		require.NoError(t, os.CopyFS(saved, os.DirFS(walDir)))
		require.NoError(t, p.LoseWAL())
		failed := false
		p.archive = func(_ context.Context, name, dst string) error {
			if !failed {
				failed = true
				return errors.New("the archive cannot be reached")
			}
			segment, err := os.ReadFile(filepath.Join(saved, name))
			if errors.Is(err, os.ErrNotExist) {
				return rewind.ErrNotInArchive
			}
			return errors.Join(err, os.WriteFile(dst, segment, 0o600))
		}
	},
	"it has lost WAL, which is nowhere": func(t *testing.T, p *place) { require.NoError(t, p.LoseWAL()) },
	"its pg_control is empty": func(t *testing.T, p *place) {
		require.NoError(t, os.Truncate(filepath.Join(p.Target, pgdata.ControlFilePath), 0))
	},
	"what a committed rewind is to be finished with is lost": func(t *testing.T, p *place) {
		require.NoError(t, p.Interrupt(t.Context()))
		area := filepath.Join(p.Target, "pgsql_tmp_gorewind")
		require.NoError(t, os.Truncate(filepath.Join(area, "blocks"), 0))
	},
}
