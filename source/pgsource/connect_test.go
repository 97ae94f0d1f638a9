package pgsource_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

const password = "TopSecret"

// mustNotConnect opens a source and returns the text of its error, a line that
// does not hold the password.
func mustNotConnect(t *testing.T, conninfo string) string {
	t.Helper()
	return errorOfConnecting(t, conninfo).Error()
}

func errorOfConnecting(t *testing.T, conninfo string) error {
	t.Helper()
	s, err := pgsource.Open(t.Context(), conninfo, pgsource.Options{})
	require.Error(t, err)
	require.Nil(t, s)
	assert.NotContains(t, err.Error(), "\n")
	for _, verb := range []string{"%v", "%+v", "%q"} {
		assert.NotContains(t, fmt.Sprintf(verb, err), "Secret")
	}
	return err
}

func TestConnecting(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{TCP: true, Template0: true})
		require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "pg_hba.conf"), []byte("local all all trust\nhost postgres all 127.0.0.1/32 md5\n"), 0o600))
		c.Start(t)
		c.Exec(t, "CREATE ROLE guarded LOGIN SUPERUSER PASSWORD '"+password+"'")
		c.Exec(t, "CREATE ROLE limited LOGIN CONNECTION LIMIT 0", "CREATE ROLE outsider LOGIN")
		c.Exec(t, "CREATE DATABASE closed")
		c.Exec(t, "REVOKE CONNECT ON DATABASE closed FROM public")
		address := fmt.Sprintf("127.0.0.1:%d", c.Port())

		s := open(t, c.TCPConnString("guarded", "postgres")+" password="+password)
		assert.Equal(t, "server on "+address, s.String())
		s = open(t, "postgres://guarded:"+password+"@"+address+"/postgres")
		assert.Equal(t, "server on "+address, s.String())
		assert.Equal(t, fmt.Sprintf("server on %s port %d", c.SocketDir(), c.Port()), open(t, c.ConnString("postgres")).String())

		for _, bad := range []struct {
			name, conninfo string
			reason         error
			want           []string
		}{
			{"a wrong password", c.TCPConnString("guarded", "postgres") + " password=Secret2", source.ErrWrongPassword, []string{address, "password authentication failed", "check the user and the password"}},
			{"a wrong password in a URI", "postgres://guarded:Secret2@" + address + "/postgres", source.ErrWrongPassword, []string{address, "password authentication failed", "check the user and the password"}},
			{"no entry in pg_hba.conf", c.TCPConnString("guarded", "elsewhere") + " password=" + password, source.ErrNotAllowed, []string{address, "pg_hba.conf", "check the user and what"}},
			{"a server without TLS", c.TCPConnString("guarded", "postgres") + " sslmode=require", source.ErrNoTLS, []string{address, "server does not support SSL, but SSL was required: set ssl = on"}},
			{"no password", c.TCPConnString("guarded", "postgres"), source.ErrNoPassword, []string{address, "no password supplied: specify a password"}},
			{"a role that does not exist", c.ConnString("postgres") + " user=nobody", source.ErrNoRole, []string{c.SocketDir(), `role "nobody" does not exist`}},
			{"a role that may not log in", c.ConnString("postgres") + " user=pg_signal_backend", source.ErrNoRole, []string{c.SocketDir(), "is not permitted to log in"}},
			{"a role that may not connect to the database", c.ConnString("closed") + " user=outsider", source.ErrNotAllowed, []string{"permission denied for database"}},
			{"a role that is connected as often as it may be", c.ConnString("postgres") + " user=limited", source.ErrTooManyConnections, []string{"too many connections for role"}},
			{"a name that does not resolve", "host=nowhere.invalid user=guarded", source.ErrUnknownHost, []string{"nowhere.invalid", "no such host"}},
			{"a database that takes no connections", c.ConnString("template0"), source.ErrNotAllowed, []string{"not currently accepting connections"}},
			{"a server of another kind", c.ConnString("postgres") + " target_session_attrs=standby", source.ErrWrongKind, []string{"not in hot standby mode", "check target_session_attrs"}},
			{"a database that does not exist", c.ConnString("nowhere"), source.ErrNoDatabase, []string{c.SocketDir(), `database "nowhere" does not exist`, "any database of the server will do"}},
		} {
			t.Run(bad.name, func(t *testing.T) {
				err := errorOfConnecting(t, bad.conninfo)
				for _, want := range bad.want {
					assert.ErrorContains(t, err, want)
				}
				assert.ErrorIs(t, err, bad.reason)
				assert.Equal(t, errors.Is(bad.reason, source.ErrTooManyConnections), errors.Is(err, source.ErrUnavailable), "whether it can go away by itself")
				var connect *source.ConnectError
				require.ErrorAs(t, err, &connect)
				assert.Equal(t, bad.reason, connect.Reason)
			})
		}
		c.Stop(t, pgtest.Fast)
		err := errorOfConnecting(t, c.TCPConnString("guarded", "postgres")+" password="+password)
		assert.ErrorIs(t, err, source.ErrUnreachable)
		assert.ErrorIs(t, err, source.ErrUnavailable)
		text := err.Error()
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
			err := errorOfConnecting(t, conninfo)
			assert.ErrorContains(t, err, "could not understand the connection string: ")
			assert.ErrorIs(t, err, source.ErrConnString)
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
	err := errorOfConnecting(t, fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%s,%s user=u sslmode=disable password=TopSecret", one, two))
	assert.ErrorIs(t, err, source.ErrNotReady)
	assert.ErrorIs(t, err, source.ErrUnavailable)
	text := err.Error()
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
	err = errorOfConnecting(t, "host=127.0.0.1 user=u connect_timeout=1 port="+port)
	assert.ErrorIs(t, err, source.ErrUnreachable)
	assert.ErrorIs(t, err, source.ErrUnavailable)
	assert.ErrorContains(t, err, "server on 127.0.0.1:"+port+": timeout expired: check the host")
}

func TestAURIWithPiecesOfItsPasswordInWrongPlaces(t *testing.T) {
	assert.Contains(t, mustNotConnect(t, "postgres://127.0.0.1:1/Secret@db?connect_timeout=2"), "must be percent-encoded")
}
