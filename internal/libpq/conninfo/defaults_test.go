package conninfo_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/libpq/conninfo"
)

// environment has some variables and a user called nobody.
func environment(home string, vars ...string) conninfo.Environment {
	return conninfo.Environment{
		Home: home,
		User: func() string { return "nobody" },
		Lookup: func(name string) (string, bool) {
			for _, v := range vars {
				if value, ok := strings.CutPrefix(v, name+"="); ok {
					return value, true
				}
			}
			return "", false
		},
	}
}

var empty = environment("", "PGSYSCONFDIR=/does/not/exist")

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

func complete(t *testing.T, connString string, env conninfo.Environment) (*conninfo.Settings, error) {
	t.Helper()
	s, err := conninfo.Parse(connString)
	require.NoError(t, err)
	return s, s.Complete(env)
}

func TestDefaults(t *testing.T) {
	home, sys := t.TempDir(), t.TempDir()
	write(t, home, ".pg_service.conf", "# comment\n[other]\nhost=no\n\n [both] \nhost=home\n port=1\noptions= -c a=b \n[both]\nuser=no\n")
	write(t, sys, "pg_service.conf", "[both]\nhost=no\n[system]\nhost=sys\nsslmode=disable\n")
	env := func(vars ...string) conninfo.Environment {
		return environment(home, append(vars, "PGSYSCONFDIR="+sys)...)
	}
	for _, tt := range []struct {
		name, conninfo string
		env            conninfo.Environment
		want           map[string]string
	}{
		{"libpq's own", "", env(), map[string]string{
			"user": "nobody", "dbname": "nobody", "port": "5432", "host": "", "sslmode": "prefer",
			"passfile": filepath.Join(home, ".pgpass"), "target_session_attrs": "any", "ssl_min_protocol_version": "TLSv1.2",
		}},
		{"the database is called as the user", "user=u", env(), map[string]string{"dbname": "u"}},
		{"the environment", "", env("PGHOST=e", "PGUSER=u", "PGREQUIREAUTH=md5"), map[string]string{"host": "e", "user": "u", "require_auth": "md5"}},
		{"the string comes first", "host=s", env("PGHOST=e"), map[string]string{"host": "s"}},
		{"an empty value comes first, too", "options=''", env("PGOPTIONS=-cx=y"), map[string]string{"options": ""}},
		{"an empty variable is a value", "", env("PGPORT=", "PGUSER="), map[string]string{"port": "", "user": "nobody"}},
		{"a service", "service=both", env("PGHOST=e", "PGUSER=u"), map[string]string{"host": "home", "port": "1", "options": " -c a=b", "user": "u"}},
		{"the string comes before the service", "service=both host=s", env(), map[string]string{"host": "s", "port": "1"}},
		{"a service of the environment", "", env("PGSERVICE=both"), map[string]string{"host": "home", "service": "both"}},
		{"a service of the system", "service=system", env(), map[string]string{"host": "sys", "sslmode": "disable"}},
		{"a service file of the environment", "service=system", env("PGSERVICEFILE="+filepath.Join(sys, "pg_service.conf"), "PGSYSCONFDIR=/x"), map[string]string{"host": "sys"}},
		{"a service file of the string", "service=both servicefile=" + filepath.Join(sys, "pg_service.conf"), env(), map[string]string{"host": "no"}},
		{"no password file beside a password", "password=p", env(), map[string]string{"passfile": ""}},
		{"PGREQUIRESSL", "", env("PGREQUIRESSL=1"), map[string]string{"sslmode": "require"}},
		{"PGSSLMODE before PGREQUIRESSL", "", env("PGREQUIRESSL=1", "PGSSLMODE=allow"), map[string]string{"sslmode": "allow"}},
		{"the certificates of the system", "sslrootcert=system", env(), map[string]string{"sslmode": "verify-full"}},
		{"the certificates of the system and a mode", "sslrootcert=system sslmode=require", env(), map[string]string{"sslmode": "require"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := complete(t, tt.conninfo, tt.env)
			require.NoError(t, err)
			for keyword, want := range tt.want {
				assert.Equal(t, want, s.Value(keyword), keyword)
			}
		})
	}
}

func TestServicesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "s", "[nested]\nservice=x\n[unknown]\nhots=x\n[noise]\npassword Secret\n[directory]\nldap://x\n[names]\nhots=x\n")
	for _, tt := range []struct{ conninfo, want string }{
		{"service=gone", `definition of service "gone" not found`},
		{"service=x servicefile=/does/not/exist", `service file "/does/not/exist" not found`},
		{"service=nested servicefile=" + file, `nested service specifications not supported in service file "` + file + `", line 2`},
		{"service=unknown servicefile=" + file, `syntax error in service file "` + file + `", line 4`},
		{"service=noise servicefile=" + file, `syntax error in service file "` + file + `", line 6`},
		{"service=directory servicefile=" + file, `service file "` + file + `", line 8: looking up services by LDAP is not supported`},
	} {
		t.Run(tt.conninfo, func(t *testing.T) {
			_, err := complete(t, tt.conninfo, empty)
			assert.EqualError(t, err, tt.want)
		})
	}
}

func TestPasswordFile(t *testing.T) {
	home := t.TempDir()
	file := write(t, home, ".pgpass", strings.Join([]string{
		"#db1:5432:d:u:no", "", "db1:5432", `db1:5432:d:u:fir\:st:rest`, "db1:5432:d:u:second\r", "*:5433:*:*:any", `d\:b2:*:*:u\\v:back\\slash`,
		"localhost:*:*:*:local", "/srv:*:*:*:socket", "10.0.0.1:*:*:*:address", "::1:*:*:*:no", `\:\:1:*:*:*:six`,
	}, "\n"))
	for _, tt := range []struct{ name, conninfo, want string }{
		{"the first line that matches", "host=db1 user=u dbname=d", "fir:st"},
		{"another user", "host=db1 user=v dbname=d", ""},
		{"asterisks", "host=x port=5433 user=u", "any"},
		{"escapes", `host=d:b2 user='u\\v'`, `back\slash`},
		{"localhost", "host=localhost user=u", "local"},
		{"the default directory of sockets is localhost, too", "host=/tmp user=u", "local"},
		{"another directory", "host=/srv user=u", "socket"},
		{"the name before the address", "host=db1 hostaddr=10.0.0.1 user=u dbname=d", "fir:st"},
		{"an address alone", "hostaddr=10.0.0.1 user=u", "address"},
		{"an address with colons", "host=::1 user=u", "six"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := complete(t, tt.conninfo, environment(home, "PGSYSCONFDIR=/x"))
			require.NoError(t, err)
			hosts, err := s.Hosts()
			require.NoError(t, err)
			password, warning := s.Password(hosts[0])
			assert.Empty(t, warning)
			assert.Equal(t, tt.want, password)
		})
	}
	s, err := complete(t, "host=db1 user=u dbname=d", environment(home))
	require.NoError(t, err)
	hosts, err := s.Hosts()
	require.NoError(t, err)
	require.NoError(t, os.Chmod(file, 0o640))
	password, warning := s.Password(hosts[0])
	assert.Empty(t, password)
	assert.Equal(t, `password file "`+file+`" has group or world access; permissions should be u=rw (0600) or less`, warning)
}

func TestHosts(t *testing.T) {
	for _, tt := range []struct{ name, conninfo, want string }{
		{"one port for all", "host=a,b port=1", "a:1 b:1"},
		{"a port for each", "host=a,b,c port=1,,3", "a:1 b:5432 c:3"},
		{"addresses", "hostaddr=10.0.0.1,::1 port=1", "10.0.0.1:1 [::1]:1"},
		{"names and addresses", "host=a,b hostaddr=10.0.0.1,", "10.0.0.1:5432 b:5432"},
		{"sockets", "host=/srv,@abstract", "/srv port 5432 @abstract port 5432"},
		{"an empty port", "host=a port=''", "a:5432"},
		{"too many ports", "host=a,b port=1,2,3", "could not match 3 port numbers to 2 hosts"},
		{"too many names", "host=a,b hostaddr=10.0.0.1", "could not match 2 host names to 1 hostaddr values"},
		{"no number", "host=a port=Secret", `invalid integer value for connection option "port"`},
		{"no port", "host=a port=0", `invalid port number: "0"`},
		{"no port of TCP", "host=a port=65536", `invalid port number: "65536"`},
		{"no address", "hostaddr=db1", `could not parse network address "db1": hostaddr takes addresses, not names`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := complete(t, tt.conninfo, empty)
			require.NoError(t, err)
			hosts, err := s.Hosts()
			if err != nil {
				assert.EqualError(t, err, tt.want)
				return
			}
			var got []string
			for _, h := range hosts {
				got = append(got, h.String())
			}
			assert.Equal(t, tt.want, strings.Join(got, " "))
		})
	}
}

func TestValuesThatAreRefused(t *testing.T) {
	for _, tt := range []struct{ conninfo, want string }{
		{"sslmode=maybe", `invalid sslmode value: "maybe"`},
		{"sslmode=''", `invalid sslmode value: ""`},
		{"target_session_attrs=master", `invalid target_session_attrs value: "master"`},
		{"connect_timeout=x", `invalid integer value "x" for connection option "connect_timeout"`},
		{"host=db1 keepalives_idle=99999999999", `invalid integer value "99999999999" for connection option "keepalives_idle"`},
		{"ssl_max_protocol_version=SSLv3", `invalid ssl_max_protocol_version value: "SSLv3"`},
		{"ssl_max_protocol_version=TLSv1.1", "invalid SSL protocol version range"},
		{"sslrootcert=system sslmode=require", `weak sslmode "require" may not be used with sslrootcert=system (use "verify-full")`},
		{"sslnegotiation=direct", `weak sslmode "prefer" may not be used with sslnegotiation=direct (use "require", "verify-ca", or "verify-full")`},
		{"min_protocol_version=3.2 max_protocol_version=3.0", `"min_protocol_version" is greater than "max_protocol_version"`},
		{"require_auth=md5,ident", `invalid require_auth value: "ident"`},
		{"require_auth=md5,md5", `require_auth method "md5" is specified more than once`},
		{"require_auth=md5,!none", `negative require_auth method "none" cannot be mixed with non-negative methods`},
		{"require_auth=!md5,none", `require_auth method "none" cannot be mixed with negative methods`},
		{"scram_client_key=Secret", `connection option "scram_client_key" is not supported: specify the password, or put it into a password file`},
		{"sslkey=engine:key", "sslkey names an OpenSSL engine, which is not supported: specify a file with the key"},
	} {
		t.Run(tt.conninfo, func(t *testing.T) {
			s, err := complete(t, tt.conninfo, empty)
			require.NoError(t, err)
			assert.EqualError(t, s.Check(), tt.want)
		})
	}
	s, err := complete(t, "gssencmode=require", empty)
	require.NoError(t, err)
	assert.ErrorContains(t, s.Check(), "use TLS instead of GSSAPI")
	for _, unread := range []string{"host=/srv keepalives=x keepalives_idle=x tcp_user_timeout=x", "host=db1 keepalives=0 keepalives_idle=x"} {
		s, err := complete(t, unread, empty)
		require.NoError(t, err)
		assert.NoError(t, s.Check(), unread)
	}
	s, err = complete(t, "gssencmode=disable keepalives=' 1 ' sslmode=verify-ca connect_timeout=-1 require_auth=!md5,!none scram_client_key=''", empty)
	require.NoError(t, err)
	assert.NoError(t, s.Check())
}

func TestRender(t *testing.T) {
	s, err := complete(t, `host=/srv,db1 user="it's" password='a\\ b' dbname=d application_name=x.y_1 fallback_application_name=z replication=true `+
		"client_encoding=auto options='' service=s servicefile="+write(t, t.TempDir(), "s", "[s]\n"), empty)
	require.NoError(t, err)
	assert.Equal(t, `user='"it\'s"' password='a\\ b' channel_binding=prefer host='/srv,db1' port=5432 application_name=x.y_1 sslmode=prefer sslcompression=0 `+
		"ssl_min_protocol_version=TLSv1.2 gssencmode=prefer krbsrvname=postgres target_session_attrs=any", s.Render(1300, ""))
	assert.Equal(t, `user='"it\'s"' password='a\\ b' host='/srv,db1' port=5432 application_name=x.y_1 sslmode=prefer sslcompression=0 krbsrvname=postgres`, s.Render(906, ""))
	assert.True(t, strings.HasPrefix(s.Render(1800, ""), "service=s user="))
	assert.True(t, strings.HasPrefix(s.Render(1900, ""), "service=s servicefile="))
	assert.True(t, strings.HasSuffix(s.Render(1800, "a b"), " dbname='a b'"))
	assert.NotContains(t, s.Render(1700, "a b"), "dbname")
}
