package pgsource

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// Server is a live source. One operation uses its connection at a time.
type Server struct {
	mu      sync.Mutex
	conn    *pgx.Conn
	version *pgdata.Version
	name    string
}

var _ source.Live = (*Server)(nil)

// Open connects to a server and checks its version and the role's privileges.
// connString is a libpq connection string, keyword/value or URI; what it leaves
// open comes from the PG* environment variables. No error holds a password.
func Open(ctx context.Context, connString string) (*Server, error) {
	config, err := pgx.ParseConfig(connString)
	if err != nil {
		return nil, connStringError(err)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "gorewind"
	}
	// File names are bytes; with this encoding no server converts them.
	config.RuntimeParams["client_encoding"] = "SQL_ASCII"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, connectError(serverName(config), err)
	}
	s := &Server{conn: conn, name: serverName(config)}
	if err := s.prepareSession(ctx); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("source %s: %w", s.name, err)
	}
	return s, nil
}

// Close ends the connection.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return s.conn.Close(ctx)
}

func (s *Server) String() string { return s.name }

// Version is the server's major.
func (s *Server) Version() *pgdata.Version { return s.version }

// sessionSQL makes the session safe. First names, operators among them, come to
// mean what they should; then nothing is written, no timeout of the role or the
// database ends a long copy, and nothing is compiled for queries that wait for
// files. Settings that a major does not have are not in its pg_settings.
const sessionSQL = `SELECT pg_catalog.set_config('search_path', '', false);
	SELECT pg_catalog.set_config(name, CASE name WHEN 'default_transaction_read_only' THEN 'on' ELSE '0' END, false)
	FROM pg_catalog.pg_settings
	WHERE name IN ('default_transaction_read_only', 'statement_timeout', 'lock_timeout',
		'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout', 'jit')`

func (s *Server) prepareSession(ctx context.Context) error {
	if _, err := s.conn.Exec(ctx, sessionSQL); err != nil {
		return err
	}
	var num int
	var role string // the connection string's, unless a setting of that role changes it
	var super bool
	err := s.conn.QueryRow(ctx, `SELECT pg_catalog.current_setting('server_version_num')::int, rolname::text, rolsuper
		FROM pg_catalog.pg_roles WHERE rolname = current_user`).Scan(&num, &role, &super)
	if err != nil {
		return err
	}
	if s.version, err = pgdata.VersionByServerNum(num); err != nil {
		return err
	}
	if s.version.SQL.SuperuserOnly && !super {
		return &PrivilegeError{Role: role, Superuser: true}
	}
	return s.checkPrivileges(ctx, role)
}

// neededFunctions are those that read files on the server.
var neededFunctions = []string{
	"pg_catalog.pg_ls_dir(text, boolean, boolean)",
	"pg_catalog.pg_stat_file(text, boolean)",
	"pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)",
}

func (s *Server) checkPrivileges(ctx context.Context, role string) error {
	rows, err := s.conn.Query(ctx, `SELECT f FROM pg_catalog.unnest($1::text[]) f
		WHERE NOT pg_catalog.has_function_privilege(f, 'EXECUTE')`, neededFunctions)
	if err != nil {
		return err
	}
	missing, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err == nil && len(missing) > 0 {
		err = &PrivilegeError{Role: role, Functions: missing}
	}
	return err
}

// PrivilegeError says what the role lacks, all of it at once.
type PrivilegeError struct {
	Role      string
	Superuser bool     // the major needs a superuser
	Functions []string // functions that the role may not execute
}

func (e *PrivilegeError) Error() string {
	if e.Superuser {
		return fmt.Sprintf("role %q must be a superuser: up to PostgreSQL 10 only a superuser can read files on the server", e.Role)
	}
	return fmt.Sprintf("role %q lacks privileges; as a superuser, run: %s", e.Role, strings.Join(e.Grants(), " "))
}

// Grants are the SQL statements that give the role what it lacks.
func (e *PrivilegeError) Grants() []string {
	grants := make([]string, len(e.Functions))
	for i, f := range e.Functions {
		grants[i] = fmt.Sprintf("GRANT EXECUTE ON FUNCTION %s TO %s;", f, pgx.Identifier{e.Role}.Sanitize())
	}
	return grants
}

// State asks the server where it is now.
func (s *Server) State(ctx context.Context) (source.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := s.version.SQL
	var st source.State
	var lsn, tli string
	err := s.conn.QueryRow(ctx, fmt.Sprintf(`SELECT r, pg_catalog.current_setting('full_page_writes')::bool,
			CASE WHEN r THEN '0/0' ELSE pg_catalog.%[1]s()::text END,
			CASE WHEN r THEN '00000000' ELSE pg_catalog.substr(pg_catalog.%[2]s(pg_catalog.%[1]s()), 1, 8) END
		FROM pg_catalog.pg_is_in_recovery() r`, names.FlushLSN, names.WALFileName)).
		Scan(&st.InRecovery, &st.FullPageWrites, &lsn, &tli)
	if err == nil {
		st.FlushLSN, err = pgdata.ParseLSN(lsn)
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
	maxSmallFile = 16 << 20
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
