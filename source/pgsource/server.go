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

// Spare leaves what is in some directories out of listings: a server that may not
// read one gives no list at all.
func (s *Server) Spare(spared func(dir string) bool) { s.spare = spared }

var _ source.Source = (*Server)(nil)

// Open connects to a server and checks its version and the role's privileges.
// connString is what libpq takes, keywords and values or a URI; what it leaves
// open comes from the same places as in libpq: a service file, the PG*
// environment variables, a password file. No error holds a password.
//
// Opening is tried once; where trying again may help, the error wraps
// source.ErrUnavailable. Every operation later on survives the loss of its
// connection and goes on from where it was, as long as the server comes back
// within the timeout and is the same one: address, system, major, role, timeline,
// and the same run of it or one that began since. If it is not, the error wraps
// source.ErrChanged. Behind a pooler that pools transactions it wraps
// source.ErrPooled.
func Open(ctx context.Context, connString string, opts Options) (*Server, error) {
	connector, err := libpq.New(connString, opts.libpq())
	if err != nil {
		return nil, err
	}
	return open(ctx, connector, opts)
}

// OpenConfig is Open with a configuration of pgx, as pgx.ParseConfig and
// pgconn.ParseConfig make it; of a *pgx.ConnConfig that is &c.Config. It is not changed,
// and says all: nothing is taken from the environment or from files any more. What
// Options have takes the place of what it has.
//
// Its functions are used: DialFunc, LookupFunc, and ValidateConnect and AfterConnect,
// which may ask a few questions with short answers. What is notified is not passed on,
// and the session has settings of its own (search_path, client_encoding and the like).
//
// Server.ConnInfo then has what can be said in words: certificates in memory cannot.
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

// Close ends the connections. It is the last call.
func (s *Server) Close() error {
	s.pool.close()
	return nil
}

func (s *Server) String() string { return s.name }

var _ source.Waiter = (*Server)(nil)

// Waiting tells for how long connections were lost and nothing came.
func (s *Server) Waiting() time.Duration { return s.pool.outage.waiting() }

// ConnInfo is the connection string that "pg_rewind -R" of the server's major
// writes as primary_conninfo (GenerateRecoveryConfig in fe_utils/recovery_gen.c):
// every option of the connection, defaults included, and the password if the
// connection string or PGPASSWORD had it. Of Options.TLS it has that there is TLS and
// whether the server is verified, and nothing of a dialer or of what Options.Password
// said. It is not yet quoted for a configuration file.
func (s *Server) ConnInfo() string { return s.pool.connector.ConnInfo(s.version.ServerNum) }

// Version is the server's major.
func (s *Server) Version() *pgdata.Version { return s.version }

// neededFunctions are those that read files on the server, and those that tell it
// from another one. These are everybody's, unless somebody took them away.
var neededFunctions = []string{
	"pg_catalog.pg_ls_dir(text, boolean, boolean)",
	"pg_catalog.pg_stat_file(text, boolean)",
	"pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)",
	"pg_catalog.pg_postmaster_start_time()",
	"pg_catalog.pg_lock_status()",
	"pg_catalog.pg_try_advisory_lock_shared(bigint)",
}

// PrivilegeError says what the role lacks, all of it at once.
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

// do runs an operation on a connection that is free. When that is lost or silent,
// f runs again on a new one, until it ends or the timeout is over: what it did
// before must not matter then. It must not call do.
func (s *Server) do(ctx context.Context, f func(ctx context.Context, conn *conn) error) error {
	return s.pool.do(ctx, f)
}

// maxControlFile is how much of a control file is read; it has 8 kB. In an answer it
// can be in hexadecimal.
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

// ReadFile reads in pieces of readPiece up to maxSmallFile, more than control
// files and timeline histories ever need.
const (
	readPiece    = 64 << 10
	maxSmallFile = 4 << 20
)

// ReadFile reads a small file whole.
func (s *Server) ReadFile(ctx context.Context, path string) ([]byte, error) {
	var file []byte
	for len(file) < maxSmallFile {
		b, err := source.ReadRange(ctx, s, source.Range{Path: path, Offset: int64(len(file)), Length: readPiece})
		file = append(file, b...)
		if err != nil || len(b) < readPiece {
			return file, err
		}
	}
	return nil, fmt.Errorf("file %q of the source is larger than %d bytes, which is not what it should be", path, maxSmallFile)
}
