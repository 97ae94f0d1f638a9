package pgsource

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/internal/libpq"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// Server is a live source. Its methods may be called from several goroutines,
// except for Close.
type Server struct {
	pool     *pool
	name     string
	version  *pgdata.Version
	encoding string                // of the database
	spare    func(dir string) bool // see Spare
}

// Spare leaves the contents of some directories out of listings: if a server may not
// read one of them, the whole listing fails.
func (s *Server) Spare(spared func(dir string) bool) { s.spare = spared }

var _ source.Source = (*Server)(nil)

// Open connects to a server and checks its version and the role's privileges.
// connString is a libpq connection string, keywords and values or a URI. What it leaves
// out comes from the same places as in libpq: a service file, the PG* environment
// variables, a password file. No error contains a password.
//
// Opening is tried once; if another attempt may help, the error wraps
// source.ErrUnavailable. Every later operation survives the loss of its connection
// and continues from where it was, as long as the server comes back within the
// timeout and is the same one: address, system, major, role, timeline, and the same
// run of the server or one that began since. Otherwise the error wraps
// source.ErrChanged. Behind a pooler that pools transactions it wraps
// source.ErrPooled.
func Open(ctx context.Context, connString string, opts Options) (*Server, error) {
	connector, err := libpq.New(connString, opts.libpq())
	if err != nil {
		return nil, err
	}
	return open(ctx, connector, opts)
}

// OpenConfig is Open with a configuration of pgx, from pgx.ParseConfig or
// pgconn.ParseConfig; for a *pgx.ConnConfig c, pass &c.Config. It is not modified,
// and it is complete: nothing is taken from the environment or from files. What
// is set in Options overrides it.
//
// Its functions are used: DialFunc, LookupFunc, and ValidateConnect and AfterConnect,
// which may run a few queries with short answers. A function that pgx set for
// target_session_attrs is replaced by the check that Open makes. Notifications are not passed on,
// and the session has its own settings (search_path, client_encoding and the like).
//
// Server.ConnInfo then contains what text can express: certificates in memory it cannot.
func OpenConfig(ctx context.Context, config *pgconn.Config, opts Options) (*Server, error) {
	connector, err := libpq.FromConfig(config, opts.libpq())
	if err != nil {
		return nil, err
	}
	return open(ctx, connector, opts)
}

func open(ctx context.Context, connector *libpq.Connector, opts Options) (*Server, error) {
	p := newPool(connector, opts)
	first, err := p.open(ctx)
	if err != nil {
		p.closed()
		if ctx.Err() == nil && isTemporary(err) {
			err = &unavailableError{err}
		}
		return nil, err
	}
	return &Server{pool: p, name: first.name, version: p.server.version, encoding: first.conn.pg.PgConn().ParameterStatus("server_encoding")}, nil
}

// Close ends the connections. It must be the last call.
func (s *Server) Close() error {
	if s.pool != nil {
		s.pool.close()
	}
	return nil
}

func (s *Server) String() string { return s.name }

var _ source.Waiter = (*Server)(nil)

// Waiting is how long connections have been lost without progress.
func (s *Server) Waiting() time.Duration { return s.pool.outage.waiting() }

// ConnInfo is the connection string that "pg_rewind -R" of the server's major
// writes as primary_conninfo (GenerateRecoveryConfig in fe_utils/recovery_gen.c):
// every option of the connection, including defaults, and the password if the
// connection string or PGPASSWORD had it. From Options.TLS it has only that TLS is used
// and whether the server is verified, and it has nothing of a dialer or of the result of
// Options.Password. It is not yet quoted for a configuration file.
func (s *Server) ConnInfo() string { return s.pool.connector.ConnInfo(s.version.ServerNum) }

// Version is the server's major.
func (s *Server) Version() *pgdata.Version { return s.version }

// neededFunctions are those that read files on the server, and those that identify it.
// The latter may be executed by everybody unless that was revoked.
var neededFunctions = []string{
	"pg_catalog.pg_ls_dir(text, boolean, boolean)",
	"pg_catalog.pg_stat_file(text, boolean)",
	"pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)",
	"pg_catalog.pg_postmaster_start_time()",
	"pg_catalog.pg_lock_status()",
	"pg_catalog.pg_try_advisory_lock_shared(bigint)",
}

// PrivilegeError lists all that the role lacks.
type PrivilegeError struct {
	Role      string
	Superuser bool     // the major needs a superuser
	Functions []string // functions that the role may not execute
}

func (e *PrivilegeError) Error() string {
	if e.Superuser {
		return fmt.Sprintf("role %q must be a superuser: up to PostgreSQL 10 only a superuser can read files on the server; as a superuser, run: %s", e.Role, e.Grants()[0])
	}
	return fmt.Sprintf("role %q lacks privileges; as a superuser, run: %s", e.Role, strings.Join(e.Grants(), " "))
}

// Unwrap gives source.ErrPrivilege.
func (e *PrivilegeError) Unwrap() error { return source.ErrPrivilege }

// Grants are the SQL statements that give the role what it lacks.
func (e *PrivilegeError) Grants() []string {
	if e.Superuser {
		return []string{fmt.Sprintf("ALTER ROLE %s SUPERUSER;", pgx.Identifier{e.Role}.Sanitize())}
	}
	grants := make([]string, len(e.Functions))
	for i, f := range e.Functions {
		grants[i] = fmt.Sprintf("GRANT EXECUTE ON FUNCTION %s TO %s;", f, pgx.Identifier{e.Role}.Sanitize())
	}
	return grants
}

// do runs an operation on a free connection. When that is lost or silent,
// f runs again on a new one, until it ends or the timeout is over, so an incomplete
// run must have no effect. f must not call do.
func (s *Server) do(ctx context.Context, f func(ctx context.Context, conn *conn) error) error {
	return s.pool.do(ctx, f)
}

// maxControlFile is how much of a control file is read; it has 8 kB. In an answer it
// may be in hexadecimal.
const maxControlFile = 64 << 10

var stateAnswer = answer{rows: 1, width: 2*maxControlFile + 4<<10}

// State asks the server where it is now.
func (s *Server) State(ctx context.Context) (source.State, error) {
	names := s.version.SQL
	st := source.State{Live: true}
	var flush, receive, replay, tli string
	query := fmt.Sprintf(`SELECT pg_catalog.pg_read_binary_file('global/pg_control', 0, %[5]d, true), r, pg_catalog.current_setting('full_page_writes')::bool,
			CASE WHEN r THEN '0/0' ELSE pg_catalog.%[1]s()::text END,
			COALESCE(CASE WHEN r THEN pg_catalog.%[3]s()::text END, '0/0'),
			COALESCE(CASE WHEN r THEN pg_catalog.%[4]s()::text END, '0/0'),
			CASE WHEN r THEN '00000000' ELSE pg_catalog.substr(pg_catalog.%[2]s(pg_catalog.%[1]s()), 1, 8) END
		FROM pg_catalog.pg_is_in_recovery() r`, names.FlushLSN, names.WALFileName, names.ReceiveLSN, names.ReplayLSN, maxControlFile)
	err := s.do(ctx, func(ctx context.Context, conn *conn) error {
		return conn.row(ctx, stateAnswer, []any{&st.Control, &st.InRecovery, &st.FullPageWrites, &flush, &receive, &replay, &tli}, query)
	})
	for text, lsn := range map[*string]*pgdata.LSN{&flush: &st.FlushLSN, &receive: &st.ReceiveLSN, &replay: &st.ReplayLSN} {
		if err == nil {
			*lsn, err = pgdata.ParseLSN(*text)
		}
	}
	if err == nil {
		var n uint64
		n, err = strconv.ParseUint(tli, 16, 32)
		st.Timeline = pgdata.TimelineID(n)
	}
	if err != nil {
		return st, fmt.Errorf("could not ask the source %s for its state: %w", s.name, err)
	}
	return st, nil
}

// ReadFile reads in pieces of readPiece, at most maxSmallFile bytes, which is more than
// control files and timeline histories ever need.
const (
	readPiece    = 64 << 10
	maxSmallFile = 4 << 20
)

// ReadFile reads a complete small file.
func (s *Server) ReadFile(ctx context.Context, path string) ([]byte, error) {
	var file []byte
	for len(file) < maxSmallFile {
		b, err := source.ReadRange(ctx, s, source.Range{Path: path, Offset: int64(len(file)), Length: readPiece})
		file = append(file, b...)
		if err != nil || len(b) < readPiece {
			return file, err
		}
	}
	return nil, fmt.Errorf("file %q of the source is larger than %d bytes, which it should not be", path, maxSmallFile)
}
