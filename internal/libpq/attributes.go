package libpq

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/source"
)

// sessionAttrs are the kinds of servers that target_session_attrs can ask for: a
// query, the accepted answer, and libpq's message for any other answer.
var sessionAttrs = map[string]struct{ query, want, otherwise string }{
	"read-write": {"SHOW transaction_read_only", "off", "session is read-only"},
	"read-only":  {"SHOW transaction_read_only", "on", "session is not read-only"},
	"primary":    {"SELECT pg_catalog.pg_is_in_recovery()", "f", "server is in hot standby mode"},
	"standby":    {"SELECT pg_catalog.pg_is_in_recovery()", "t", "server is not in hot standby mode"},
}

// passesFor returns what to ask of the servers, in the order in which all of them are
// tried.
func passesFor(attrs string) []string {
	if attrs == "prefer-standby" {
		return []string{"standby", "any"}
	}
	return []string{attrs}
}

// attrsOf returns the target_session_attrs for which pgx set a function, or an empty
// string for a caller's own function. pgx's functions panic if a server answers without
// a row, so the check here takes their place.
func attrsOf(validate pgconn.ValidateConnectFunc) string {
	for attrs, its := range map[string]pgconn.ValidateConnectFunc{
		"read-write":     pgconn.ValidateConnectTargetSessionAttrsReadWrite,
		"read-only":      pgconn.ValidateConnectTargetSessionAttrsReadOnly,
		"primary":        pgconn.ValidateConnectTargetSessionAttrsPrimary,
		"standby":        pgconn.ValidateConnectTargetSessionAttrsStandby,
		"prefer-standby": pgconn.ValidateConnectTargetSessionAttrsPreferStandby,
	} {
		if reflect.ValueOf(validate).Pointer() == reflect.ValueOf(its).Pointer() {
			return attrs
		}
	}
	return ""
}

// preferred is the first pass over the hosts of a caller's configuration: its own check
// must not say that another server would be preferred.
const preferred = "preferred"

// sessionAttrsError says that the server is of another kind than requested.
type sessionAttrsError struct{ text string }

func (e *sessionAttrsError) Error() string { return e.text }

// isOtherKind reports whether the server is of another kind than requested, by the check
// here or by the one that pgx makes for a caller's configuration.
func isOtherKind(err error) bool {
	_, is := err.(*sessionAttrsError) //nolint:errorlint // isAny unwraps
	return is || slices.Contains([]error{pgconn.ErrReadOnlyConnection, pgconn.ErrReadWriteConnection, pgconn.ErrPrimaryConnection, pgconn.ErrStandbyConnection}, err)
}

func checkSessionAttrs(ctx context.Context, conn *pgconn.PgConn, g Guard, attrs string) error {
	check, ok := sessionAttrs[attrs]
	if !ok {
		return nil // any
	}
	g.Expect(1)
	results, err := conn.Exec(ctx, check.query).ReadAll()
	if err != nil {
		return err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) != 1 {
		return fmt.Errorf("the server did not say whether it is a standby: %w", source.ErrUntrusted)
	}
	if string(results[0].Rows[0][0]) != check.want {
		return &sessionAttrsError{check.otherwise}
	}
	return nil
}
