package pgsource_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// onMajors runs a test that does not depend on the major on some majors.
func onMajors(t *testing.T, fn func(t *testing.T, in *pgtest.Installation), majors ...string) {
	t.Helper()
	for _, major := range majors {
		t.Run(major, func(t *testing.T) {
			t.Parallel()
			in, err := servers.Major(t.Context(), major)
			if err != nil {
				t.Skip(err)
			}
			fn(t, in)
		})
	}
}

// network makes network operations (dialling, a read, a write) fail or stall.
type network struct {
	count   atomic.Int64 // of operations
	from    int64        // the first one that does; zero: none
	forever bool         // those after it, too
	stalls  bool
	hit     atomic.Bool
	over    atomic.Bool // all is well again
}

func (n *network) now() bool {
	if n.over.Load() {
		return false
	}
	k := n.count.Add(1)
	bad := n.from > 0 && (k == n.from || n.forever && k > n.from)
	if bad {
		n.hit.Store(true)
	}
	return bad
}

func (n *network) dial(ctx context.Context, family, address string) (net.Conn, error) {
	if n.now() {
		if n.stalls {
			<-ctx.Done()
			return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
		}
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	conn, err := new(net.Dialer).DialContext(ctx, family, address)
	if err != nil {
		return nil, err
	}
	return &badConn{network: n, Conn: conn}, nil
}

// badConn is one end of a pipe at which nobody listens once it stalls.
type badConn struct {
	net.Conn
	network *network
	mu      sync.Mutex
	stalled net.Conn
}

func (c *badConn) to(op string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stalled != nil:
		return c.stalled, nil
	case !c.network.now():
		return c.Conn, nil
	case c.network.stalls:
		c.stalled, _ = net.Pipe()
		return c.stalled, nil
	}
	_ = c.Conn.Close()
	return nil, &net.OpError{Op: op, Err: syscall.ECONNRESET}
}

func (c *badConn) Read(b []byte) (int, error) {
	conn, err := c.to("read")
	if err != nil {
		return 0, err
	}
	return conn.Read(b)
}

func (c *badConn) Write(b []byte) (int, error) {
	conn, err := c.to("write")
	if err != nil {
		return 0, err
	}
	return conn.Write(b)
}

func (c *badConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stalled != nil {
		return c.stalled.SetDeadline(t)
	}
	return c.Conn.SetDeadline(t)
}

func (c *badConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stalled != nil {
		_ = c.stalled.Close()
	}
	return c.Conn.Close()
}

// task is a request while the network fails, and its expected result.
type task struct {
	conninfo string
	asked    []source.Range
	want     map[source.Range][]byte // what is to arrive, by piece; nil: Vanished
	files    map[string]pgdata.FileInfo
	state    source.State
}

func newTask(t *testing.T, c *pgtest.Cluster) *task {
	t.Helper()
	content := make([]byte, 700<<10)
	rand.New(rand.NewSource(1)).Read(content)
	for name, data := range map[string][]byte{"content": content, "empty": nil, "caf\xe9": content[:100]} {
		require.NoError(t, os.WriteFile(filepath.Join(c.Dir, name), data, 0o600))
	}
	k := &task{conninfo: c.ConnString("postgres"), want: map[source.Range][]byte{}}
	ask := func(path string, offset, length int64, data []byte) {
		r := source.Range{Path: path, Offset: offset, Length: length}
		k.asked = append(k.asked, r)
		k.want[r] = data
	}
	for i := range int64(60) {
		ask("content", i*8192, 3000, content[i*8192:][:3000])
	}
	ask("gone", 0, 1, nil)
	ask("empty", 0, 1, []byte{})
	ask("caf\xe9", 0, 1000, content[:100])
	ask("content", 500<<10, 300<<10, content[500<<10:])

	s := open(t, k.conninfo)
	k.files = settled(list(t, s))
	var err error
	k.state, err = s.State(t.Context())
	require.NoError(t, err)
	return k
}

// pieces is a sink that checks that each byte arrives once and unchanged, and that
// nothing else arrives.
type pieces struct {
	task    *task
	mu      sync.Mutex
	left    map[source.Range]*arrival // of the ranges that are not complete
	trouble error
}

// arrival is what arrived of a range.
type arrival struct {
	came    []bool // by byte
	missing int    // bytes
}

func (k *task) sink() *pieces {
	p := &pieces{task: k, left: map[source.Range]*arrival{}}
	for _, r := range k.asked {
		p.left[r] = &arrival{make([]bool, len(k.want[r])), len(k.want[r])}
	}
	return p
}

// asked finds the range that a piece belongs to.
func (p *pieces) asked(path string, offset int64) (r source.Range, left *arrival, expected bool) {
	for r, left := range p.left {
		if r.Path == path && offset >= r.Offset && offset < r.Offset+r.Length {
			return r, left, true
		}
	}
	p.trouble = fmt.Errorf("%q at %d came again, or was not asked for", path, offset)
	return r, nil, false
}

func (p *pieces) WriteAt(path string, data []byte, offset int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, left, expected := p.asked(path, offset)
	if !expected {
		return nil
	}
	want, at := p.task.want[r], int(offset-r.Offset)
	if want == nil || at+len(data) > len(want) || !bytes.Equal(want[at:at+len(data)], data) || len(data) == 0 && len(want) > 0 {
		p.trouble = fmt.Errorf("%d bytes of %q at %d are wrong", len(data), path, offset)
		return nil
	}
	for i := range data {
		if left.came[at+i] {
			p.trouble = fmt.Errorf("%q at %d came again", path, offset+int64(i))
		}
		left.came[at+i] = true
	}
	if left.missing -= len(data); left.missing == 0 {
		delete(p.left, r)
	}
	return nil
}

func (p *pieces) Vanished(path string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r, _, expected := p.asked(path, 0); expected && p.task.want[r] != nil {
		p.trouble = fmt.Errorf("%q vanished, and is there", path)
	} else {
		delete(p.left, r)
	}
	return nil
}

var errWrong = errors.New("wrong result")

// do is the task. An error that wraps errWrong is one of the source's doing.
func (k *task) do(ctx context.Context, n *network, timeout time.Duration) (opened bool, err error) {
	s, err := pgsource.Open(ctx, k.conninfo, pgsource.Options{Timeout: timeout, DialFunc: n.dial})
	if err != nil {
		return false, err
	}
	defer func() {
		n.over.Store(true)
		s.Close()
	}()
	state, err := s.State(ctx)
	if err != nil {
		return true, err
	}
	files := map[string]pgdata.FileInfo{}
	for f, err := range s.Files(ctx) {
		if err != nil {
			return true, err
		}
		if dir := filepath.Dir(f.Path); dir != "." && files[dir].Path == "" {
			return true, fmt.Errorf("%w: %q is listed before its directory", errWrong, f.Path)
		}
		files[f.Path] = f // maybe again, after a loss
	}
	sink := k.sink()
	err = s.Fetch(ctx, ranges(k.asked...), sink)
	switch {
	case sink.trouble != nil:
		return true, fmt.Errorf("%w: %w", errWrong, sink.trouble)
	case err != nil:
		return true, err
	case len(sink.left) > 0:
		return true, fmt.Errorf("%w: %d ranges did not come", errWrong, len(sink.left))
	case state.FlushLSN < k.state.FlushLSN || state.Timeline != k.state.Timeline || state.InRecovery != k.state.InRecovery:
		return true, fmt.Errorf("%w: state %+v instead of %+v", errWrong, state, k.state)
	case !assert.ObjectsAreEqual(k.files, settled(files)):
		return true, fmt.Errorf("%w: the listing is another one", errWrong)
	}
	return true, nil
}

func TestTheNetworkFailsAtEveryInstant(t *testing.T) {
	onMajors(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.Start(t)
		k := newTask(t, c)
		var clean network
		_, err := k.do(t.Context(), &clean, 0)
		require.NoError(t, err)
		instants := clean.count.Load()
		require.Greater(t, instants, int64(15))

		for _, mode := range []struct {
			name            string
			stalls, forever bool
			timeout         time.Duration
		}{
			{"an error", false, false, time.Minute},
			{"errors from then on", false, true, 400 * time.Millisecond},
			{"a stall", true, false, time.Second},
			{"stalls from then on", true, true, 400 * time.Millisecond},
		} {
			t.Run(mode.name, func(t *testing.T) {
				var all sync.WaitGroup
				var tried, done, notOpened, unavailable atomic.Int64
				slots := make(chan struct{}, 24)
				for from := int64(1); from <= instants; from++ {
					slots <- struct{}{}
					all.Go(func() {
						defer func() { <-slots }()
						n := &network{from: from, forever: mode.forever, stalls: mode.stalls}
						opened, err := k.do(t.Context(), n, mode.timeout)
						if !n.hit.Load() {
							// The number of reads differs from run to run; and where the timeout
							// is short, so does how far a slow machine gets.
							assert.True(t, err == nil || mode.timeout < time.Minute && errors.Is(err, source.ErrUnavailable), "operation %d did not happen: %v", from, err)
							return
						}
						tried.Add(1)
						switch {
						case err == nil:
							done.Add(1)
							assert.False(t, mode.forever, "operation %d: it cannot have succeeded", from)
							return
						case !opened:
							notOpened.Add(1)
						default:
							unavailable.Add(1)
							assert.True(t, mode.forever || mode.stalls, "operation %d: %v", from, err)
						}
						assert.ErrorIs(t, err, source.ErrUnavailable, "operation %d", from)
						assert.NotErrorIs(t, err, context.Canceled, "operation %d", from)
						assert.NotContains(t, err.Error(), "\n")
					})
				}
				all.Wait()
				pgtest.Note(fmt.Sprintf("network of %s, %s: %d instants (%d complete, %d not opened, %d given up)",
					in.Version, mode.name, tried.Load(), done.Load(), notOpened.Load(), unavailable.Load()))
				assert.Greater(t, tried.Load(), int64(10))
				assert.Less(t, notOpened.Load(), tried.Load())
				assert.Equal(t, mode.forever, done.Load() == 0)
			})
		}
	}, "9.6", "18")
}
