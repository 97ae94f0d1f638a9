package pgsource_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// closedPort is one that nobody listens on.
func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().(*net.TCPAddr).Port
}

func TestSeveralHosts(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		primary := in.InitCluster(t, pgtest.Options{TCP: true})
		primary.Start(t)
		standby := primary.Standby(t)
		standby.WaitCaughtUp(t, primary)
		closed := closedPort(t)
		both := fmt.Sprintf("host=127.0.0.1,%s,%s port=%d,%d,%d user=postgres dbname=postgres ",
			standby.SocketDir(), primary.SocketDir(), closed, standby.Port(), primary.Port())
		onStandby := fmt.Sprintf("server on %s port %d", standby.SocketDir(), standby.Port())
		onPrimary := fmt.Sprintf("server on %s port %d", primary.SocketDir(), primary.Port())
		for attrs, want := range map[string]string{
			"any": onStandby, "read-write": onPrimary, "primary": onPrimary,
			"read-only": onStandby, "standby": onStandby, "prefer-standby": onStandby,
		} {
			assert.Equal(t, want, open(t, both+"target_session_attrs="+attrs).String(), attrs)
		}
		assert.Contains(t, []string{onStandby, onPrimary}, open(t, both+"load_balance_hosts=random").String())

		primaryFirst := fmt.Sprintf("host=%s,%s port=%d,%d user=postgres dbname=postgres target_session_attrs=",
			primary.SocketDir(), standby.SocketDir(), primary.Port(), standby.Port())
		for attrs, want := range map[string]string{
			"any": onPrimary, "read-write": onPrimary, "primary": onPrimary,
			"read-only": onStandby, "standby": onStandby, "prefer-standby": onStandby,
		} {
			assert.Equal(t, want, open(t, primaryFirst+attrs).String(), attrs)
			config, err := pgconn.ParseConfig(primaryFirst + attrs)
			require.NoError(t, err)
			s, err := pgsource.OpenConfig(t.Context(), config, pgsource.Options{})
			if assert.NoError(t, err, attrs) {
				assert.Equal(t, want, s.String(), attrs)
				require.NoError(t, s.Close())
			}
		}
		for attrs, only := range map[string]string{"standby": primary.ConnString("postgres"), "read-write": standby.ConnString("postgres")} {
			config, err := pgconn.ParseConfig(only + " target_session_attrs=" + attrs)
			require.NoError(t, err)
			_, err = pgsource.OpenConfig(t.Context(), config, pgsource.Options{})
			assert.ErrorIs(t, err, source.ErrWrongKind, attrs)
		}

		only := primary.ConnString("postgres")
		assert.Equal(t, onPrimary, open(t, only+" target_session_attrs=prefer-standby").String())
		text := mustNotConnect(t, only+" target_session_attrs=standby")
		assert.Contains(t, text, onPrimary+": ")
		assert.Contains(t, text, "server is not in hot standby mode: check target_session_attrs")
		assert.Contains(t, mustNotConnect(t, only+" target_session_attrs=read-only"), "session is not read-only")
		assert.Contains(t, mustNotConnect(t, standby.ConnString("postgres")+" target_session_attrs=read-write"), "session is read-only")

		t.Run("all are named when none does", func(t *testing.T) {
			text := mustNotConnect(t, fmt.Sprintf("host=127.0.0.1,/does/not/exist port=%d user=postgres password=TopSecret", closed))
			assert.Contains(t, text, fmt.Sprintf("could not connect to the source server on 127.0.0.1:%d: ", closed))
			assert.Contains(t, text, "connection refused; server on /does/not/exist port ")
			assert.Contains(t, text, "no such file or directory: check")
		})
		t.Run("a directory can have too long a name", func(t *testing.T) {
			assert.Contains(t, mustNotConnect(t, "user=u host=/"+strings.Repeat("x", 120)), "is too long")
		})
		t.Run("a server that refuses is the last one", func(t *testing.T) {
			text := mustNotConnect(t, fmt.Sprintf("host=%s,%s port=%d user=postgres dbname=nowhere", primary.SocketDir(), primary.SocketDir(), primary.Port()))
			assert.Contains(t, text, `database "nowhere" does not exist`)
			assert.Contains(t, text, onPrimary)
		})
	})
}

func TestPasswordFilesAndKeywordsOfLibpqOnly(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{TCP: true})
		require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "pg_hba.conf"), []byte("local all postgres trust\nhost all all 127.0.0.1/32 md5\n"), 0o600))
		c.Start(t)
		c.Exec(t, "CREATE ROLE guarded LOGIN SUPERUSER PASSWORD '"+password+"'")
		testLibpqOnly(t, c)
		dir := t.TempDir()
		passfile := filepath.Join(dir, "passwords")
		closed := closedPort(t)
		require.NoError(t, os.WriteFile(passfile, fmt.Appendf(nil, "*:%d:*:*:Secret2\ndb.test:%d:*:guarded:%s\n*:*:*:*:Secret3\n", closed, c.Port(), password), 0o600))
		service := filepath.Join(dir, "services")
		require.NoError(t, os.WriteFile(service, fmt.Appendf(nil, "[s]\nhost=first.test,db.test\nhostaddr=127.0.0.1,127.0.0.1\nport=%d,%d\nuser=guarded\ndbname=postgres\npassfile=%s\n", closed, c.Port(), passfile), 0o600))

		t.Run("each host has its own", func(t *testing.T) {
			assert.Equal(t, fmt.Sprintf("server on db.test (127.0.0.1:%d)", c.Port()), open(t, "service=s servicefile="+service).String())
		})
		t.Run("a wrong one is said to be from the file", func(t *testing.T) {
			text := mustNotConnect(t, "service=s host='' hostaddr=127.0.0.1 port="+fmt.Sprint(c.Port())+" servicefile="+service)
			assert.Contains(t, text, `password retrieved from file "`+passfile+`"`)
		})
		t.Run("others must not read the file", func(t *testing.T) {
			require.NoError(t, os.Chmod(passfile, 0o644))
			var log bytes.Buffer
			_, err := pgsource.Open(t.Context(), "service=s servicefile="+service, pgsource.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			require.ErrorContains(t, err, "password")
			assert.Contains(t, log.String(), "has group or world access")
			assert.NotContains(t, log.String()+err.Error(), "Secret")
		})
	})
}

// testLibpqOnly connects with keywords that must never reach the server, which
// would refuse them.
func testLibpqOnly(t *testing.T, c *pgtest.Cluster) {
	s := open(t, c.TCPConnString("guarded", "postgres")+" password="+password+` hostaddr=127.0.0.1 connect_timeout=5 keepalives=1 keepalives_idle=111 keepalives_interval=22 keepalives_count=3
		tcp_user_timeout=4444 sslcompression=1 krbsrvname=x gsslib=gssapi gssencmode=prefer gssdelegation=1 replication=database client_encoding=LATIN1
		requirepeer=nobody authtype=x tty=y fallback_application_name=fallback oauth_issuer=x oauth_client_id=x oauth_client_secret=TopSecret oauth_scope=x
		oauth_ca_file=/x scram_client_key='' sslcrl='' min_protocol_version=3.0 options='-c geqo=off -c statement_timeout=12345'`)
	value := func(name string) string {
		var v string
		require.NoError(t, s.Conn().QueryRow(t.Context(), "SELECT pg_catalog.current_setting($1)", name).Scan(&v))
		return v
	}
	assert.Equal(t, "off", value("geqo"))
	assert.Equal(t, "fallback", value("application_name"))
	assert.Equal(t, "SQL_ASCII", value("client_encoding"))
	assertSocket(t, s.RawConn(), 111, 22, 3, 4444)

	s = open(t, c.TCPConnString("guarded", "postgres")+" password="+password+" keepalives=0")
	assertSocket(t, s.RawConn(), 0, 0, 0, 0)

	me, err := user.Current()
	require.NoError(t, err)
	open(t, c.ConnString("postgres")+" requirepeer="+me.Username)
	assert.Contains(t, mustNotConnect(t, c.ConnString("postgres")+" requirepeer=elvis"),
		`requirepeer specifies "elvis", but actual peer user name is "`+me.Username+`"`)
}

// TestTheEnvironment is not for parallel tests.
func TestTheEnvironment(t *testing.T) {
	in, err := servers.Major(t.Context(), "17")
	if err != nil {
		t.Skip(err)
	}
	c := in.InitCluster(t, pgtest.Options{})
	c.Start(t)
	service := filepath.Join(t.TempDir(), "services")
	require.NoError(t, os.WriteFile(service, fmt.Appendf(nil, "[it's]\nhost=%s\nport=%d\nkeepalives=1\n", c.SocketDir(), c.Port()), 0o600))
	for name, value := range map[string]string{
		"PGSERVICE": "it's", "PGSERVICEFILE": service, "PGUSER": "postgres", "PGDATABASE": "postgres", "PGAPPNAME": "env",
		// pgx would take these, and fail.
		"PGTZ": "Nowhere/Else", "PGSSLCERT": "/does/not/exist", "PGCONNECT_TIMEOUT": "-1",
	} {
		t.Setenv(name, value)
	}
	s := open(t, "")
	assert.Equal(t, fmt.Sprintf("server on %s port %d", c.SocketDir(), c.Port()), s.String())
	var name string
	require.NoError(t, s.Conn().QueryRow(t.Context(), "SHOW application_name").Scan(&name))
	assert.Equal(t, "env", name)
	t.Setenv("PGTARGETSESSIONATTRS", "nonsense")
	assert.Contains(t, mustNotConnect(t, ""), `invalid target_session_attrs value: "nonsense"`)
}
