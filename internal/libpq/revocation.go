package libpq

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gorewind/gorewind/internal/libpq/conninfo"
)

// readCRLs reads the revocation lists. As in libpq, a missing file is
// ignored; unlike in libpq, there is a warning if the file was named explicitly.
func readCRLs(s *conninfo.Settings, env conninfo.Environment, log *slog.Logger) ([]*x509.RevocationList, error) {
	file, dir := s.Value("sslcrl"), s.Value("sslcrldir")
	var files []string
	switch {
	case file != "" || dir == "":
		asked := file != ""
		if !asked {
			file = env.CertificateFile("root.crl")
		}
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) || !asked && outOfReach(file) {
			if asked && log != nil {
				log.Warn(fmt.Sprintf(`certificate revocation list file "%s" does not exist: no certificate is treated as revoked because of it`, file), "path", file)
			}
			break
		}
		files = append(files, file)
	}
	if dir != "" {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("could not read certificate revocation list directory: %w", err)
		}
		for _, e := range entries {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	var crls []*x509.RevocationList
	for _, name := range files {
		more, err := readCRL(name)
		if err != nil {
			return nil, fmt.Errorf(`could not read certificate revocation list file "%s": %w`, name, err)
		}
		crls = append(crls, more...)
	}
	return crls, nil
}

func readCRL(name string) ([]*x509.RevocationList, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var crls []*x509.RevocationList
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "X509 CRL" {
			continue
		}
		crl, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, err
		}
		crls = append(crls, crl)
	}
	if crls == nil {
		return nil, errors.New("there is no list in it")
	}
	return crls, nil
}

// checkRevocation requires a chain in which nothing is revoked. As OpenSSL does for
// libpq, it requires a list of each issuer.
func checkRevocation(chains [][]*x509.Certificate, crls []*x509.RevocationList) error {
	var errs []error
	for _, chain := range chains {
		err := checkChain(chain, crls)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func checkChain(chain []*x509.Certificate, crls []*x509.RevocationList) error {
	for i, cert := range chain {
		issuer := chain[min(i+1, len(chain)-1)] // the last certificate is self-signed
		if err := checkCertificate(cert, issuer, crls); err != nil {
			return fmt.Errorf(`certificate "%s": %w`, cert.Subject, err)
		}
	}
	return nil
}

func checkCertificate(cert, issuer *x509.Certificate, crls []*x509.RevocationList) error {
	err := errors.New("unable to get certificate CRL")
	for _, crl := range crls {
		if !bytes.Equal(crl.RawIssuer, issuer.RawSubject) || crl.CheckSignatureFrom(issuer) != nil {
			continue
		}
		for _, entry := range crl.RevokedCertificateEntries {
			if entry.SerialNumber.Cmp(cert.SerialNumber) == 0 {
				return errors.New("certificate revoked")
			}
		}
		if !crl.NextUpdate.IsZero() && time.Now().After(crl.NextUpdate) {
			err = errors.New("CRL has expired")
			continue
		}
		return nil
	}
	return err
}
