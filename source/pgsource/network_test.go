package pgsource_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/proxy"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// never is a timeout that no test waits for.
const never = time.Hour

// journal is a log that can be waited for.
type journal struct {
	mu    sync.Mutex
	text  bytes.Buffer
	lines chan string
}

func newJournal() (*journal, *slog.Logger) {
	j := &journal{lines: make(chan string, 1000)}
	return j, slog.New(slog.NewTextHandler(j, nil))
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines <- string(b)
	return j.text.Write(b)
}

func (j *journal) count(level string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), "level="+level)
}

// crowd is thousands of pieces of a file, and a sink that checks them.
type crowd struct {
	content []byte
	mu      sync.Mutex
	asked   []source.Range
	came    map[int64]int
	at      map[int]func() // what happens at the n-th piece
	slow    atomic.Bool    // take time for each piece
}

const (
	crowdPiece = 1000
	manyPieces = 12000 // more than what is under way, and in buffers, when a connection breaks
)

func newCrowd(t *testing.T, c *pgtest.Cluster, n int) *crowd {
	t.Helper()
	w := &crowd{content: make([]byte, n*2*crowdPiece), came: map[int64]int{}, at: map[int]func(){}}
	_, err := io.ReadFull(rand.Reader, w.content)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "crowd"), w.content, 0o600))
	for i := range int64(n) {
		w.asked = append(w.asked, source.Range{Path: "crowd", Offset: 2 * i * crowdPiece, Length: crowdPiece})
	}
	return w
}

func (w *crowd) WriteAt(path string, data []byte, offset int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if path != "crowd" || !bytes.Equal(data, w.content[offset:][:crowdPiece]) {
		return fmt.Errorf("%q at %d is wrong", path, offset)
	}
	w.came[offset]++
	if what := w.at[len(w.came)]; what != nil {
		what()
	}
	if w.slow.Load() {
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

func (w *crowd) Vanished(path string) error { return fmt.Errorf("%q vanished", path) }

func (w *crowd) mustBeComplete(t *testing.T) {
	t.Helper()
	assert.Len(t, w.came, len(w.asked))
	for offset, times := range w.came {
		assert.Equal(t, 1, times, "piece at %d", offset)
	}
}

func TestABadNetwork(t *testing.T) {
	t.Parallel() // others run while it waits
	onMajors(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.Start(t)

		t.Run("a transfer that is cut again and again is complete, and each outage is logged once", func(t *testing.T) {
			p := proxy.Before(t, c)
			j, log := newJournal()
			s := open(t, p.ConnString("postgres", "postgres"), pgsource.Options{Timeout: never, Logger: log, Jobs: 1})
			w := newCrowd(t, c, manyPieces)
			for _, piece := range []int{1, 2500, 5000, 5001, 9000} {
				w.at[piece] = func() { p.CutAfter(100_000) }
			}
			require.NoError(t, s.Fetch(t.Context(), ranges(w.asked...), w))
			w.mustBeComplete(t)
			assert.GreaterOrEqual(t, j.count("WARN"), 3)
			assert.Equal(t, j.count("WARN"), j.count("INFO"))
			assert.Contains(t, <-j.lines, fmt.Sprintf("127.0.0.1:%d", p.Port()))
		})

		t.Run("a connection that was lost while nothing was asked does not matter", func(t *testing.T) {
			p := proxy.Before(t, c)
			j, log := newJournal()
			s := open(t, p.ConnString("postgres", "postgres"), pgsource.Options{Logger: log})
			for _, op := range []func() error{
				func() error { _, err := s.State(t.Context()); return err },
				func() error { _, err := s.ReadFile(t.Context(), "PG_VERSION"); return err },
				func() error { list(t, s); return nil },
			} {
				p.Cut()
				assert.NoError(t, op())
			}
			assert.Equal(t, 3, j.count("WARN"))
			assert.Equal(t, 3, j.count("INFO"))
		})

		t.Run("what is slow but moves is never cut", func(t *testing.T) {
			p := proxy.Before(t, c)
			s := open(t, p.ConnString("postgres", "postgres"), pgsource.Options{Timeout: 3 * time.Second})
			w := newCrowd(t, c, 300)
			p.Throttle(66_000) // one and a half times the timeout
			p.Delay(10 * time.Millisecond)
			require.NoError(t, s.Fetch(t.Context(), ranges(w.asked...), w))
			w.mustBeComplete(t)
			assert.Equal(t, 1, p.Accepted())
		})

		t.Run("time that the reader takes is not the server's", func(t *testing.T) {
			p := proxy.Before(t, c)
			j, log := newJournal()
			s := open(t, p.ConnString("postgres", "postgres"), pgsource.Options{Timeout: 3 * time.Second, Logger: log})
			w := newCrowd(t, c, manyPieces)
			w.at[1] = func() { time.Sleep(3100 * time.Millisecond) }
			require.NoError(t, s.Fetch(t.Context(), ranges(w.asked...), w))
			w.mustBeComplete(t)
			assert.Zero(t, j.count("WARN"))
		})

		t.Run("a server that stalls for too long is given up, and found again", func(t *testing.T) {
			p := proxy.Before(t, c)
			s := open(t, p.ConnString("postgres", "postgres"), pgsource.Options{Timeout: 2 * time.Second})
			w := newCrowd(t, c, manyPieces)
			w.at[1500] = func() { p.Stall(true) }
			err := s.Fetch(t.Context(), ranges(w.asked...), w)
			require.ErrorIs(t, err, source.ErrUnavailable)
			assert.NotErrorIs(t, err, context.Canceled)
			assert.Contains(t, err.Error(), "could not read files of the source "+s.String()+": the source did not answer for 2s")
			p.Stall(false)
			_, err = s.State(t.Context())
			assert.NoError(t, err)
		})

		t.Run("cancelling ends the waiting for a server that is away", func(t *testing.T) {
			for name, lose := range map[string]func(*proxy.Proxy){
				"refusing": func(p *proxy.Proxy) { p.Refuse(true); p.Cut() },
				"silent":   func(p *proxy.Proxy) { p.Cut(); p.Stall(true) },
			} {
				p := proxy.Before(t, c)
				j, log := newJournal()
				s := open(t, p.ConnString("postgres", "postgres"), pgsource.Options{Timeout: never, Logger: log})
				lose(p)
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					<-j.lines // it is lost
					cancel()
				}()
				_, err := s.State(ctx)
				assert.ErrorIs(t, err, context.Canceled, name)
			}
		})

		t.Run("what waiting cannot help is an error at once", func(t *testing.T) {
			p := proxy.Before(t, c)
			c.Exec(t, "CREATE ROLE shortlived LOGIN SUPERUSER")
			s := open(t, p.ConnString("shortlived", "postgres"), pgsource.Options{Timeout: never})
			c.Exec(t, "ALTER ROLE shortlived NOLOGIN")
			p.Cut()
			_, err := s.State(t.Context())
			require.ErrorContains(t, err, "check the user")
			assert.NotErrorIs(t, err, source.ErrUnavailable)
		})

		t.Run("opening is tried once", func(t *testing.T) {
			p := proxy.Before(t, c)
			_, err := pgsource.Open(t.Context(), p.ConnString("postgres", "nowhere"), pgsource.Options{Timeout: never})
			require.ErrorContains(t, err, "does not exist")
			assert.NotErrorIs(t, err, source.ErrUnavailable)
			p.Refuse(true)
			_, err = pgsource.Open(t.Context(), p.ConnString("postgres", "postgres"), pgsource.Options{Timeout: never})
			assert.ErrorIs(t, err, source.ErrUnavailable)
			p.Refuse(false)
			p.Stall(true)
			_, err = pgsource.Open(t.Context(), p.ConnString("postgres", "postgres"), pgsource.Options{Timeout: 100 * time.Millisecond})
			require.ErrorIs(t, err, source.ErrUnavailable)
			assert.Contains(t, err.Error(), "nothing came from the server for 100ms")
		})

		t.Run("of several hosts it stays with the one it began with", func(t *testing.T) {
			first, second := proxy.Before(t, c), proxy.Before(t, c)
			first.Refuse(true)
			s := open(t, fmt.Sprintf("postgres://postgres@127.0.0.1:%d,localhost:%d/postgres?sslmode=disable", first.Port(), second.Port()))
			assert.Equal(t, fmt.Sprintf("server on localhost:%d", second.Port()), s.String())
			first.Refuse(false)
			refused := first.Accepted()
			second.Cut()
			_, err := s.State(t.Context())
			require.NoError(t, err)
			assert.Equal(t, refused, first.Accepted())
		})
	}, "18")
}

func TestARestartOfTheSource(t *testing.T) {
	onMajors(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.Start(t)
		for _, mode := range []pgtest.StopMode{pgtest.Fast, pgtest.Immediate} {
			j, log := newJournal()
			s := open(t, c.ConnString("postgres"), pgsource.Options{Timeout: never, Logger: log})
			w := newCrowd(t, c, manyPieces)
			started := make(chan error, 1)
			w.at[1100] = func() {
				w.slow.Store(true) // but read on: a server waits for those who do not before it stops
				go func() {
					err := errors.New("it was not stopped")
					defer func() { started <- err }()
					c.Stop(t, mode)
					w.slow.Store(false)
					<-j.lines // it was missed
					err = c.TryStart()
				}()
			}
			require.NoError(t, s.Fetch(t.Context(), ranges(w.asked...), w), mode)
			w.mustBeComplete(t)
			require.NoError(t, <-started)
			assert.Equal(t, 1, j.count("WARN"), mode)
			assert.Equal(t, 1, j.count("INFO"), mode)
			var on string
			require.NoError(t, s.Conn().QueryRow(t.Context(), "SHOW default_transaction_read_only").Scan(&on))
			assert.Equal(t, "on", on, "the new session is as safe as the first")
		}
	}, "9.6", "18")
}

func TestASourceThatIsNotTheSameAnyMore(t *testing.T) {
	onMajors(t, func(t *testing.T, in *pgtest.Installation) {
		primary := in.InitCluster(t, pgtest.Options{})
		primary.Start(t)
		standby := primary.Standby(t)
		p := proxy.Before(t, standby)
		j, log := newJournal()
		opts := pgsource.Options{Timeout: never, Logger: log}
		conninfo := p.ConnString("postgres", "postgres")

		t.Run("promoted in the middle of a transfer", func(t *testing.T) {
			s := open(t, conninfo, opts)
			w := newCrowd(t, standby, manyPieces)
			w.at[1100] = func() { standby.Promote(t); p.Cut() }
			err := s.Fetch(t.Context(), ranges(w.asked...), w)
			require.ErrorIs(t, err, source.ErrChanged)
			assert.Contains(t, err.Error(), "it was promoted")
			assert.Less(t, len(w.came), len(w.asked))
			_, err = s.State(t.Context())
			assert.ErrorIs(t, err, source.ErrChanged, "it stays so")
			assert.Zero(t, j.count("INFO"))
		})
		for _, test := range []struct {
			name string
			to   func(t *testing.T) *pgtest.Cluster
			want string
		}{
			{"its address moved to the old primary, which knows nothing of a new timeline", func(*testing.T) *pgtest.Cluster { return primary }, "it writes on timeline 00000001 and wrote on 00000002"},
			{"its address moved to its own standby", func(t *testing.T) *pgtest.Cluster { return standby.Standby(t) }, "it is a standby and was a primary"},
			{"its address moved to a copy of it", func(t *testing.T) *pgtest.Cluster {
				standby.Stop(t, pgtest.Fast)
				twin := standby.CloneStopped(t)
				time.Sleep(1100 * time.Millisecond) // files have seconds
				require.NoError(t, os.Chmod(filepath.Join(twin.Dir, "PG_VERSION"), 0o600))
				standby.Start(t)
				twin.Start(t)
				return twin
			}, "its data directory is another one"},
			{"its address moved to another system", func(t *testing.T) *pgtest.Cluster {
				other := in.InitCluster(t, pgtest.Options{Distinct: true})
				other.Start(t)
				return other
			}, "its system identifier is"},
		} {
			t.Run(test.name, func(t *testing.T) {
				p.Move(standby)
				s := open(t, conninfo, opts)
				p.Move(test.to(t))
				p.Cut()
				_, err := s.ReadFile(t.Context(), "PG_VERSION")
				require.ErrorIs(t, err, source.ErrChanged)
				assert.Contains(t, err.Error(), test.want)
				assert.NotErrorIs(t, err, source.ErrUnavailable)
			})
		}
	}, "9.6", "18")
}

func TestAnEncryptedConnectionStaysSo(t *testing.T) {
	onMajors(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{TCP: true})
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotAfter: time.Now().Add(time.Hour)}
		cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		require.NoError(t, err)
		private, err := x509.MarshalECPrivateKey(key)
		require.NoError(t, err)
		for name, block := range map[string]*pem.Block{"server.crt": {Type: "CERTIFICATE", Bytes: cert}, "server.key": {Type: "EC PRIVATE KEY", Bytes: private}} {
			require.NoError(t, os.WriteFile(filepath.Join(c.Dir, name), pem.EncodeToMemory(block), 0o600))
		}
		c.SetConf(t, map[string]string{"ssl": "on"})
		c.Start(t)
		p := proxy.New(t, "tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(c.Port())))
		conninfo := strings.ReplaceAll(p.ConnString("postgres", "postgres"), "sslmode=disable", "sslmode=prefer")
		s := open(t, conninfo, pgsource.Options{Timeout: time.Second})
		w := newCrowd(t, c, manyPieces)
		w.at[1] = func() { p.CutAfter(1_500_000) }
		require.NoError(t, s.Fetch(t.Context(), ranges(w.asked...), w))
		w.mustBeComplete(t)
		assert.Greater(t, p.Accepted(), 1)
		var encrypted bool
		require.NoError(t, s.Conn().QueryRow(t.Context(), "SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()").Scan(&encrypted))
		assert.True(t, encrypted)

		p.Stall(true)
		_, err = s.State(t.Context())
		assert.ErrorIs(t, err, source.ErrUnavailable, "a stall below TLS is one")
		p.Stall(false)

		c.Stop(t, pgtest.Fast)
		c.SetConf(t, map[string]string{"ssl": "off"})
		c.Start(t)
		_, err = s.State(t.Context())
		assert.ErrorContains(t, err, "SSL was required", "nothing is read unencrypted, although sslmode=prefer would")
	}, "18")
}
