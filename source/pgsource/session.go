package pgsource

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gorewind/gorewind/internal/libpq"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// session is a connection that is reopened, to the same server, when it is lost.
// One operation uses it at a time.
type session struct {
	pool      *pool
	connector *libpq.Connector
	name      string        // of the server, for messages
	conn      *conn         // nil while there is none
	made      time.Time     // when conn was opened
	prepared  bool          // conn has prepared fetchSQL
	watchdog  *watchdog     // of conn, or of the attempt to open it
	answered  time.Duration // how long the first answer took
	spare     int           // how many more connections the server had room for
	run       *postmaster   // of conn
	clock     time.Time     // the server's time, read ...
	clockRead time.Time     // ... at this local time at the latest
	pooled    bool          // there is a pooler in between, and settings to be reset
	member    bool          // the pool counts it
	abandoned bool
}

// identity is what must not change between two connections.
type identity struct {
	version    *pgdata.Version
	system     uint64 // system identifier
	inRecovery bool
	timeline   string  // where a primary writes; empty on a standby
	made       float64 // when PG_VERSION of the data directory was created; see ask

	// check does not compare the rest.
	spare     int // how many more connections it has room for
	run       postmaster
	clock     time.Time // the server's time
	backend   int64     // the process ID of the session's backend
	witnessed bool      // another session holds the lock; see proof
	holds     *bool     // nil: this session does not hold it
}

// connect opens a connection, to the same server as before, and makes it safe.
// It gives up after the limit, or when there was no progress for that long.
func (s *session) connect(ctx context.Context, limit time.Duration) (err error) {
	s.watchdog = new(watchdog)
	defer func() {
		if err != nil {
			s.drop()
		}
	}()

	conn, name, err := connect(ctx, s.connector, s.watchdog, limit)
	if err != nil {
		return err
	}
	s.conn, s.name, s.made, s.prepared, s.pooled = conn, name, time.Now(), false, false
	ctx, stop := s.watchdog.watch(ctx, limit)
	defer stop()
	now, err := prepareSession(ctx, s.conn, s.pool.proof)
	s.answered = time.Since(s.made)
	if err != nil {
		return fmt.Errorf("source %s: %w", s.name, silenced(ctx, limit, err))
	}
	s.spare = now.spare
	if s.pool.server != nil {
		if err := s.pool.server.check(now, s.name); err != nil {
			return err
		}
	}
	if err := s.makeReady(ctx, now); err != nil {
		return silenced(ctx, limit, err)
	}
	if s.pool.server == nil {
		s.pool.server = now
	}
	return nil
}

// drop closes what is left of a connection. A broken one would keep its slot
// on the server for a while if it were not cut.
func (s *session) drop() {
	if s.conn == nil {
		return
	}
	if s.conn.pg.IsClosed() {
		_ = s.conn.socket.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	s.putBack(ctx)
	_ = s.conn.pg.Close(ctx) // it may be broken already
	s.conn = nil
}

const closeTimeout = 5 * time.Second

// sessionSQL makes the session safe. First, names, including operators, are fixed to
// mean what they should. Then nothing can be written, no timeout of the role or the
// database ends a long copy, queries that wait for files are not JIT-compiled,
// and bytes are written in the format that is parsed here. Settings that a major does
// not have are skipped. The settings last for the session unless %s makes them local
// to the transaction.
var sessionSQL = []string{
	`SELECT pg_catalog.set_config('search_path', '', %s)`,
	`SELECT pg_catalog.set_config(name, value, %s)
	FROM (VALUES ('default_transaction_read_only', 'on'), ('bytea_output', 'hex'), ('statement_timeout', '0'), ('lock_timeout', '0'),
		('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'), ('transaction_timeout', '0'), ('jit', 'off')) AS s (name, value)
	WHERE pg_catalog.current_setting(name, true) IS NOT NULL`,
}

// maxSettings is the most settings that a statement of sessionSQL sets.
const maxSettings = 16

// safely starts the queries for a new session with those that make it safe, for one
// transaction if local, in SQL, is true.
func safely(local string) *batch {
	b := new(batch)
	for _, sql := range sessionSQL {
		b.ask(answer{rows: maxSettings, width: 1 << 10}, fmt.Sprintf(sql, local))
	}
	return b
}

// send sends the whole batch at once. The answer shows first that the session is safe.
func send(ctx context.Context, conn *conn, b *batch) (pgx.BatchResults, error) {
	answers := conn.send(ctx, b)
	for range sessionSQL {
		if _, err := answers.Exec(); err != nil {
			_ = answers.Close()
			return nil, err
		}
	}
	return answers, nil
}

// prepareSession makes the session safe, checks that the role may do what is
// needed, and identifies the server. All of that is one batch, written for the
// version that the server reported. It is repeated if a pooler reported that
// version and the server has another one.
func prepareSession(ctx context.Context, conn *conn, p *proof) (*identity, error) {
	id, said := new(identity), versionOf(conn.pg.PgConn().ParameterStatus("server_version"))
	err := id.ask(ctx, conn, said, p)
	if err != nil && id.version != nil && id.version != said {
		err = id.ask(ctx, conn, id.version, p)
	}
	return id, err
}

// versionOf parses server_version as far as libpq does (PQserverVersion,
// fe-connect.c). What it cannot parse may be any version.
func versionOf(said string) *pgdata.Version {
	var major, minor int
	_, _ = fmt.Sscanf(said, "%d.%d", &major, &minor)
	num := major * 10000
	if major < 10 {
		num += minor * 100
	}
	if v, err := pgdata.VersionByServerNum(num); err == nil {
		return v
	}
	return pgdata.Versions()[0]
}

// ask uses only privileges that the role was granted. Behind one address, that of a
// load balancer, there can be several standbys of one primary, identical in all that
// they report about themselves. But most got their files at different moments, and
// each has its own postmaster.
func (id *identity) ask(ctx context.Context, conn *conn, said *pgdata.Version, p *proof) (err error) {
	b := safely(inProcess(int64(conn.pg.PgConn().PID())))
	b.ask(oneRow, `SELECT pg_catalog.current_setting('server_version_num')::int, rolname::text, rolsuper
		FROM pg_catalog.pg_roles WHERE rolname = current_user`)
	b.ask(answer{rows: len(neededFunctions), width: nameWidth}, `SELECT f FROM pg_catalog.unnest($1::text[]) f WHERE NOT pg_catalog.has_function_privilege(f, 'EXECUTE')`, neededFunctions)
	b.ask(oneRow, fmt.Sprintf(`SELECT r, CASE WHEN r THEN '' ELSE pg_catalog.substr(pg_catalog.%s(pg_catalog.%s()), 1, 8) END,
			pg_catalog.pg_read_binary_file('global/pg_control', 0, 8, true),
			COALESCE(pg_catalog.date_part('epoch', f.change), pg_catalog.date_part('epoch', f.creation), 0),
			pg_catalog.current_setting('max_connections')::int - pg_catalog.current_setting('superuser_reserved_connections')::int
				- (SELECT pg_catalog.sum(pg_catalog.pg_stat_get_db_numbackends(oid)) FROM pg_catalog.pg_database)::int
		FROM pg_catalog.pg_is_in_recovery() r, pg_catalog.pg_stat_file('PG_VERSION', true) f`, said.SQL.WALFileName, said.SQL.FlushLSN))
	b.ask(runAnswer, p.askSQL(conn))
	answers, err := send(ctx, conn, b)
	if err != nil {
		return err
	}
	defer func() {
		if closed := answers.Close(); err == nil {
			err = closed
		}
	}()

	var num int
	var role string // the one in the connection string, unless one of its settings changes it
	var super bool
	if err := answers.QueryRow().Scan(&num, &role, &super); err != nil {
		return err
	}
	if id.version, err = pgdata.VersionByServerNum(num); err != nil {
		return err
	}
	if id.version.SQL.SuperuserOnly && !super {
		return &PrivilegeError{Role: role, Superuser: true}
	}
	rows, err := answers.Query()
	if err != nil {
		return err
	}
	switch missing, err := pgx.CollectRows(rows, pgx.RowTo[string]); {
	case err != nil:
		return err
	case len(missing) > 0:
		return &PrivilegeError{Role: role, Functions: missing}
	}
	var control []byte
	if err := answers.QueryRow().Scan(&id.inRecovery, &id.timeline, &control, &id.made, &id.spare); err != nil {
		return err
	}
	if len(control) != 8 {
		return errors.New("its control file has no system identifier")
	}
	id.system = binary.LittleEndian.Uint64(control) // pg_control begins with it
	return id.readRun(answers.QueryRow())
}

// check compares the server with what it was before.
func (id *identity) check(now *identity, name string) error {
	var what string
	switch {
	case now.system != id.system:
		what = fmt.Sprintf("its system identifier is %d and was %d", now.system, id.system)
	case now.version != id.version:
		what = fmt.Sprintf("it runs PostgreSQL %s and ran %s", now.version, id.version)
	case now.inRecovery && !id.inRecovery:
		what = "it is a standby and was a primary"
	case id.inRecovery && !now.inRecovery:
		what = "it was promoted"
	case now.timeline != id.timeline:
		what = fmt.Sprintf("it writes on timeline %s and wrote on %s", now.timeline, id.timeline)
	case now.made != id.made:
		what = "its data directory is another one"
	default:
		return nil
	}
	return fmt.Errorf("%w: a new connection to the %s shows that %s: make sure that its address leads to one server, and that it stays the same one, then run gorewind again", source.ErrChanged, name, what)
}
