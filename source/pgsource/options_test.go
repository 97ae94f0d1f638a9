package pgsource_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// startGuarded starts a server with a role that needs a password over TCP.
func startGuarded(t *testing.T, in *pgtest.Installation) *pgtest.Cluster {
	t.Helper()
	c := in.InitCluster(t, pgtest.Options{TCP: true})
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "pg_hba.conf"), []byte("local all all trust\nhost all all 127.0.0.1/32 md5\n"), 0o600))
	c.Start(t)
	c.Exec(t, "CREATE ROLE guarded LOGIN SUPERUSER PASSWORD '"+password+"'")
	return c
}

// vault returns its passwords in order, the last one repeatedly, and counts the calls.
type vault struct {
	passwords []string
	err       error
	sealed    int64 // which request fails; zero: all, if there is an error
	asked     atomic.Int64
}

func (v *vault) password(context.Context) (string, error) {
	n := int(v.asked.Add(1))
	if v.err != nil && (v.sealed == 0 || v.sealed == int64(n)) {
		return "", v.err
	}
	return v.passwords[min(n, len(v.passwords))-1], nil
}

func TestAPasswordIsAskedFor(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := startGuarded(t, in)
		guarded := c.TCPConnString("guarded", "postgres")
		sealed := errors.New("the vault is sealed")
		for _, tt := range []struct {
			name, conninfo string
			vault          *vault
			asked          int
			reason         error // nil: it connects
		}{
			{"where the server wants one", guarded, &vault{passwords: []string{password}}, 1, nil},
			{"not where it wants none", c.ConnString("postgres"), &vault{passwords: []string{password}}, 0, nil},
			{"not where there is one", guarded + " password=" + password, &vault{passwords: []string{"x"}}, 0, nil},
			{"again where it was changed meanwhile", guarded, &vault{passwords: []string{"of yesterday", password}}, 2, nil},
			{"and the same one is not tried twice", guarded, &vault{passwords: []string{"of yesterday"}}, 2, source.ErrWrongPassword},
			{"and there is none", guarded, &vault{passwords: []string{""}}, 1, source.ErrNoPassword},
			{"and asking fails", guarded, &vault{err: sealed}, 1, source.ErrNoPassword},
		} {
			t.Run(tt.name, func(t *testing.T) {
				s, err := pgsource.Open(t.Context(), tt.conninfo, pgsource.Options{Password: tt.vault.password, Jobs: 1})
				assert.EqualValues(t, tt.asked, tt.vault.asked.Load())
				if tt.reason != nil {
					require.ErrorIs(t, err, tt.reason)
					assert.NotErrorIs(t, err, source.ErrUnavailable)
					assert.Equal(t, tt.vault.err != nil, errors.Is(err, sealed))
					assert.NotContains(t, err.Error(), "yesterday")
					return
				}
				require.NoError(t, err)
				assert.NoError(t, s.Close())
			})
		}
		t.Run("but not for a host that wants none after one that wants one", func(t *testing.T) {
			v := &vault{passwords: []string{password}}
			var overTCP atomic.Int64
			dial := func(ctx context.Context, network, address string) (net.Conn, error) {
				if network == "tcp" && overTCP.Add(1) > 1 {
					return nil, errors.New("it went away")
				}
				return new(net.Dialer).DialContext(ctx, network, address)
			}
			hosts := fmt.Sprintf("host=127.0.0.1,%s port=%d user=guarded dbname=postgres sslmode=disable", c.SocketDir(), c.Port())
			s := open(t, hosts, pgsource.Options{Password: v.password, DialFunc: dial, Jobs: 1})
			assert.Contains(t, s.String(), c.SocketDir())
			assert.EqualValues(t, 1, v.asked.Load())
		})
		t.Run("for each new connection, of which each has the password of its time", func(t *testing.T) {
			v := &vault{passwords: []string{password, "rotated"}}
			s := open(t, guarded, pgsource.Options{Password: v.password, Jobs: 1})
			c.Exec(t, "ALTER ROLE guarded PASSWORD 'rotated'", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guarded'")
			_, err := s.State(t.Context())
			require.NoError(t, err)
			assert.EqualValues(t, 2, v.asked.Load())
		})
		t.Run("and who cannot give it for a while is asked again", func(t *testing.T) {
			v := &vault{passwords: []string{"rotated"}, err: sealed, sealed: 2}
			s := open(t, guarded, pgsource.Options{Password: v.password, Jobs: 1})
			c.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guarded'")
			_, err := s.State(t.Context())
			require.NoError(t, err)
			assert.EqualValues(t, 3, v.asked.Load())
		})
	})
}

func TestACallersTLSConfiguration(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		dir := t.TempDir()
		ca, stranger := newAuthority(t, dir, "ca"), newAuthority(t, dir, "stranger")
		ca.issue(t, "server", serverCertificate())
		ca.issue(t, "client", &x509.Certificate{})
		c := in.InitCluster(t, pgtest.Options{TCP: true, Conf: map[string]string{
			"ssl": "on", "ssl_cert_file": ca.path("server.crt"), "ssl_key_file": ca.path("server.key"), "ssl_ca_file": ca.path("ca.crt"),
		}})
		require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "pg_hba.conf"), []byte("local all all trust\nhostssl all client 127.0.0.1/32 cert\nhost all all 127.0.0.1/32 trust\n"), 0o600))
		c.Start(t)
		c.Exec(t, "CREATE ROLE client LOGIN SUPERUSER")
		base := fmt.Sprintf("host=db.test hostaddr=127.0.0.1 port=%d dbname=postgres user=", c.Port())
		trusting := func(a *authority) *tls.Config {
			config := &tls.Config{RootCAs: x509.NewCertPool()}
			config.RootCAs.AddCert(a.cert)
			return config
		}
		direct := ""
		if in.Version.ServerNum >= 1700 {
			direct = " sslnegotiation=direct"
		}
		withClient := trusting(ca)
		pair, err := tls.LoadX509KeyPair(ca.path("client.crt"), ca.path("client.key"))
		require.NoError(t, err)
		withClient.Certificates = []tls.Certificate{pair}
		named := trusting(ca)
		named.ServerName = "db2.test"

		for _, tt := range []struct {
			name, conninfo string
			config         *tls.Config
			mode           string // of the connection string that -R writes
			reason         error  // nil: it connects
		}{
			{"an authority", base + "postgres", trusting(ca), "verify-full", nil},
			{"no verification", base + "postgres", &tls.Config{InsecureSkipVerify: true}, "require", nil},
			{"a client certificate", base + "client", withClient, "verify-full", nil},
			{"a client certificate that is missing", base + "client", trusting(ca), "", source.ErrNotAllowed},
			{"another authority", base + "postgres", trusting(stranger), "", source.ErrTLS},
			{"another name", strings.Replace(base, "db.test", "db2.test", 1) + "postgres", trusting(ca), "", source.ErrTLS},
			{"another name that is given", base + "postgres", named, "", source.ErrTLS},
			{"a kind of negotiation", base + "postgres" + direct, trusting(ca), "verify-full", nil},
			{"a mode, too", base + "postgres sslmode=require", trusting(ca), "", source.ErrConnString},
		} {
			t.Run(tt.name, func(t *testing.T) {
				opts := pgsource.Options{TLS: tt.config, Getenv: func(name string) string {
					return map[string]string{"PGSSLMODE": "disable", "PGSSLROOTCERT": "/does/not/exist"}[name]
				}}
				s, err := pgsource.Open(t.Context(), tt.conninfo, opts)
				if tt.reason != nil {
					require.ErrorIs(t, err, tt.reason)
					return
				}
				require.NoError(t, err)
				defer func() { assert.NoError(t, s.Close()) }()
				assert.True(t, isEncrypted(t, s))
				assert.Contains(t, s.ConnInfo(), "sslmode="+mode(tt.mode))
			})
		}
		t.Run("and a server that has no TLS", func(t *testing.T) {
			c.Stop(t, pgtest.Fast)
			c.SetConf(t, map[string]string{"ssl": "off"})
			require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "pg_hba.conf"), []byte("local all all trust\nhost all all 127.0.0.1/32 trust\n"), 0o600))
			c.Start(t)
			_, err := pgsource.Open(t.Context(), base+"postgres", pgsource.Options{TLS: trusting(ca)})
			assert.ErrorIs(t, err, source.ErrNoTLS)
		})
	})
}

// mode is how an sslmode is written.
func mode(name string) string { return pgsource.Quote(name) }

func isEncrypted(t *testing.T, s *pgsource.Server) (encrypted bool) {
	t.Helper()
	require.NoError(t, s.Conn().QueryRow(t.Context(), "SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()").Scan(&encrypted))
	return encrypted
}

// tunnel leads to a server by names that only it knows.
type tunnel struct {
	to     string
	asked  chan string
	closed error
}

func (u *tunnel) dial(ctx context.Context, network, address string) (net.Conn, error) {
	u.asked <- network + " " + address
	if u.closed != nil {
		return nil, u.closed
	}
	return new(net.Dialer).DialContext(ctx, "tcp", u.to)
}

func TestACallersDialer(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{TCP: true})
		c.Start(t)
		to := fmt.Sprintf("127.0.0.1:%d", c.Port())
		for _, tt := range []struct{ name, conninfo, asked, says string }{
			{"a name that nobody else knows", "host=db.invalid port=5433", "tcp db.invalid:5433", "server on db.invalid:5433"},
			{"an address", "host=db.invalid hostaddr=192.0.2.1", "tcp 192.0.2.1:5432", "server on db.invalid (192.0.2.1:5432)"},
			{"a socket", "host=/run/elsewhere", "unix /run/elsewhere/.s.PGSQL.5432", "server on /run/elsewhere port 5432"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				u := &tunnel{to: to, asked: make(chan string, 100)}
				s := open(t, tt.conninfo+" user=postgres dbname=postgres", pgsource.Options{DialFunc: u.dial, Jobs: 1})
				assert.Equal(t, tt.asked, <-u.asked)
				assert.Equal(t, tt.says, s.String())
				require.NoError(t, s.RawConn().Close())
				_, err := s.State(t.Context())
				require.NoError(t, err)
				assert.Equal(t, tt.asked, <-u.asked, "a new connection goes the same way")
				assert.Equal(t, tt.says, s.String())
			})
		}
		t.Run("that fails", func(t *testing.T) {
			u := &tunnel{asked: make(chan string, 100), closed: errors.New("the tunnel is closed")}
			_, err := pgsource.Open(t.Context(), "host=db.invalid user=postgres", pgsource.Options{DialFunc: u.dial})
			assert.ErrorIs(t, err, u.closed)
			assert.ErrorIs(t, err, source.ErrUnreachable)
			assert.ErrorIs(t, err, source.ErrUnavailable, "it can be opened again")
		})
		t.Run("that is no socket", func(t *testing.T) {
			u := &tunnel{to: to, asked: make(chan string, 100)}
			_, err := pgsource.Open(t.Context(), "host=/run/elsewhere user=postgres requirepeer=postgres", pgsource.Options{DialFunc: u.dial})
			assert.ErrorContains(t, err, "requirepeer is only for Unix sockets")
		})
	})
}

func TestACallersEnvironment(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := startGuarded(t, in)
		home := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(home, ".pgpass"), []byte("127.0.0.1:*:*:guarded:"+password+"\n"), 0o600))
		environment := map[string]string{
			"PGHOST": "127.0.0.1", "PGPORT": fmt.Sprint(c.Port()), "PGUSER": "guarded", "PGDATABASE": "postgres", "HOME": home, "PGAPPNAME": "elsewhere", "PGSSLMODE": "",
		}
		s := open(t, "", pgsource.Options{Getenv: func(name string) string { return environment[name] }})
		assert.Equal(t, fmt.Sprintf("server on 127.0.0.1:%d", c.Port()), s.String())
		assert.Contains(t, s.ConnInfo(), "application_name=elsewhere")
	})
}

func TestTheEnvironmentOfThisProcessIsThatOfCallersWhoHaveNone(t *testing.T) {
	t.Setenv("PGSERVICE", "nowhere")
	t.Setenv("PGSYSCONFDIR", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	const nobody = "host=127.0.0.1 port=1 user=u"
	assert.Contains(t, mustNotConnect(t, nobody), `service "nowhere"`)
	_, err := pgsource.Open(t.Context(), nobody, pgsource.Options{Getenv: func(string) string { return "" }})
	assert.ErrorIs(t, err, source.ErrUnreachable)
}

func TestACallersConfigurationOfPgx(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		dir := t.TempDir()
		ca := newAuthority(t, dir, "ca")
		ca.issue(t, "server", serverCertificate())
		c := in.InitCluster(t, pgtest.Options{TCP: true, Conf: map[string]string{"ssl": "on", "ssl_cert_file": ca.path("server.crt"), "ssl_key_file": ca.path("server.key")}})
		require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "pg_hba.conf"), []byte("local all all trust\nhostssl all all 127.0.0.1/32 md5\n"), 0o600))
		c.Start(t)
		c.Exec(t, "CREATE ROLE guarded LOGIN SUPERUSER PASSWORD '"+password+"'")
		address := fmt.Sprintf("127.0.0.1:%d", c.Port())
		parse := func(t *testing.T, connString string) *pgconn.Config {
			config, err := pgx.ParseConfig(connString)
			require.NoError(t, err)
			return &config.Config
		}
		openConfig := func(t *testing.T, config *pgconn.Config, opts pgsource.Options) *pgsource.Server {
			t.Helper()
			s, err := pgsource.OpenConfig(t.Context(), config, opts)
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, s.Close()) })
			_, err = s.State(t.Context())
			require.NoError(t, err)
			return s
		}
		uri := "postgres://guarded:" + password + "@" + address + "/postgres"

		t.Run("with a password, over TLS", func(t *testing.T) {
			config := parse(t, uri+"?sslmode=verify-full&application_name=operator&sslrootcert="+ca.path("ca.crt"))
			s := openConfig(t, config, pgsource.Options{})
			assert.True(t, isEncrypted(t, s))
			assert.Equal(t, "server on "+address, s.String())
			for _, want := range []string{"user=guarded", "password=" + password, "host=127.0.0.1", fmt.Sprintf("port=%d", c.Port()), "application_name=operator", "sslmode='verify-full'"} {
				assert.Contains(t, s.ConnInfo(), want)
			}
			config.TLSConfig.ServerName = "db3.test"
			c.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guarded'")
			_, err := s.State(t.Context())
			assert.NoError(t, err, "what becomes of the configuration later does not matter")
		})
		t.Run("with several hosts, and a check of its own", func(t *testing.T) {
			config := parse(t, "postgres://guarded:"+password+"@127.0.0.1:1,"+address+"/postgres?target_session_attrs=read-write")
			s := openConfig(t, config, pgsource.Options{})
			assert.Equal(t, "server on "+address, s.String())
		})
		t.Run("that prefers a standby, and there is none", func(t *testing.T) {
			config := parse(t, "postgres://guarded:"+password+"@127.0.0.1:1,"+address+"/postgres?target_session_attrs=prefer-standby")
			s := openConfig(t, config, pgsource.Options{})
			assert.Equal(t, "server on "+address, s.String())
		})
		t.Run("with functions of its own", func(t *testing.T) {
			config := parse(t, "postgres://guarded@db.invalid/postgres?sslmode=require")
			var looked, dialled, prepared atomic.Bool
			config.LookupFunc = func(context.Context, string) ([]string, error) {
				looked.Store(true)
				return []string{"127.0.0.1"}, nil
			}
			config.DialFunc = func(ctx context.Context, network, to string) (net.Conn, error) {
				dialled.Store(true)
				assert.Equal(t, "127.0.0.1:5432", to)
				return new(net.Dialer).DialContext(ctx, network, address)
			}
			config.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
				prepared.Store(true)
				_, err := conn.Exec(ctx, "SET work_mem = '1MB'").ReadAll()
				return err
			}
			v := &vault{passwords: []string{password}}
			openConfig(t, config, pgsource.Options{Password: v.password})
			assert.True(t, looked.Load())
			assert.True(t, dialled.Load())
			assert.True(t, prepared.Load())
			assert.NotZero(t, v.asked.Load())
			assert.Empty(t, config.Password, "it is not changed")
		})
		t.Run("made by hand", func(t *testing.T) {
			config := &pgconn.Config{Host: c.SocketDir(), Port: uint16(c.Port()), User: "postgres", Database: "postgres"}
			openConfig(t, config, pgsource.Options{})
			_, err := pgsource.OpenConfig(t.Context(), &pgconn.Config{Host: c.SocketDir()}, pgsource.Options{})
			assert.ErrorIs(t, err, source.ErrConnString)
		})
		t.Run("with a wrong password", func(t *testing.T) {
			_, err := pgsource.OpenConfig(t.Context(), parse(t, strings.Replace(uri, password, "Secret2", 1)), pgsource.Options{})
			assert.ErrorIs(t, err, source.ErrWrongPassword)
			assert.NotContains(t, err.Error(), "Secret")
		})
		t.Run("for replication", func(t *testing.T) {
			_, err := pgsource.OpenConfig(t.Context(), parse(t, uri+"?replication=database"), pgsource.Options{})
			assert.ErrorIs(t, err, source.ErrConnString)
		})
	})
}
