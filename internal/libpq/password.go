package libpq

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// errNoPassword says that the server asks for a password and there is none. An empty
// password is not sent, since that would be a failed login.
var errNoPassword = errors.New("no password supplied")

// PasswordError says that a requested password could not be supplied.
type PasswordError struct{ Err error }

func (e *PasswordError) Error() string { return fmt.Sprintf("could not get a password: %v", e.Err) }

// Unwrap returns the reason.
func (e *PasswordError) Unwrap() error { return e.Err }

// isPassword reports whether the login failed for lack of a password.
func isPassword(err error) bool {
	_, asked := err.(*PasswordError)     //nolint:errorlint // isAny unwraps
	return asked || err == errNoPassword //nolint:errorlint // likewise
}

// ask asks the caller for a password.
func (a *attempt) ask(ctx context.Context) (string, error) {
	password, err := a.askFor(ctx)
	switch {
	case err != nil:
		return "", &PasswordError{err}
	case password == "":
		return "", errNoPassword
	}
	return password, nil
}

// authenticate connects with the configured password or, if there is none
// and the server wants one, with one that it asks the caller for. A refused password may
// just have been changed: if asking again yields another one, that is tried, too.
func (a *attempt) authenticate(ctx context.Context, encryption *tls.Config) (*pgx.Conn, error) {
	password := a.Value("password")
	if password == "" {
		password, _ = a.settings.Password(a.Host)
		a.passfile = password != ""
	}
	if password != "" || a.askFor == nil {
		return a.once(ctx, encryption, password)
	}
	var err error
	if !a.asks {
		conn, err := a.once(ctx, encryption, "")
		if !errors.Is(err, errNoPassword) {
			return conn, err
		}
		a.asks = true
	}
	if password, err = a.ask(ctx); err != nil {
		return nil, err
	}
	conn, err := a.once(ctx, encryption, password)
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != wrongPassword {
		return conn, err
	}
	again, askErr := a.ask(ctx)
	if askErr != nil || again == password {
		return nil, err
	}
	return a.once(ctx, encryption, again)
}

// wrongPassword is a server's code for a wrong password, or for a role that does not exist.
const wrongPassword = "28P01"
