package libpq

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/internal/libpq/conninfo"
)

// tlsSettings are the settings of the ssl* keywords, with their files loaded
// (initialize_SSL in fe-secure-openssl.c). crypto/tls itself verifies nothing,
// because libpq's rules differ.
type tlsSettings struct {
	mode  string // sslmode
	sni   bool
	base  *tls.Config
	roots *x509.CertPool // nil: the certificate is not verified
	crls  []*x509.RevocationList
}

// newTLS reads the files that the settings name, or those in ~/.postgresql. If all
// hosts are Unix sockets, it reads none.
func newTLS(s *conninfo.Settings, env conninfo.Environment, hosts []conninfo.Host, log *slog.Logger) (*tlsSettings, error) {
	t := &tlsSettings{mode: s.Value("sslmode"), sni: strings.HasPrefix(s.Value("sslsni"), "1")}
	if t.mode == "disable" || !slices.ContainsFunc(hosts, func(h conninfo.Host) bool { return !h.IsUnix() }) {
		t.mode = "disable"
		return t, nil
	}
	if t.mode == "verify-full" && slices.ContainsFunc(hosts, func(h conninfo.Host) bool { return h.Name == "" }) {
		return nil, errors.New("host name must be specified for a verified SSL connection")
	}
	t.base = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10} //nolint:gosec // verify does it
	if v := s.TLSVersion("ssl_min_protocol_version"); v >= 0 {
		t.base.MinVersion = uint16(tls.VersionTLS10 + v)
	}
	if v := s.TLSVersion("ssl_max_protocol_version"); v >= 0 {
		t.base.MaxVersion = uint16(tls.VersionTLS10 + v)
	}
	if s.Value("sslnegotiation") == "direct" {
		t.base.NextProtos = []string{alpn}
	}
	if file := s.Value("sslkeylogfile"); file != "" {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("could not open SSL key logging file: %w", err)
		}
		t.base.KeyLogWriter = f // stays open as long as there may be connections
	}
	if err := t.readRoots(s, env); err != nil {
		return nil, err
	}
	if t.roots != nil {
		crls, err := readCRLs(s, env, log)
		if err != nil {
			return nil, err
		}
		t.crls = crls
	}
	cert, err := readClientCertificate(s, env)
	if err != nil {
		return nil, err
	}
	// libpq sends its certificate to any server that asks, even if that names another CA.
	t.base.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	return t, nil
}

// alpn is the protocol that direct negotiation must agree on (PG_ALPN_PROTOCOL).
const alpn = "postgresql"

// readRoots reads the trusted certificates. If there are any, the server's certificate
// is verified, whatever sslmode says.
func (t *tlsSettings) readRoots(s *conninfo.Settings, env conninfo.Environment) error {
	file := s.Value("sslrootcert")
	if file == "system" {
		roots, err := x509.SystemCertPool()
		t.roots = roots
		return err
	}
	asked := file != ""
	if !asked {
		file = env.CertificateFile("root.crt")
	}
	pem, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || !asked && !t.verifies() && outOfReach(file) {
		if !t.verifies() {
			return nil
		}
		return fmt.Errorf(`root certificate file "%s" does not exist: provide the file, use the system's trusted roots with sslrootcert=system, or change sslmode to disable server certificate verification`, file)
	}
	if err != nil {
		return fmt.Errorf(`could not read root certificate file "%s": %w`, file, err)
	}
	t.roots = x509.NewCertPool()
	if !t.roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf(`could not read root certificate file "%s": there is no certificate in it`, file)
	}
	return nil
}

// verifies reports whether the server must be verified.
func (t *tlsSettings) verifies() bool { return strings.HasPrefix(t.mode, "verify-") }

// attempts are the kinds of encryption to try with a host; nil means unencrypted.
func (t *tlsSettings) attempts(h conninfo.Host) []*tls.Config {
	if t.mode == "disable" || h.IsUnix() {
		return []*tls.Config{nil}
	}
	config := t.base.Clone()
	if t.sni && net.ParseIP(h.Name) == nil {
		config.ServerName = h.Name
	}
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if err := t.verify(state, h.Name); err != nil {
			return &verifyError{err}
		}
		return nil
	}
	switch t.mode {
	case "allow":
		return []*tls.Config{nil, config}
	case "prefer":
		return []*tls.Config{config, nil}
	default:
		return []*tls.Config{config}
	}
}

// given are the kinds of encryption for a caller's TLS configuration: over TCP only that one.
func given(config *tls.Config, h conninfo.Host, negotiation string) []*tls.Config {
	if h.IsUnix() {
		return []*tls.Config{nil}
	}
	config = config.Clone()
	if config.ServerName == "" {
		config.ServerName = cmp.Or(h.Name, h.Addr)
	}
	if negotiation == "direct" && len(config.NextProtos) == 0 {
		config.NextProtos = []string{alpn}
	}
	return []*tls.Config{config}
}

// verifyError says why the server is not trusted.
type verifyError struct{ error }

func (e *verifyError) Unwrap() error { return e.error }

// verify checks the certificate of the server.
func (t *tlsSettings) verify(state tls.ConnectionState, name string) error {
	if len(t.base.NextProtos) > 0 && state.NegotiatedProtocol != alpn {
		return errors.New("direct SSL connection was established without ALPN protocol negotiation extension")
	}
	if t.roots == nil {
		return nil
	}
	intermediates := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		intermediates.AddCert(cert)
	}
	leaf := state.PeerCertificates[0]
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: t.roots, Intermediates: intermediates})
	if err != nil {
		return err
	}
	if len(t.crls) > 0 {
		if err := checkRevocation(chains, t.crls); err != nil {
			return err
		}
	}
	if t.mode == "verify-full" {
		return verifyName(leaf, name)
	}
	return nil
}
