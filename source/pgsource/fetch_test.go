package pgsource_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

func ranges(rs ...source.Range) func(func(source.Range) bool) {
	return func(yield func(source.Range) bool) {
		for _, r := range rs {
			if !yield(r) {
				return
			}
		}
	}
}

func TestFetch(t *testing.T) {
	t.Parallel() // others run while it waits
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.Start(t)
		for _, test := range []struct {
			name string
			run  func(*testing.T, *pgtest.Cluster)
		}{
			{"pieces of files", fetchPieces},
			{"files that change while they are read", fetchChangingFiles},
			{"all files of a server under load", fetchUnderLoad},
			{"cancellation ends the session", cancelEverything},
			{"a listing ends when its reader does", breakListing},
			{"a server that is stopped meanwhile", stopServer},
		} {
			t.Run(test.name, func(t *testing.T) { test.run(t, c) })
		}
	})
}

func fetchPieces(t *testing.T, c *pgtest.Cluster) {
	s := open(t, c.ConnString("postgres"))
	const mb = 1 << 20
	content := make([]byte, 20*mb+12345)
	rand.New(rand.NewSource(1)).Read(content)
	write := func(name string, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(c.Dir, name), data, 0o600))
	}
	write("big", content)
	write("empty", nil)
	write("small", []byte("small"))
	fetch := func(t *testing.T, rs ...source.Range) *collector {
		t.Helper()
		got := newCollector()
		require.NoError(t, s.Fetch(t.Context(), ranges(rs...), got))
		return got
	}

	t.Run("a file of many pieces arrives whole", func(t *testing.T) {
		got := fetch(t, source.Range{Path: "big", Length: int64(len(content))})
		assert.True(t, bytes.Equal(content, got.files["big"]))
		assert.Empty(t, got.vanished)
	})
	t.Run("ranges that cross piece and request boundaries arrive where they belong", func(t *testing.T) {
		for _, r := range []source.Range{
			{Offset: mb - 1, Length: 2},
			{Offset: 1, Length: mb},
			{Offset: mb, Length: mb},
			{Offset: 0, Length: mb + 1},
			{Offset: 8*mb - 7, Length: 9 * mb},
			{Offset: 3, Length: 8 * mb},
		} {
			r.Path = "big"
			got := fetch(t, r)
			assert.True(t, bytes.Equal(content[r.Offset:r.Offset+r.Length], got.files["big"][r.Offset:]), "%+v", r)
			assert.True(t, bytes.Equal(make([]byte, r.Offset), got.files["big"][:r.Offset]), "nothing before %+v", r)
		}
	})
	t.Run("thousands of small ranges arrive", func(t *testing.T) {
		var rs []source.Range
		want := make([]byte, 3501*4096)
		for i := range 3501 { // every second half block
			r := source.Range{Path: "big", Offset: int64(i) * 4096, Length: 2048}
			copy(want[r.Offset:], content[r.Offset:r.Offset+r.Length])
			rs = append(rs, r)
		}
		got := fetch(t, rs...).files["big"]
		assert.True(t, bytes.Equal(want[:len(got)], got))
		assert.Len(t, got, 3500*4096+2048)
	})
	t.Run("beyond the end there is nothing", func(t *testing.T) {
		got := fetch(t, source.Range{Path: "small", Offset: 3, Length: 10 * mb}, source.Range{Path: "big", Offset: 1 << 40, Length: 5})
		assert.Equal(t, "\x00\x00\x00ll", string(got.files["small"]))
		assert.Empty(t, got.files["big"])
		assert.Equal(t, 1, got.writes["big"])
		assert.Empty(t, got.vanished)
	})
	t.Run("a range far longer than its file ends with the file", func(t *testing.T) {
		got := fetch(t, source.Range{Path: "big", Length: 1 << 60}, source.Range{Path: "gone", Length: 1 << 60}, source.Range{Path: "small", Length: 1 << 60})
		assert.True(t, bytes.Equal(content, got.files["big"]))
		assert.Equal(t, "small", string(got.files["small"]))
		assert.Contains(t, got.vanished, "gone")
	})
	t.Run("an empty file is one write without data", func(t *testing.T) {
		got := fetch(t, source.Range{Path: "empty", Length: mb})
		assert.Equal(t, map[string]int{"empty": 1}, got.writes)
		got = fetch(t, source.Range{Path: "empty"})
		assert.Equal(t, map[string]int{"empty": 1}, got.writes)
	})
	t.Run("a file that is gone is reported, others arrive", func(t *testing.T) {
		got := fetch(t, source.Range{Path: "gone", Length: 5}, source.Range{Path: "small", Length: 5}, source.Range{Path: "no/directory", Length: 5})
		assert.Equal(t, []string{"gone", "no/directory"}, got.vanished)
		assert.Equal(t, "small", string(got.files["small"]))
		_, err := s.ReadFile(t.Context(), "gone")
		assert.ErrorIs(t, err, fs.ErrNotExist)
	})
	t.Run("nothing is asked for, nothing arrives", func(t *testing.T) {
		assert.Empty(t, fetch(t).writes)
	})
	t.Run("ReadFile reads a file of exactly so many pieces, and refuses a huge one", func(t *testing.T) {
		write("pieces", content[:2*64<<10])
		b, err := s.ReadFile(t.Context(), "pieces")
		require.NoError(t, err)
		assert.True(t, bytes.Equal(content[:2*64<<10], b))
		_, err = s.ReadFile(t.Context(), "big")
		assert.ErrorContains(t, err, `file "big" of the source is larger than`)
	})
	t.Run("a sink's error ends it at once and leaves the connection usable", func(t *testing.T) {
		var calls atomic.Int32
		err := s.Fetch(t.Context(), ranges(source.Range{Path: "big", Length: 20 * mb}), sinkFunc(func(string) error { calls.Add(1); return errSink }))
		assert.ErrorIs(t, err, errSink)
		assert.LessOrEqual(t, calls.Load(), int32(2), "one for each connection")
		err = s.Fetch(t.Context(), ranges(source.Range{Path: "gone", Length: 1}), sinkFunc(func(string) error { return errSink }))
		assert.ErrorIs(t, err, errSink)
		assert.Equal(t, "small", string(fetch(t, source.Range{Path: "small", Length: 5}).files["small"]))
	})
	t.Run("what cannot be read is an error that names the server and the file", func(t *testing.T) {
		err := s.Fetch(t.Context(), ranges(source.Range{Path: "base", Length: 1}), newCollector())
		require.Error(t, err)
		assert.Contains(t, err.Error(), "could not read files of the source "+s.String())
		assert.Contains(t, err.Error(), `"base"`)
		assert.NotContains(t, err.Error(), "\n")
	})
}

// fetchChangingFiles reads files that shrink, grow and vanish. The content of a
// block says which one it is, so that every prefix of the
// file is known whatever happens to the rest.
func fetchChangingFiles(t *testing.T, c *pgtest.Cluster) {
	s := open(t, c.ConnString("postgres"))
	const size, piece = 6 << 20, 8192
	full := make([]byte, 0, 2*size)
	for i := 0; len(full) < 2*size; i++ {
		full = append(full, bytes.Repeat([]byte{byte(i*7 + 1)}, piece)...)
	}
	path := func(name string) string { return filepath.Join(c.Dir, name) }
	for _, name := range []string{"shrinks", "grows", "vanishes"} {
		require.NoError(t, os.WriteFile(path(name), full[:size], 0o600))
	}
	done, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for i := 0; err == nil; i++ {
			select {
			case <-done:
				stopped <- nil
				return
			default:
			}
			n := size * (i % 3) / 2 // half, full size and nothing
			if err = os.Truncate(path("shrinks"), int64(n)); err == nil {
				err = os.WriteFile(path("grows"), full[:size+n], 0o600) // O_TRUNC: from nothing to more than it was
			}
			if i%2 == 0 {
				_ = os.Remove(path("vanishes"))
			} else if err == nil {
				err = os.WriteFile(path("vanishes"), full[:size], 0o600)
			}
		}
		stopped <- err
	}()
	for range 10 {
		got := newCollector()
		require.NoError(t, s.Fetch(t.Context(), ranges(
			source.Range{Path: "shrinks", Length: size}, source.Range{Path: "grows", Length: size}, source.Range{Path: "vanishes", Length: size},
		), got))
		for _, name := range []string{"grows", "vanishes"} {
			b := got.files[name]
			another := 0 // a block that is being written may be read in part
			for at := range b {
				if b[at] != 0 && b[at] != full[at] {
					another++
				}
			}
			assert.Zero(t, another, "%s: bytes of another block", name)
		}
		assert.LessOrEqual(t, len(got.files["shrinks"]), size)
	}
	close(done)
	require.NoError(t, <-stopped)
}

// backends counts the sessions of an application.
func backends(t *testing.T, c *pgtest.Cluster, application string) string {
	t.Helper()
	return c.QueryString(t, "SELECT count(*) FROM pg_stat_activity WHERE application_name = '"+application+"'")
}

func cancelEverything(t *testing.T, c *pgtest.Cluster) {
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "big"), make([]byte, 64<<20), 0o600))
	for name, op := range map[string]func(ctx context.Context, cancel func(), s *pgsource.Server) error{
		"Fetch": func(ctx context.Context, cancel func(), s *pgsource.Server) error {
			return s.Fetch(ctx, ranges(source.Range{Path: "big", Length: 64 << 20}), sinkFunc(func(string) error { cancel(); return nil }))
		},
		"Files": func(ctx context.Context, cancel func(), s *pgsource.Server) error {
			for _, err := range s.Files(ctx) {
				if err != nil {
					return err
				}
				cancel()
			}
			return nil
		},
		"State": func(ctx context.Context, cancel func(), s *pgsource.Server) error {
			cancel()
			_, err := s.State(ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s, err := pgsource.Open(ctx, c.ConnString("postgres")+" application_name="+name, pgsource.Options{})
			require.NoError(t, err)
			require.Equal(t, "1", backends(t, c, name))
			assert.ErrorIs(t, op(ctx, cancel, s), context.Canceled)
			require.NoError(t, s.Close())
			assert.Eventually(t, func() bool { return backends(t, c, name) == "0" }, time.Minute, 10*time.Millisecond, "the session is gone")
		})
	}
}

func stopServer(t *testing.T, c *pgtest.Cluster) {
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "big"), make([]byte, 64<<20), 0o600))
	for _, mode := range []pgtest.StopMode{pgtest.Fast, pgtest.Immediate} {
		s := open(t, c.ConnString("postgres"), pgsource.Options{Timeout: 2 * time.Second})
		var stop sync.Once
		stopped := make(chan struct{})
		endless := func(yield func(source.Range) bool) {
			for yield(source.Range{Path: "big", Length: 64 << 20}) {
			}
		}
		err := s.Fetch(t.Context(), endless, sinkFunc(func(string) error {
			go stop.Do(func() { // while it is read on: a server waits for those who do not before it stops
				defer close(stopped)
				c.Stop(t, mode)
			})
			return nil
		}))
		<-stopped
		require.ErrorIs(t, err, source.ErrUnavailable, mode)
		assert.Contains(t, err.Error(), s.String())
		assert.NotContains(t, err.Error(), "\n")
		_, err = s.State(t.Context())
		assert.ErrorIs(t, err, source.ErrUnavailable)
		c.Start(t)
	}
}

// fetchUnderLoad reads whole data directories while tables come and go.
func fetchUnderLoad(t *testing.T, c *pgtest.Cluster) {
	s := open(t, c.ConnString("postgres"))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	conn := c.Connect(t, "postgres")
	go func() {
		var err error
		for i := 0; err == nil && ctx.Err() == nil; i++ {
			_, err = conn.Exec(context.Background(), fmt.Sprintf(
				"CREATE TABLE t%[1]d AS SELECT g FROM generate_series(1, 3000) g; CHECKPOINT; DROP TABLE t%[1]d", i))
		}
		done <- err
	}()
	for range 5 {
		var rs []source.Range
		for f, err := range s.Files(t.Context()) {
			require.NoError(t, err)
			if f.Type == pgdata.Regular {
				rs = append(rs, source.Range{Path: f.Path, Length: f.Size})
			}
		}
		got := newCollector()
		require.NoError(t, s.Fetch(t.Context(), ranges(rs...), got))
		for _, r := range rs {
			_, arrived := got.files[r.Path]
			assert.True(t, arrived || slices.Contains(got.vanished, r.Path), "%s neither arrived nor is gone", r.Path)
		}
	}
	cancel()
	require.NoError(t, <-done)
}

func breakListing(t *testing.T, c *pgtest.Cluster) {
	s := open(t, c.ConnString("postgres"))
	for f, err := range s.Files(t.Context()) {
		require.NoError(t, err)
		assert.NotEmpty(t, f.Path)
		break
	}
	_, err := s.State(t.Context())
	assert.NoError(t, err, "the connection is free again")
}
