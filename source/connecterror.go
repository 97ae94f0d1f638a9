package source

import "errors"

// ConnectError says that no connection to a server came about. Where the reason is
// one that goes away by itself, the error wraps ErrUnavailable, too.
type ConnectError struct {
	// Reason is one of the errors below, and what errors.Is finds. It is nil where the
	// reason is another one, which the message tells. Of several servers that were tried
	// it is that of the last.
	Reason error
	// Message names the servers, says of each why it did not do, and what to do. It
	// holds no password.
	Message string
	Err     error // what was wrong, for errors.As
}

func (e *ConnectError) Error() string { return e.Message }

// Unwrap gives the reason and the errors behind it.
func (e *ConnectError) Unwrap() []error {
	var errs []error
	for _, err := range []error{e.Reason, e.Err} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// Why no connection came about. Servers are judged by SQLSTATE and not by what they
// say, which can be in any language.
var (
	// ErrConnString is for a connection string, a service file, PG* variables or
	// certificates of one's own that cannot be used. No server was asked.
	ErrConnString = errors.New("the connection string cannot be used")
	// ErrWrongPassword is for a password that is refused. Servers say the same where
	// the role does not exist, so as not to tell who does.
	ErrWrongPassword = errors.New("the password is wrong")
	// ErrNoPassword is for a server that wants a password where none is given.
	ErrNoPassword = errors.New("no password was given")
	// ErrNotAllowed is for a server whose pg_hba.conf, or whose database, does not let
	// this client in: by its address, its user, its certificate, or without TLS.
	ErrNotAllowed = errors.New("the server does not allow this connection")
	// ErrNoRole is for a role that does not exist or may not log in.
	ErrNoRole = errors.New("the role does not exist or may not log in")
	// ErrNoDatabase is for a database that does not exist.
	ErrNoDatabase = errors.New("the database does not exist")
	// ErrUnreachable is for a server that cannot be reached: nobody listens, no route
	// leads there, or what is there does not answer or ends the connection.
	ErrUnreachable = errors.New("the server cannot be reached")
	// ErrUnknownHost is for a name that does not resolve.
	ErrUnknownHost = errors.New("the name of the host does not resolve")
	// ErrNoTLS is for a server that does not offer TLS where it is required.
	ErrNoTLS = errors.New("the server does not offer TLS")
	// ErrTLS is for one side that does not accept the certificate or the kind of TLS of
	// the other one.
	ErrTLS = errors.New("there is no agreement on TLS")
	// ErrTooManyConnections is for a server, a role or a database that has as many as
	// it may have.
	ErrTooManyConnections = errors.New("there are too many connections")
	// ErrNotReady is for a server that starts, stops or recovers.
	ErrNotReady = errors.New("the server does not accept connections now")
	// ErrWrongKind is for a server that is a primary or a standby where
	// target_session_attrs asks for the other.
	ErrWrongKind = errors.New("the server is not of the kind that was asked for")
)
