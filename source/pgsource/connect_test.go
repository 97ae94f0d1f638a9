package pgsource_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/source/pgsource"
)

const password = "TopSecret"

// mustNotConnect opens a source and returns the text of its error, a line that
// does not hold the password.
func mustNotConnect(t *testing.T, conninfo string) string {
	t.Helper()
	s, err := pgsource.Open(t.Context(), conninfo, pgsource.Options{})
	require.Error(t, err)
	require.Nil(t, s)
	assert.NotContains(t, err.Error(), "\n")
	for _, verb := range []string{"%v", "%+v", "%q"} {
		assert.NotContains(t, fmt.Sprintf(verb, err), "Secret")
	}
	return err.Error()
}

func TestConnecting(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{TCP: true})
		require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "pg_hba.conf"), []byte("local all postgres trust\nhost postgres all 127.0.0.1/32 md5\n"), 0o600))
		c.Start(t)
		c.Exec(t, "CREATE ROLE guarded LOGIN SUPERUSER PASSWORD '"+password+"'")
		address := fmt.Sprintf("127.0.0.1:%d", c.Port())

		s := open(t, c.TCPConnString("guarded", "postgres")+" password="+password)
		assert.Equal(t, "server on "+address, s.String())
		s = open(t, "postgres://guarded:"+password+"@"+address+"/postgres")
		assert.Equal(t, "server on "+address, s.String())
		assert.Equal(t, fmt.Sprintf("server on %s port %d", c.SocketDir(), c.Port()), open(t, c.ConnString("postgres")).String())

		for _, bad := range []struct {
			name, conninfo string
			want           []string
		}{
			{"a wrong password", c.TCPConnString("guarded", "postgres") + " password=Secret2", []string{address, "password authentication failed", "check the user and the password"}},
			{"a wrong password in a URI", "postgres://guarded:Secret2@" + address + "/postgres", []string{address, "password authentication failed", "check the user and the password"}},
			{"no entry in pg_hba.conf", c.TCPConnString("guarded", "elsewhere") + " password=" + password, []string{address, "pg_hba.conf", "check the user and what"}},
			{"a server without TLS", c.TCPConnString("guarded", "postgres") + " sslmode=require", []string{address, "server does not support SSL, but SSL was required: set ssl = on"}},
			{"a database that does not exist", c.ConnString("nowhere"), []string{c.SocketDir(), `database "nowhere" does not exist`, "any database of the server will do"}},
		} {
			t.Run(bad.name, func(t *testing.T) {
				text := mustNotConnect(t, bad.conninfo)
				for _, want := range bad.want {
					assert.Contains(t, text, want)
				}
			})
		}
		c.Stop(t, pgtest.Fast)
		text := mustNotConnect(t, c.TCPConnString("guarded", "postgres")+" password="+password)
		assert.Contains(t, text, "could not connect to the source server on "+address)
		assert.Contains(t, text, "connection refused: check the host and the port and that the server runs")
		text = mustNotConnect(t, c.ConnString("postgres"))
		assert.Contains(t, text, c.SocketDir())
		assert.Contains(t, text, fmt.Sprintf("socket %q: no such file or directory: check the directory of the socket", fmt.Sprintf("%s/.s.PGSQL.%d", c.SocketDir(), c.Port())))
		text = mustNotConnect(t, fmt.Sprintf("host=localhost port=%d user=guarded", c.Port()))
		assert.Regexp(t, `address (127\.0\.0\.1|::1): `, text, "a host that failed has its address")
	})
}

func TestConnectionStringsThatCannotBeUnderstood(t *testing.T) {
	for _, conninfo := range []string{
		"password=TopSecret host", "host=x password='TopSecret", "postgres://u:Top/Secret@host:5432/db", "postgres://u:Top%zzSecret@host/db",
		"postgres://u:TopSecret@host:port/db", "port=x password=TopSecret", "host=x password=TopSecret sslmode=maybe", "password=`TopSecret`: host",
		"host=x password=TopSecret sslmode=verify-full sslrootcert=/does/not/exist",
	} {
		t.Run(conninfo, func(t *testing.T) {
			assert.Contains(t, mustNotConnect(t, conninfo), "could not understand the connection string: ")
		})
	}
}

func TestAServerThatNeverAnswersIsLeftWhenToldTo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := l.Accept()
		if err == nil {
			defer func() { _ = conn.Close() }()
		}
		cancel()
		<-t.Context().Done()
	}()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	_, err = pgsource.Open(ctx, "host=127.0.0.1 sslmode=disable password=TopSecret port="+port, pgsource.Options{})
	assert.ErrorIs(t, err, context.Canceled)
	assert.NotContains(t, err.Error(), "\n")
}

// startsUp is a server that is not ready and says so. It is asked for TLS first.
func startsUp(t *testing.T) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1024))
			_, _ = conn.Write([]byte("E\x00\x00\x00\x30SFATAL\x00C57P03\x00Mthe database is starting up\x00\x00"))
			_ = conn.Close()
		}
	}()
	_, port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

func TestAServerThatIsNotReadyIsNotTheLastOne(t *testing.T) {
	one, two := startsUp(t), startsUp(t)
	text := mustNotConnect(t, fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%s,%s user=u sslmode=disable password=TopSecret", one, two))
	assert.Contains(t, text, "server on 127.0.0.1:"+one)
	assert.Contains(t, text, "server on 127.0.0.1:"+two)
	assert.Contains(t, text, "wait until the server accepts connections")
}

func TestASilentServerIsLeftAfterConnectTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	text := mustNotConnect(t, "host=127.0.0.1 user=u connect_timeout=1 port="+port)
	assert.Contains(t, text, "server on 127.0.0.1:"+port+": timeout expired: check the host")
}

func TestAURIWithPiecesOfItsPasswordInWrongPlaces(t *testing.T) {
	assert.Contains(t, mustNotConnect(t, "postgres://127.0.0.1:1/Secret@db?connect_timeout=2"), "must be percent-encoded")
}
