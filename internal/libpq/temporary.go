package libpq

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// temporaryCodes are the errors of a server that exists but cannot be used
// at the moment (errcodes.txt).
var temporaryCodes = []string{
	"08000", "08001", "08003", "08004", "08006", // a connection failure, as poolers report it
	"40001", "40P01", // a standby's replay ended the query
	"53200", "53300", // out of memory, too many connections
	"57P01", "57P02", "57P03", // shutting down, crashed, starting
	"57P05", // idle for too long
}

// IsTemporary reports whether another connection may help later.
func IsTemporary(err error) bool {
	var all *notConnected
	if errors.As(err, &all) {
		return all.temporary
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return slices.Contains(temporaryCodes, pg.Code)
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsTemporary || dns.IsTimeout
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op != "remote error" && op.Op != "local error" // one side of TLS rejects the other
	}
	return isAny(err, isDial) || slices.ContainsFunc([]error{io.EOF, io.ErrUnexpectedEOF, pgconn.ErrConnClosed, context.DeadlineExceeded, ErrSilent, errTimeout},
		func(lost error) bool { return errors.Is(err, lost) })
}
