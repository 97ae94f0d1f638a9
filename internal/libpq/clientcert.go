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

// readClientCertificate reads sslcert and sslkey. Without a certificate it returns an
// empty one, with which a client answers a server that asks for one.
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
		return none, nil // libpq connects without one
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
		return nil, fmt.Errorf(`certificate file "%s" and private key file "%s" do not match: %w`, certFile, keyFile, err)
	}
	return &pair, nil
}

// outOfReach reports whether a default file cannot exist for this process: it is
// missing, its parent is not a directory, or a parent may not be entered, such as
// another user's home directory that HOME still names. libpq treats that as a missing
// root.crt, but for postgresql.crt it fails the attempt with TLS, so that sslmode=prefer
// would continue without TLS. Here it is a missing certificate in both cases.
func outOfReach(name string) bool {
	_, err := os.Stat(name)
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, errNotDir)
}

// decryptKey decrypts a private key, if it is encrypted.
func decryptKey(content []byte, password string) ([]byte, error) {
	block, rest := pem.Decode(content)
	for block != nil && block.Type == "EC PARAMETERS" { // openssl ecparam writes them before the key
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
	errNoKeyPassword = errors.New("it is encrypted: specify its password with sslpassword")
	errKeyPassword   = errors.New("sslpassword does not decrypt it")
)
