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

// session is a connection that is made again when it is lost, to the same
// server. One operation uses it at a time.
type session struct {
	pool      *pool
	connector *libpq.Connector
	name      string        // of the server, for messages
	conn      *conn         // nil while there is none
	made      time.Time     // when conn was
	prepared  bool          // conn knows fetchSQL
	watchdog  *watchdog     // of conn, or of the attempt to make one
	answered  time.Duration // how long the first answer took
	spare     int           // how many connections more the server had room for
	run       *postmaster   // of conn
	clock     time.Time     // the server's, when it was ...
	clockRead time.Time     // ... so late here, at the latest
	pooled    bool          // a pooler is in between, and something to be put back
	member    bool          // it is one of those that the pool counts
	abandoned bool
}

// identity is what must not change between two connections.
type identity struct {
	version    *pgdata.Version
	system     uint64 // system identifier
	inRecovery bool
	timeline   string  // where a primary writes; empty on a standby
	made       float64 // when the data directory got its PG_VERSION; see identify

	// What follows is not compared by check.
	spare     int // how many more connections it has room for
	run       postmaster
	clock     time.Time // the server's
	backend   int64     // its process
	witnessed bool      // another session holds the lock; see proof
	holds     *bool     // nil: this one does not hold it
}

// connect makes a connection, to the same server as before, and makes it safe.
// It gives up after the limit, and when nothing came for as long after that.
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
	if err := s.settle(ctx, now); err != nil {
		return silenced(ctx, limit, err)
	}
	if s.pool.server == nil {
		s.pool.server = now
	}
	return nil
}

// drop closes what is left of a connection. One that is broken keeps its place
// on the server for a while, unless it is cut.
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

// sessionSQL makes the session safe. First names, operators among them, come to
// mean what they should; then nothing is written, no timeout of the role or the
// database ends a long copy, nothing is compiled for queries that wait for files,
// and bytes are written in the way that is read here. Settings that a major does
// not have are passed over. They stay set unless %s says that they are for the
// transaction only.
var sessionSQL = []string{
	`SELECT pg_catalog.set_config('search_path', '', %s)`,
	`SELECT pg_catalog.set_config(name, value, %s)
	FROM (VALUES ('default_transaction_read_only', 'on'), ('bytea_output', 'hex'), ('statement_timeout', '0'), ('lock_timeout', '0'),
		('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'), ('transaction_timeout', '0'), ('jit', 'off')) AS s (name, value)
	WHERE pg_catalog.current_setting(name, true) IS NOT NULL`,
}

// maxSettings is how many a statement of sessionSQL sets at most.
const maxSettings = 16

// safely begins what is asked of a new session with what makes it safe, for one
// transaction where local, in SQL, is true.
func safely(local string) *batch {
	b := new(batch)
	for _, sql := range sessionSQL {
		b.ask(answer{rows: maxSettings, width: 1 << 10}, fmt.Sprintf(sql, local))
	}
	return b
}

// send asks all of it at once. That the session is safe is in the answer first.
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
// needed, and tells which server it is. All of that is one question, in the words
// of the version that the server said it has. It is asked again where a pooler
// said that.
func prepareSession(ctx context.Context, conn *conn, p *proof) (*identity, error) {
	id, said := new(identity), versionOf(conn.pg.PgConn().ParameterStatus("server_version"))
	err := id.ask(ctx, conn, said, p)
	if err != nil && id.version != nil && id.version != said {
		err = id.ask(ctx, conn, id.version, p)
	}
	return id, err
}

// versionOf understands server_version as far as libpq does (PQserverVersion,
// fe-connect.c). What it does not understand may be any version.
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

// ask uses nothing but what the role was granted. Behind one address, that of a
// load balancer, there can be several standbys of one primary, alike in all that
// they say of themselves; but most got their files at a moment of their own, and
// each has a postmaster of its own.
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
	var role string // the connection string's, unless a setting of that role changes it
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

// check compares the server with what it was.
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
