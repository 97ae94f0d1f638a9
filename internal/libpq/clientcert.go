package libpq

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gorewind/gorewind/internal/libpq/conninfo"
)

// readClientCertificate reads sslcert and sslkey. Without a certificate it is an
// empty one, which is what a client without one answers to a server that asks.
func readClientCertificate(s *conninfo.Settings, env conninfo.Environment) (*tls.Certificate, error) {
	none := &tls.Certificate{}
	if s.Value("sslcertmode") == "disable" {
		return none, nil
	}
	certFile, keyFile := s.Value("sslcert"), s.Value("sslkey")
	asked := certFile != ""
	if !asked {
		certFile = env.CertificateFile("postgresql.crt")
	}
	cert, err := os.ReadFile(certFile)
	switch {
	case errors.Is(err, os.ErrNotExist), err != nil && !asked && outOfReach(certFile):
		return none, nil // libpq connects without
	case err != nil:
		return nil, fmt.Errorf(`could not read certificate file "%s": %w`, certFile, err)
	}
	if keyFile == "" {
		keyFile = env.CertificateFile("postgresql.key")
	}
	info, err := os.Stat(keyFile)
	if err != nil {
		return nil, fmt.Errorf(`certificate present, but not private key file "%s"`, keyFile)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf(`private key file "%s" is not a regular file`, keyFile)
	}
	if !keyIsPrivate(info) {
		return nil, fmt.Errorf(`private key file "%s" has group or world access; file must have permissions u=rw (0600) or less if owned by the current user, or permissions u=rw,g=r (0640) or less if owned by root`, keyFile)
	}
	key, err := os.ReadFile(keyFile)
	if err == nil {
		key, err = decryptKey(key, s.Value("sslpassword"))
	}
	if err != nil {
		return nil, fmt.Errorf(`could not load private key file "%s": %w`, keyFile, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf(`certificate file "%s" and private key file "%s" do not go together: %w`, certFile, keyFile, err)
	}
	return &pair, nil
}

// outOfReach tells of a file that nobody asked for, where there is none: it is not
// there, or in what is no directory, or in one that may not be entered, as somebody
// else's home directory that HOME still names. libpq takes that for no root.crt, and for
// an error of the attempt with TLS where it looks for postgresql.crt, so that
// sslmode=prefer would do without TLS; here it is no certificate either.
func outOfReach(name string) bool {
	_, err := os.Stat(name)
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, errNotDir)
}

// decryptKey takes the password off a private key, if it has one.
func decryptKey(content []byte, password string) ([]byte, error) {
	block, rest := pem.Decode(content)
	for block != nil && block.Type == "EC PARAMETERS" { // openssl ecparam puts them in front
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("there is no key in it")
	}
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY":
		der, err := decryptPKCS8(block.Bytes, password)
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	case x509.IsEncryptedPEMBlock(block): //nolint:staticcheck // weak, but what OpenSSL wrote for decades
		if password == "" {
			return nil, errNoKeyPassword
		}
		der, err := x509.DecryptPEMBlock(block, []byte(password)) //nolint:staticcheck // likewise
		if err != nil {
			return nil, errKeyPassword
		}
		return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der}), nil
	}
	return content, nil
}

var (
	errNoKeyPassword = errors.New("it is encrypted: give its password with sslpassword")
	errKeyPassword   = errors.New("sslpassword does not open it")
)
