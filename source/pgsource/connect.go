package pgsource

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// serverName says in messages which server it is.
func serverName(c *pgx.ConnConfig) string {
	where := net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
	if strings.HasPrefix(c.Host, "/") {
		where = c.Host + " port " + strconv.Itoa(int(c.Port))
	}
	return fmt.Sprintf("server on %s", where)
}

// connStringError says what is wrong with a connection string without quoting
// it: a password may stand anywhere in it. A URI that cannot be taken apart has
// pieces of itself in the cause, too.
func connStringError(err error) error {
	reason := err.Error()
	if i := strings.LastIndex(reason, "`: "); i >= 0 {
		reason = reason[i+len("`: "):]
	}
	if strings.HasPrefix(reason, "failed to parse as URL") {
		reason = "it is not a URI: special characters in it, such as those of a password, must be percent-encoded"
	}
	return fmt.Errorf("could not understand the connection string: %s", oneLine(reason))
}

// connectAdvice says what to do about an error of the server's, by SQLSTATE.
var connectAdvice = map[string]string{
	"28P01": "check the user and the password, which can be in PGPASSWORD or in a password file",
	"28000": "check the user and what the server's pg_hba.conf allows",
	"3D000": "check the database name: any database of the server will do",
	"42501": "connect to a database that the role may connect to",
	"53300": "close connections or raise max_connections",
	"57P03": "wait until the server accepts connections",
}

// connectError names the server, each reason once, and what to do.
func connectError(server string, err error) error {
	reason := err
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		reason = connect.Unwrap()
	}
	advice := "check the host and the port and that the server runs"
	var pg *pgconn.PgError
	if errors.As(err, &pg) && connectAdvice[pg.Code] != "" {
		advice = connectAdvice[pg.Code]
	}
	return &connectionError{text: fmt.Sprintf("could not connect to the source %s: %s: %s", server, oneLine(reason.Error()), advice), err: err}
}

// connectionError has a text of its own, since that of the error it wraps has
// several lines.
type connectionError struct {
	text string
	err  error
}

func (e *connectionError) Error() string { return e.text }
func (e *connectionError) Unwrap() error { return e.err }

// oneLine joins the lines of a message and drops those that come again, as for
// an attempt with and one without TLS.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}
