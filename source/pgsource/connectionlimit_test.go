package pgsource_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/proxy"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// onlyOne dials once. Whoever dials then waits, as in the queue of a pooler or of a
// load balancer that has no place left.
func onlyOne(waiting chan<- struct{}) func(ctx context.Context, network, address string) (net.Conn, error) {
	var dialled atomic.Int64
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if dialled.Add(1) == 1 {
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		waiting <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
}

func TestConnectionsThatCannotBeHadAreNotWaitedFor(t *testing.T) {
	onMajors(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.Start(t)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // a quarter of never is longer
		defer cancel()
		openOne := func() (*pgsource.Server, <-chan struct{}) {
			waiting := make(chan struct{}, 100)
			s, err := pgsource.Open(ctx, c.ConnString("postgres"), pgsource.Options{Timeout: never, Jobs: 4, DialFunc: onlyOne(waiting)})
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, s.Close()) })
			return s, waiting
		}
		t.Run("when all is fetched", func(t *testing.T) {
			s, waiting := openOne()
			var asked []source.Range
			for f, err := range s.Files(ctx) {
				require.NoError(t, err)
				if f.Type == pgdata.Regular && strings.HasPrefix(f.Path, "base/") {
					asked = append(asked, source.Range{Path: f.Path, Length: max(f.Size, 1)})
				}
			}
			var once sync.Once
			require.NoError(t, s.Fetch(ctx, ranges(asked...), sinkFunc(func(string) error {
				once.Do(func() { <-waiting })
				return nil
			})))
		})
		t.Run("when the one that there is has become free", func(t *testing.T) {
			s, waiting := openOne()
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					_, err := s.State(ctx)
					assert.NoError(t, err)
				})
			}
			all.Wait()
			t.Logf("%d waited for another one", len(waiting))
		})
	}, "18")
}

func TestADeadHostDoesNotTakeTheTimeOfTheOthers(t *testing.T) {
	t.Parallel() // others run while it waits
	onMajors(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.Start(t)
		dead, alive := proxy.Before(t, c), proxy.Before(t, c)
		dead.Stall(true)
		j, log := newJournal()
		hosts := fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%d,%d user=postgres dbname=postgres sslmode=disable", dead.Port(), alive.Port())
		for _, attrs := range []string{"any", "prefer-standby"} {
			s, err := pgsource.Open(t.Context(), hosts+" target_session_attrs="+attrs, pgsource.Options{Timeout: 4 * time.Second, Logger: log})
			require.NoError(t, err, attrs)
			assert.Contains(t, s.String(), fmt.Sprint(alive.Port()), attrs)
			require.NoError(t, s.Close())
		}
		assert.Regexp(t, fmt.Sprintf("server on 127.0.0.1:%d: nothing came from the server for .*, trying the next of 1", dead.Port()), <-j.lines)

		t.Run("and all are named where none answers", func(t *testing.T) {
			alive.Stall(true)
			_, err := pgsource.Open(t.Context(), hosts, pgsource.Options{Timeout: 500 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
			require.ErrorIs(t, err, source.ErrUnavailable)
			for _, p := range []*proxy.Proxy{dead, alive} {
				assert.Contains(t, err.Error(), fmt.Sprintf("server on 127.0.0.1:%d: nothing came from the server for 2", p.Port()))
			}
		})
	}, "18")
}
