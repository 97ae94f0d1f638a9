package libpq

import (
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
)

// verifyName compares the host name with the names in a certificate: its
// alternative names or, if there are none of the same kind, its common name
// (pq_verify_peer_name_matches_certificate_name in fe-secure-common.c). Go no longer
// checks common names, but many servers have nothing else.
func verifyName(cert *x509.Certificate, name string) error {
	ip := net.ParseIP(name)
	names := slices.Clone(cert.DNSNames)
	for _, addr := range cert.IPAddresses {
		if ip != nil && addr.Equal(ip) {
			return nil
		}
		names = append(names, addr.String())
	}
	// If the host is an address, the certificate may have addresses in its common
	// name, unless it has address entries.
	if len(cert.DNSNames) == 0 && (ip == nil || len(cert.IPAddresses) == 0) && cert.Subject.CommonName != "" {
		names = append(names, cert.Subject.CommonName)
	}
	for _, pattern := range names {
		if matchName(pattern, name) {
			return nil
		}
	}
	return fmt.Errorf(`server certificate for "%s" does not match host name "%s"`, strings.Join(names, `", "`), name)
}

// matchName compares case-insensitively. An asterisk matches the complete
// first label, and nothing else.
func matchName(pattern, name string) bool {
	if strings.EqualFold(pattern, name) {
		return true
	}
	suffix, wild := strings.CutPrefix(pattern, "*.")
	_, rest, dotted := strings.Cut(name, ".")
	return wild && dotted && net.ParseIP(name) == nil && name[0] != '.' && strings.EqualFold(suffix, rest)
}
