package libpq

import (
	"cmp"
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

// IsTemporary reports whether another connection may help later. If the error joins
// several that a server sent, all of them must be temporary.
func IsTemporary(err error) bool {
	var all *notConnected
	if errors.As(err, &all) {
		return all.temporary
	}
	if pg := sentBy(err); pg != nil {
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

// sentBy returns the error that counts of those that a server sent: the first one that
// will not go away by itself, or else the first one. It returns nil if there is none.
func sentBy(err error) *pgconn.PgError {
	var first, lasting *pgconn.PgError
	isAny(err, func(err error) bool {
		if pg, is := err.(*pgconn.PgError); is { //nolint:errorlint // isAny unwraps
			first = cmp.Or(first, pg)
			if !slices.Contains(temporaryCodes, pg.Code) {
				lasting = pg
			}
		}
		return lasting != nil
	})
	return cmp.Or(lasting, first)
}
