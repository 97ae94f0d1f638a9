package source

import "errors"

// ConnectError says that no connection to a server could be opened. If the reason
// goes away by itself, the error wraps ErrUnavailable, too.
type ConnectError struct {
	// Reason is one of the errors ErrConnString to ErrWrongKind, and what errors.Is finds. It is nil for any
	// other reason; the message then describes it. If several servers were tried,
	// it is the reason of the last one.
	Reason error
	// Message names the servers, says for each why the connection failed, and what to do. It
	// contains no password.
	Message string
	Err     error // the underlying error, for errors.As
}

func (e *ConnectError) Error() string { return e.Message }

// Unwrap returns the reason and the underlying errors.
func (e *ConnectError) Unwrap() []error {
	var errs []error
	for _, err := range []error{e.Reason, e.Err} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// Why no connection could be opened. Servers are judged by SQLSTATE and not by their
// messages, which can be in any language.
var (
	// ErrConnString is for a connection string, a service file, PG* variables or
	// client certificates that cannot be used. No server was contacted.
	ErrConnString = errors.New("the connection string cannot be used")
	// ErrWrongPassword is for a password that is refused. Servers say the same if
	// the role does not exist, so as not to reveal which roles do.
	ErrWrongPassword = errors.New("the password is wrong")
	// ErrNoPassword is for a server that wants a password when none is given.
	ErrNoPassword = errors.New("no password was given")
	// ErrNotAllowed is for a server whose pg_hba.conf, or whose database, rejects this
	// client: because of its address, its user, its certificate, or missing TLS.
	ErrNotAllowed = errors.New("the server does not allow this connection")
	// ErrNoRole is for a role that does not exist or may not log in.
	ErrNoRole = errors.New("the role does not exist or may not log in")
	// ErrNoDatabase is for a database that does not exist.
	ErrNoDatabase = errors.New("the database does not exist")
	// ErrUnreachable is for a server that cannot be reached: nothing listens there, there
	// is no route, or it does not answer or closes the connection.
	ErrUnreachable = errors.New("the server cannot be reached")
	// ErrUnknownHost is for a name that does not resolve.
	ErrUnknownHost = errors.New("the name of the host does not resolve")
	// ErrNoTLS is for a server that does not offer TLS when it is required.
	ErrNoTLS = errors.New("the server does not offer TLS")
	// ErrTLS is for a side that does not accept the other side's certificate or TLS
	// version.
	ErrTLS = errors.New("TLS could not be negotiated")
	// ErrTooManyConnections is for a server, a role or a database that has reached its
	// connection limit.
	ErrTooManyConnections = errors.New("there are too many connections")
	// ErrNotReady is for a server that is starting, stopping or recovering.
	ErrNotReady = errors.New("the server does not accept connections now")
	// ErrWrongKind is for a server that is a primary when target_session_attrs asks for a
	// standby, or the other way round.
	ErrWrongKind = errors.New("the server is not of the kind that was asked for")
)
