package libpq_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/libpq"
	"github.com/gorewind/gorewind/internal/libpq/conninfo"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/source/pgsource"
)

// environment has the variables of vars and the home directory of this process.
func environment(vars []string) conninfo.Environment {
	env := conninfo.System(nil)
	env.Lookup = func(name string) (string, bool) {
		for _, v := range vars {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
	return env
}

// connInfo is what -R writes for a connection string in an environment.
func connInfo(connString string, env conninfo.Environment, major int) (string, error) {
	settings, err := conninfo.Parse(connString)
	if err != nil {
		return "", err
	}
	c, err := libpq.FromSettings(settings, env, libpq.Options{})
	if err != nil {
		return "", err
	}
	return c.ConnInfo(major), nil
}

// TestConnInfoEqualsThatOfPgRewind lets pg_rewind write it with -R when there
// is nothing to rewind.
func TestConnInfoEqualsThatOfPgRewind(t *testing.T) {
	pgtest.EachGenuine(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{TCP: true})
		c.Start(t)
		c.Stop(t, pgtest.Fast)
		target := c.CloneStopped(t)
		c.Start(t)
		dir := t.TempDir()
		service := filepath.Join(dir, "services")
		passfile := filepath.Join(dir, "passwords")
		require.NoError(t, os.WriteFile(service, fmt.Appendf(nil, "[s]\nhost=%s\nport=%d\nuser=postgres\nsslmode=allow\ndbname=postgres\n", c.SocketDir(), c.Port()), 0o600))
		require.NoError(t, os.WriteFile(passfile, []byte("*:*:*:*:secret\n"), 0o600))
		socket := fmt.Sprintf("host=%s port=%d user=postgres", c.SocketDir(), c.Port())
		since := func(major int, keywords string) string {
			if in.Version.ServerNum < major {
				return ""
			}
			return keywords
		}

		// The defaults of these depend on how libpq was built.
		built := regexp.MustCompile("gssencmode=[a-z]+ ")
		if !strings.Contains(in.Output(t, "pg_config", "--configure"), "openssl") {
			built = regexp.MustCompile("(gssencmode|sslmode|sslcertmode|channel_binding)=[a-z]+ ")
		}
		for _, tt := range []struct {
			name, conninfo string
			env            []string
		}{
			{"over a socket", socket, nil},
			{"over TCP", c.TCPConnString("postgres", "postgres"), nil},
			{"a URI", fmt.Sprintf("postgres://postgres:it%%27s%%20%%5C@127.0.0.1:%d/postgres?application_name=x%%20y", c.Port()), nil},
			{"several hosts", fmt.Sprintf("host=%s,localhost hostaddr=,127.0.0.1 port=1,%d user=postgres connect_timeout=9", dir, c.Port()), nil},
			{"the environment", "", []string{
				"PGHOST=127.0.0.1", fmt.Sprintf("PGPORT=%d", c.Port()), "PGUSER=postgres", "PGDATABASE=template1", "PGAPPNAME=app", "PGPASSWORD=x",
				"PGOPTIONS=-c geqo=off", "PGSSLMODE=disable", "PGTARGETSESSIONATTRS=read-write", "PGCONNECT_TIMEOUT=7", "PGCHANNELBINDING=disable", "PGREQUIREPEER=", "PGGSSENCMODE=disable",
			}},
			{"a service", "service=s", []string{"PGSERVICEFILE=" + service}},
			{"a service of the environment", "application_name=it", []string{"PGSERVICE=s", "PGSERVICEFILE=" + service, "PGHOST=elsewhere"}},
			{"a password file", socket + " dbname=postgres passfile=" + passfile, nil},
			{"a password beside the password file", socket + " password=y passfile=" + passfile, nil},
			{"keywords that change nothing", socket + " keepalives=1 keepalives_idle=100 keepalives_interval=10 keepalives_count=3 tcp_user_timeout=0 sslcompression=0 " +
				"krbsrvname=pg fallback_application_name=x client_encoding=UTF8 options='-c geqo=on -c DateStyle=ISO,\\\\ MDY'" +
				since(1400, " sslsni=0") + since(1600, " load_balance_hosts=random require_auth=none") + since(1800, " max_protocol_version=3.0") +
				since(1900, " oauth_ca_file=/x"), nil},
		} {
			args := []string{"--write-recovery-conf", "--source-server=" + tt.conninfo, "--target-pgdata=" + target.Dir, "--no-sync"}
			cmd := in.Command(t, "pg_rewind", args...)
			cmd.Env = append(cmd.Env, tt.env...)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s: %s", tt.name, out)
			ours, err := connInfo(tt.conninfo, environment(tt.env), in.Version.ServerNum)
			require.NoError(t, err, tt.name)
			theirs := lastConnInfo(t, target.Dir)
			if in.Version.ServerNum < 1600 { // its libpq does not look at HOME
				theirs = regexp.MustCompile(`'[^']*/\.pgpass'`).ReplaceAllLiteralString(theirs, "'"+conninfo.System(nil).Home+"/.pgpass'")
			}
			theirs, ours = built.ReplaceAllString(theirs, ""), built.ReplaceAllString(ours, "")
			assert.Equal(t, theirs, ours, tt.name)
		}
		s, err := pgsource.Open(t.Context(), socket, pgsource.Options{})
		require.NoError(t, err)
		defer func() { _ = s.Close() }()
		ours, err := connInfo(socket, conninfo.System(nil), in.Version.ServerNum)
		require.NoError(t, err)
		assert.Equal(t, ours, s.ConnInfo())
	})
}

// lastConnInfo is the effective primary_conninfo, the last one.
func lastConnInfo(t *testing.T, dir string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "postgresql.auto.conf"))
	require.NoError(t, err)
	lines := regexp.MustCompile(`(?m)^primary_conninfo = '(.*)'$`).FindAllStringSubmatch(string(content), -1)
	require.NotEmpty(t, lines)
	return strings.NewReplacer(`''`, `'`, `\\`, `\`).Replace(lines[len(lines)-1][1])
}

// TestConnectionStringsThatPgRewindRefuses are refused here, too, and in its
// words, except for the part in quotes, which may be a piece of a password.
func TestConnectionStringsThatPgRewindRefuses(t *testing.T) {
	const inWords = 1600 // the words of before differ here and there
	corpus := []struct {
		since    int // the major whose libpq knows the keyword
		conninfo string
	}{
		{0, "host"},
		{0, "host=a b"},
		{0, "hots=a"},
		{0, "=a"},
		{0, "host='a"},
		{0, `host='a\'`},
		{0, "postgres://h?zzz=1"},
		{0, "postgres://h?ssl=1"},
		{0, "postgres://h?user"},
		{0, "postgres://h?user=a=b"},
		{0, "postgres://[::1"},
		{0, "postgres://[]"},
		{0, "postgres://h:5432x"},
		{0, "postgres://u:%zz@h"},
		{0, "postgres://h?user=%1"},
		{0, "postgres://h/%00"},
		{0, "host=a,b port=1,2,3"},
		{0, "host=a,b hostaddr=127.0.0.1"},
		{0, "host=/x port=0"},
		{0, "host=/x port=65536"},
		{0, "host=/x port=abc"},
		{0, "sslmode=maybe"},
		{0, "sslmode=''"},
		{0, "service=gone"},
		{1300, "channel_binding=on"},
		{1000, "target_session_attrs=master"},
		{1200, "gssencmode=allow"},
		{1300, "ssl_max_protocol_version=TLSv1.1"},
		{1600, "sslcertmode=x"},
		{1600, "require_auth=md5,!none"},
		{1600, "require_auth=md5,md5"},
		{1600, "require_auth=ident"},
		{1700, "sslrootcert=system sslmode=require"},
		{1600, "load_balance_hosts=yes"},
		{1700, "sslnegotiation=direct"},
		{1700, "sslnegotiation=''"},
		{1800, "min_protocol_version=4"},
		{1800, "min_protocol_version=3.2 max_protocol_version=3.0"},
	}
	for i := range corpus {
		_, err := connInfo(corpus[i].conninfo, environment(nil), 1800)
		assert.Error(t, err, corpus[i].conninfo)
	}
	quoted := regexp.MustCompile(`"[^"]*"`)
	// Here a message is longer, or gives the position instead of quoting it.
	shorter := strings.NewReplacer(" in the password of the URI", "", " in the dbname of the URI", "",
		` in the value of URI query parameter ""`, "", "forbidden value %00", "forbidden value %00 in percent-encoded value",
		`invalid integer value for`, `invalid integer value "" for`)
	pgtest.EachGenuine(t, func(t *testing.T, in *pgtest.Installation) {
		target := t.TempDir()
		for _, tt := range corpus {
			if in.Version.ServerNum < tt.since {
				continue
			}
			cmd := in.Command(t, "pg_rewind", "--source-server="+tt.conninfo, "--target-pgdata="+target, "--dry-run")
			cmd.Env = append(cmd.Env, "PGSYSCONFDIR=/does/not/exist")
			out, err := cmd.CombinedOutput()
			require.Error(t, err, tt.conninfo)
			_, err = connInfo(tt.conninfo, environment([]string{"PGSYSCONFDIR=/does/not/exist"}), in.Version.ServerNum)
			require.Error(t, err, tt.conninfo)
			if in.Version.ServerNum >= inWords {
				ours := shorter.Replace(quoted.ReplaceAllString(err.Error(), `""`))
				assert.Contains(t, quoted.ReplaceAllString(string(out), `""`), ours, tt.conninfo)
			}
		}
	})
}
