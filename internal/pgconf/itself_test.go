package pgconf_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/pgtest"
)

func TestWhetherAConnectionStringPointsToTheServerItself(t *testing.T) {
	const all = "listen_addresses = '*'\n"
	for _, c := range []struct {
		name, conf, opts, conninfo string
		want                       bool
	}{
		{"its address", all, "", "host=10.1.2.3 port=5432 user=repl", true},
		{"its address, with the default port", all, "", "user=repl host=10.1.2.3", true},
		{"its address, to which it listens", "listen_addresses = 'localhost, 10.1.2.3'", "", "host=10.1.2.3", true},
		{"its address, to which it does not listen", "listen_addresses = '10.9.9.9,localhost'", "", "host=10.1.2.3", false},
		{"its address by default, which is localhost only", "", "", "host=10.1.2.3", false},
		{"its address at another port", all, "", "host=10.1.2.3 port=5433", false},
		{"its address at its own other port", all + "port = 5433", "", "host=10.1.2.3 port=05433", true},
		{"its default port, where it has another one", all + "port = 5433", "", "host=10.1.2.3", false},
		{"its address of IPv6", "listen_addresses = '::'", "", "host=2001:db8::5", true},
		{"its address of IPv6, written otherwise", "listen_addresses = '2001:db8::5'", "", "host='2001:DB8:0:0::5'", true},
		{"its address of IPv6, where it listens to IPv4", "listen_addresses = '0.0.0.0'", "", "host=2001:db8::5", false},
		{"another machine's address, though that is to be listened to", "listen_addresses = '10.1.2.4'", "", "host=10.1.2.4", false},
		{"another machine", all, "", "host=10.1.2.4", false},
		{"localhost", "", "", "host=localhost", true},
		{"localhost by its number", "", "", "host=127.0.0.1", true},
		{"localhost by another number", all, "", "host=127.0.1.1", true},
		{"localhost by its number of IPv6", "", "", "host=::1 ", true},
		{"localhost, which it does not listen to", "listen_addresses = '10.1.2.3'", "", "host=localhost", false},
		{"localhost, where it has sockets only", "listen_addresses = ''", "", "host=localhost", false},
		{"the machine's name", all, "", "host=DB1.example.org", true},
		{"the machine's name, to which it listens", "listen_addresses = 'db1.example.org'", "", "host=db1.example.org", true},
		{"the machine's name by default, which is localhost only", "", "", "host=db1.example.org", false},
		{"a name that nobody here knows", all, "", "host=db2.example.org", false},
		{"an address beside a name that counts for less", all, "", "host=db2.example.org hostaddr=10.1.2.3", true},
		{"an address that counts for more than the name", all, "", "host=db1.example.org hostaddr=10.1.2.4", false},
		{"nothing at all, which is the default socket", "", "", "user=repl", true},
		{"the default socket, where it has others", "unix_socket_directories = '/run/x'", "", "user=repl", false},
		{"a socket", "unix_socket_directories = '/run/x, \"/run/y\"'", "", "host=/run/y/", true},
		{"a socket of another server", "unix_socket_directories = '/run/x'", "", "host=/run/y", false},
		{"a socket, which may be the default one", "", "", "host=/tmp", false},
		{"several hosts that all are the server", all, "", "host=10.1.2.3,localhost port=5432", true},
		{"several hosts of which one is another", all, "", "host=10.1.2.3,10.1.2.4", false},
		{"several ports of which one is another's", all, "", "host=10.1.2.3,10.1.2.3 port=5432,5433", false},
		{"more ports than hosts", all, "", "host=10.1.2.3 port=5432,5432", false},
		{"a service, which may say anything", all, "", "host=10.1.2.3 service=x", false},
		{"the last of two hosts", all, "", "host=10.1.2.3 host=10.1.2.4", false},
		{"a URI", all, "", "postgresql://repl:se%40cret@10.1.2.3/x?sslmode=prefer", true},
		{"a URI with a port", all, "", "postgres://10.1.2.3:5433", false},
		{"a URI with IPv6", all, "", "postgres://[2001:db8::5]:5432/", true},
		{"a URI with several hosts", all, "", "postgres://10.1.2.3,10.1.2.3:5432,[::1]/", true},
		{"a URI with several hosts of which one is another", all, "", "postgres://10.1.2.3,10.1.2.4/", false},
		{"a URI with a socket", "unix_socket_directories = '/run/x'", "", "postgres://%2Frun%2Fx", true},
		{"a URI with the host as a parameter", all, "", "postgres:///x?host=10.1.2.3&port=5432", true},
		{"a URI without anything", "", "", "postgres://", true},
		{"something broken", all, "", "host=10.1.2.3 port", false},
		{"an open quote", all, "", "host='10.1.2.3", false},
		{"a broken URI", all, "", "postgres://[::1", false},
		{"a URI with a broken escape", all, "", "postgres://10.1.2.3/?user=%4", false},
		{"quotes and backslashes", all, "", `password = 'a\'b=c' host='10.1.2\.3' port = 54\32`, true},
		{"the port of its command line", all + "port = 5433", `"-D" "/x y" "-p" "5434"`, "host=10.1.2.3 port=5434", true},
		{"the configured port, where its command line had another one", all, `"-D" "/x" "-c" "port=5434"`, "host=10.1.2.3", false},
		{"a port in long form", all, `"--port=5434"`, "host=10.1.2.3 port=5434", true},
		{"a port in short form", all, `"-N5" "-Fp5434"`, "host=10.1.2.3 port=5434", true},
		{"an address of its command line", "", `"-h" "10.1.2.3"`, "host=10.1.2.3", true},
		{"any address by its command line", "", `"-i"`, "host=10.1.2.3", true},
		{"a socket of its command line", "unix_socket_directories = '/run/x'", `"-k" "/run/y" "-c" "cluster_name=a"`, "host=/run/y", true},
		{"what is no option of its command line", all, `"-c" "cluster_name=-p" "-D" "-p5434"`, "host=10.1.2.3", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			here := pgconf.Here{Hostname: "db1.example.org", Addresses: []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("2001:db8::5")}}
			if c.opts != "" {
				here.CommandLine = []byte("/usr/bin/postgres " + c.opts + "\n")
			}
			conf := load(t, pg17, map[string]string{"postgresql.conf": c.conf})
			assert.Equal(t, c.want, conf.PointsToItself(c.conninfo, here))
		})
	}
}

// A server is where its own connection strings lead, and no other is.
func TestServersPointToThemselvesAndToNoOther(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		servers := []*pgtest.Cluster{in.InitCluster(t, pgtest.Options{TCP: true}), in.InitCluster(t, pgtest.Options{TCP: true})}
		for _, s := range servers {
			s.Start(t)
		}
		for i, s := range servers {
			conf, err := pgconf.Load(pgconf.Options{DataDir: s.Dir, Version: in.Version})
			require.NoError(t, err)
			here := pgconf.ThisMachine()
			assert.NotEmpty(t, here.Addresses)
			here.CommandLine, err = os.ReadFile(filepath.Join(s.Dir, "postmaster.opts"))
			require.NoError(t, err)
			for j, other := range servers {
				for _, conninfo := range []string{
					other.ConnString("postgres"), other.TCPConnString("postgres", "postgres"), fmt.Sprintf("postgresql://localhost:%d/x", other.Port()),
				} {
					assert.Equal(t, i == j, conf.PointsToItself(conninfo, here), conninfo)
				}
			}
		}
	})
}
