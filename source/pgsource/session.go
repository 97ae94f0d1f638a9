package pgsource

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// session is a connection that is made again when it is lost, to the same
// server. One operation uses it at a time.
type session struct {
	pool      *pool
	connector *connector
	name      string    // of the server, for messages
	conn      *pgx.Conn // nil while there is none
	made      time.Time // when conn was
	pulse     *pulse    // of conn, or of the attempt to make one
	spare     int       // how many connections more the server had room for
	abandoned bool
}

// identity is what must not change between two connections.
type identity struct {
	version    *pgdata.Version
	system     uint64 // system identifier
	inRecovery bool
	timeline   string  // where a primary writes; empty on a standby
	made       float64 // when the data directory got its PG_VERSION; see identify

	spare int // how many more connections it has room for; not compared
}

// connect makes a connection, to the same server as before, and makes it safe.
// It gives up when nothing came for as long as limit.
func (s *session) connect(ctx context.Context, limit time.Duration) (err error) {
	s.pulse = new(pulse)
	ctx, stop := s.pulse.watch(ctx, limit)
	defer stop()
	s.pulse.wait() // also while no connection is there to wait at
	defer s.pulse.came(0)
	defer func() {
		if err != nil {
			s.drop()
		}
	}()

	pulse := s.pulse
	s.connector.around = func(dial pgconn.DialFunc) pgconn.DialFunc {
		if s.pool.dialer != nil {
			dial = s.pool.dialer(dial)
		}
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &watchedConn{conn, pulse}, nil
		}
	}
	conn, name, err := s.connector.connect(ctx)
	if err != nil {
		return silenced(ctx, limit, err)
	}
	s.conn, s.name, s.made = conn, name, time.Now()
	now, err := prepareSession(ctx, s.conn)
	if err != nil {
		return fmt.Errorf("source %s: %w", s.name, silenced(ctx, limit, err))
	}
	s.spare = now.spare
	if s.pool.server == nil {
		s.pool.server = now
		return nil
	}
	return s.pool.server.check(now, s.name)
}

// rawConn is what lies below a connection.
func rawConn(c *pgx.Conn) (_ *watchedConn, isTLS bool) {
	conn := c.PgConn().Conn()
	encrypted, isTLS := conn.(*tls.Conn)
	if isTLS {
		conn = encrypted.NetConn()
	}
	watched, _ := conn.(*watchedConn)
	return watched, isTLS
}

// drop closes what is left of a connection. One that is broken keeps its place
// on the server for a while, unless it is cut.
func (s *session) drop() {
	if s.conn == nil {
		return
	}
	if raw, _ := rawConn(s.conn); s.conn.IsClosed() && raw != nil {
		_ = raw.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = s.conn.Close(ctx) // it may be broken already
	s.conn = nil
}

const closeTimeout = 5 * time.Second

// sessionSQL makes the session safe. First names, operators among them, come to
// mean what they should; then nothing is written, no timeout of the role or the
// database ends a long copy, and nothing is compiled for queries that wait for
// files. Settings that a major does not have are not in its pg_settings.
const sessionSQL = `SELECT pg_catalog.set_config('search_path', '', false);
	SELECT pg_catalog.set_config(name, CASE name WHEN 'default_transaction_read_only' THEN 'on' ELSE '0' END, false)
	FROM pg_catalog.pg_settings
	WHERE name IN ('default_transaction_read_only', 'statement_timeout', 'lock_timeout',
		'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout', 'jit')`

// prepareSession makes the session safe, checks that the role may do what is
// needed, and tells which server it is.
func prepareSession(ctx context.Context, conn *pgx.Conn) (*identity, error) {
	if _, err := conn.Exec(ctx, sessionSQL); err != nil {
		return nil, err
	}
	id := new(identity)
	var num int
	var role string // the connection string's, unless a setting of that role changes it
	var super bool
	err := conn.QueryRow(ctx, `SELECT pg_catalog.current_setting('server_version_num')::int, rolname::text, rolsuper
		FROM pg_catalog.pg_roles WHERE rolname = current_user`).Scan(&num, &role, &super)
	if err != nil {
		return nil, err
	}
	if id.version, err = pgdata.VersionByServerNum(num); err != nil {
		return nil, err
	}
	if id.version.SQL.SuperuserOnly && !super {
		return nil, &PrivilegeError{Role: role, Superuser: true}
	}
	if err := checkPrivileges(ctx, conn, role); err != nil {
		return nil, err
	}
	return id, id.ask(ctx, conn)
}

// ask uses nothing but what the role was granted. Behind one address, that of a
// load balancer, there can be several standbys of one primary, alike in all that
// they say of themselves; but each got its files at a moment of its own.
func (id *identity) ask(ctx context.Context, conn *pgx.Conn) error {
	names := id.version.SQL
	var control []byte
	err := conn.QueryRow(ctx, fmt.Sprintf(`SELECT r, CASE WHEN r THEN '' ELSE pg_catalog.substr(pg_catalog.%s(pg_catalog.%s()), 1, 8) END,
			pg_catalog.pg_read_binary_file('global/pg_control', 0, 8, true),
			COALESCE(pg_catalog.date_part('epoch', f.change), pg_catalog.date_part('epoch', f.creation), 0),
			pg_catalog.current_setting('max_connections')::int - pg_catalog.current_setting('superuser_reserved_connections')::int
				- (SELECT pg_catalog.sum(pg_catalog.pg_stat_get_db_numbackends(oid)) FROM pg_catalog.pg_database)::int
		FROM pg_catalog.pg_is_in_recovery() r, pg_catalog.pg_stat_file('PG_VERSION', true) f`, names.WALFileName, names.FlushLSN)).
		Scan(&id.inRecovery, &id.timeline, &control, &id.made, &id.spare)
	if err == nil && len(control) != 8 {
		err = errors.New("its control file has no system identifier")
	}
	if err != nil {
		return err
	}
	id.system = binary.LittleEndian.Uint64(control) // pg_control begins with it
	return nil
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
	return fmt.Errorf("%w: after the connection to the %s was lost, %s: make sure that it stays the same server, then run gorewind again", source.ErrChanged, name, what)
}
