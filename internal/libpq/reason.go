package libpq

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"

	"github.com/gorewind/gorewind/source"
)

// reasonByCode maps errors of the server to reasons, by SQLSTATE.
var reasonByCode = map[string]error{
	"28P01": source.ErrWrongPassword,
	"28000": source.ErrNotAllowed,
	"42501": source.ErrNotAllowed, // no CONNECT on the database
	"55000": source.ErrNotAllowed, // a database that accepts no connections
	"3D000": source.ErrNoDatabase,
	"53300": source.ErrTooManyConnections,
	"57P01": source.ErrNotReady,
	"57P02": source.ErrNotReady,
	"57P03": source.ErrNotReady,
}

// reasonFor returns the reason of a source.ConnectError for a failure.
func reasonFor(err error) error {
	pg := sentBy(err)
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, source.ErrUntrusted):
		return nil
	case isAny(err, isPassword):
		return source.ErrNoPassword
	case isAny(err, isOtherKind):
		return source.ErrWrongKind
	case pg != nil && pg.Code == "28000" && pg.File == "miscinit.c":
		return source.ErrNoRole // the file that looks up a session's role; other refusals come from auth.c
	case pg != nil:
		return reasonByCode[pg.Code]
	case isAny(err, refusedTLS):
		return source.ErrNoTLS
	case isAny(err, ofTLS):
		return source.ErrTLS
	case errors.As(err, &dns):
		return source.ErrUnknownHost
	case errors.As(err, &op), isAny(err, isDial), isAny(err, isSilence), IsTemporary(err):
		return source.ErrUnreachable
	}
	return nil
}

// ofTLS reports whether one side rejected the other's certificate: we the server's,
// or the server, which then sends an alert, ours.
func ofTLS(err error) bool {
	switch e := err.(type) { //nolint:errorlint // isAny unwraps
	case *verifyError, *tls.CertificateVerificationError, tls.AlertError, tls.RecordHeaderError:
		return true
	case *net.OpError:
		return e.Op == "remote error" // crypto/tls has no type for an alert
	}
	return false
}

// isAny reports whether any of the errors that an error wraps satisfies is.
func isAny(err error, is func(error) bool) bool {
	switch e := err.(type) { //nolint:errorlint // it unwraps
	case nil:
		return false
	case interface{ Unwrap() []error }:
		return is(err) || slices.ContainsFunc(e.Unwrap(), func(one error) bool { return isAny(one, is) })
	}
	return is(err) || isAny(errors.Unwrap(err), is)
}
