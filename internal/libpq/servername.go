package libpq

import (
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
)

// verifyName compares the name of the host with those of a certificate: its
// alternative names or, if there are none of the kind, its common name
// (pq_verify_peer_name_matches_certificate_name in fe-secure-common.c). Go does
// not look at common names any more, but many servers have nothing else.
func verifyName(cert *x509.Certificate, name string) error {
	ip := net.ParseIP(name)
	names := slices.Clone(cert.DNSNames)
	for _, addr := range cert.IPAddresses {
		if ip != nil && addr.Equal(ip) {
			return nil
		}
		names = append(names, addr.String())
	}
	// A host that is an address may have a certificate with addresses in its
	// common name, unless it has addresses where they belong.
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

// matchName compares without regard to case. An asterisk stands for the whole
// first label, and for that only.
func matchName(pattern, name string) bool {
	if strings.EqualFold(pattern, name) {
		return true
	}
	suffix, wild := strings.CutPrefix(pattern, "*.")
	_, rest, dotted := strings.Cut(name, ".")
	return wild && dotted && net.ParseIP(name) == nil && name[0] != '.' && strings.EqualFold(suffix, rest)
}
