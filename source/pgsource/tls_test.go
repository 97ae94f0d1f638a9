package pgsource_test

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/source"
)

const scramHBA = `local all postgres trust
hostssl all cert 127.0.0.1/32 cert
hostssl all tls 127.0.0.1/32 trust
hostnossl all plain 127.0.0.1/32 trust
hostnossl all unencrypted 127.0.0.1/32 METHOD
host all secret 127.0.0.1/32 METHOD
`

// ofCertificates is the advice if one side rejects the other's certificate.
const ofCertificates = "certificates of both sides"

// TestTLS connects in every way that the ssl* keywords know.
func TestTLS(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		dir := t.TempDir()
		ca := newAuthority(t, dir, "ca")
		stranger := newAuthority(t, dir, "stranger")
		server, _ := ca.issue(t, "server", serverCertificate())
		ca.issue(t, "cert", &x509.Certificate{})
		stranger.issue(t, "impostor", &x509.Certificate{})
		tomorrow := time.Now().Add(24 * time.Hour)
		ca.revoke(t, "none.crl", tomorrow)
		ca.revoke(t, "server.crl", tomorrow, server)
		ca.revoke(t, "expired.crl", time.Now().Add(-time.Minute))
		stranger.revoke(t, "stranger.crl", tomorrow)
		ca.revoke(t, "lists/hash.r0", tomorrow, server)

		scram := in.Version.ServerNum >= 1000
		method := map[bool]string{true: "scram-sha-256", false: "md5"}[scram]
		conf := map[string]string{"ssl": "on", "ssl_cert_file": ca.path("server.crt"), "ssl_key_file": ca.path("server.key"), "ssl_ca_file": ca.path("ca.crt")}
		if scram {
			conf["password_encryption"] = method
		}
		c := in.InitCluster(t, pgtest.Options{TCP: true, Conf: conf})
		require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "pg_hba.conf"), []byte(strings.ReplaceAll(scramHBA, "METHOD", method)), 0o600))
		c.Start(t)
		for _, role := range []string{"cert", "tls", "plain", "unencrypted", "secret"} {
			c.Exec(t, "CREATE ROLE "+role+" LOGIN SUPERUSER PASSWORD '"+password+"'")
		}
		base := fmt.Sprintf("host=db.test hostaddr=127.0.0.1 port=%d dbname=postgres ", c.Port())
		trusted := "sslrootcert=" + ca.path("ca.crt") + " "
		full := "user=tls sslmode=verify-full " + trusted
		clientCert := "user=cert sslmode=require sslcert=" + ca.path("cert.crt") + " sslkey=" + ca.path("cert.key") + " "

		for _, tt := range []struct {
			name, conninfo string
			since          int
			tls            bool
			want           string // of the error; empty: it connects
			advice         string // of the error, too
			reason         error  // of the error; nil: ErrTLS if the advice is about certificates, otherwise not checked
		}{
			{name: "prefer takes TLS", conninfo: "user=tls", tls: true},
			{name: "prefer does without", conninfo: "user=plain"},
			{name: "allow starts without", conninfo: "user=plain sslmode=allow"},
			{name: "allow takes TLS where it must", conninfo: "user=tls sslmode=allow", tls: true},
			{name: "disable", conninfo: "user=tls sslmode=disable", want: "pg_hba.conf"},
			{name: "require", conninfo: "user=plain sslmode=require", want: "pg_hba.conf"},
			{name: "verify-full", conninfo: full, tls: true},
			{name: "verify-full with another name", conninfo: strings.Replace(base, "db.test", "db2.test", 1) + full, want: `server certificate for "db.test", "127.0.0.1" does not match host name "db2.test"`, advice: ofCertificates},
			{name: "verify-full with an address", conninfo: fmt.Sprintf("host=127.0.0.1 hostaddr='' port=%d %s", c.Port(), full), tls: true},
			{name: "verify-full without a name", conninfo: "host='' " + full, want: "host name must be specified for a verified SSL connection"},
			{name: "verify-ca does not look at the name", conninfo: "host=db2.test user=tls sslmode=verify-ca " + trusted, tls: true},
			{name: "another authority", conninfo: "user=tls sslmode=verify-ca sslrootcert=" + ca.path("stranger.crt"), want: "signed by unknown authority", advice: ofCertificates},
			{name: "require verifies if there is an authority", conninfo: "user=tls sslmode=require sslrootcert=" + ca.path("stranger.crt"), want: "signed by unknown authority", advice: ofCertificates},
			{name: "the authorities of the system", conninfo: "user=tls sslrootcert=system", want: "certificate", advice: ofCertificates},
			{name: "an authority that does not exist", conninfo: "user=tls sslmode=verify-ca sslrootcert=/does/not/exist", want: `root certificate file "/does/not/exist" does not exist`},
			{name: "a list of revoked certificates", conninfo: full + "sslcrl=" + ca.path("none.crl"), tls: true},
			{name: "a revoked certificate", conninfo: full + "sslcrl=" + ca.path("server.crl"), want: "certificate revoked", advice: ofCertificates},
			{name: "a revoked certificate in a directory", conninfo: full + "sslcrldir=" + ca.path("lists"), want: "certificate revoked", advice: ofCertificates},
			{name: "an expired list", conninfo: full + "sslcrl=" + ca.path("expired.crl"), want: "CRL has expired", advice: ofCertificates},
			{name: "a list of another authority", conninfo: full + "sslcrl=" + ca.path("stranger.crl"), want: "unable to get certificate CRL", advice: ofCertificates},
			{name: "what is no list", conninfo: full + "sslcrl=" + ca.path("ca.crt"), want: "there is no list in it"},
			{name: "a client certificate", conninfo: clientCert + "sslcertmode=require", tls: true},
			{name: "no client certificate", conninfo: "user=cert sslmode=require", want: "certificate", advice: "the client's certificate"},
			{name: "a client certificate that must not be sent", conninfo: clientCert + "sslcertmode=disable", want: "certificate"},
			{name: "a client certificate of another authority", conninfo: "user=cert sslmode=require sslcert=" + ca.path("impostor.crt") + " sslkey=" + ca.path("impostor.key"), want: "could not connect to the source"},
			{name: "a client certificate without its key", conninfo: "user=cert sslcert=" + ca.path("cert.crt") + " sslkey=/does/not/exist", want: `certificate present, but not private key file "/does/not/exist"`},
			{name: "versions of TLS", conninfo: "user=tls sslmode=require ssl_min_protocol_version=TLSv1.2 ssl_max_protocol_version=tlsv1.2 sslsni=0", tls: true},
			{name: "a password", conninfo: "user=secret password=" + password, tls: true},
			{name: "a wrong password", conninfo: "user=secret password=Secret2", want: "password authentication failed"},
			{name: "a wrong password where TLS is not allowed", conninfo: "user=unencrypted password=Secret2", want: "password authentication failed", advice: "check the user and the password", reason: source.ErrWrongPassword},
			{name: "the method that is required", conninfo: "user=secret password=" + password + " require_auth=" + method, tls: true},
			{name: "another method", conninfo: "user=secret password=" + password + " require_auth=password", want: `authentication method requirement "password" failed`},
			{name: "no authentication", conninfo: "user=tls require_auth=" + method, want: "server did not complete authentication"},
			{name: "channel binding", since: 1100, conninfo: "user=secret channel_binding=require sslmode=require password=" + password, tls: true},
			{name: "channel binding without TLS", since: 1100, conninfo: "user=secret channel_binding=require sslmode=disable password=" + password, want: "channel binding"},
			{name: "direct negotiation", since: 1700, conninfo: full + "sslnegotiation=direct", tls: true},
		} {
			if in.Version.ServerNum < tt.since {
				continue
			}
			t.Run(tt.name, func(t *testing.T) {
				if tt.want != "" {
					err := errorOfConnecting(t, base+tt.conninfo)
					assert.ErrorContains(t, err, tt.want)
					assert.ErrorContains(t, err, tt.advice)
					if tt.advice == ofCertificates {
						assert.ErrorIs(t, err, source.ErrTLS)
					}
					if tt.reason != nil {
						assert.ErrorIs(t, err, tt.reason)
					}
					return
				}
				var encrypted bool
				require.NoError(t, open(t, base+tt.conninfo).Conn().QueryRow(t.Context(),
					"SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()").Scan(&encrypted))
				assert.Equal(t, tt.tls, encrypted)
			})
		}
	})
}
