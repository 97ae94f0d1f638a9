package pgsource

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gorewind/gorewind/internal/sanitize"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

var _ source.Namer = (*Server)(nil)

// relationSQL names relations by tablespace and file. The server knows which
// tablespace is the database's own, and the files of relations that the catalog does not
// record (pg_filenode_relation, utils/adt/dbsize.c). An index belongs to its table,
// and a toast table and its index to the table whose values it holds.
const relationSQL = `WITH found AS (
		SELECT i, pg_catalog.pg_filenode_relation(spc, rel) AS oid
		FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.oid[])) WITH ORDINALITY AS u (spc, rel, i)
	), indexed AS (
		SELECT i, c.relname, c.relkind, COALESCE(x.indrelid, c.oid) AS owner, x.indrelid IS NOT NULL AS isindex
		FROM found JOIN pg_catalog.pg_class c ON c.oid = found.oid LEFT JOIN pg_catalog.pg_index x ON x.indexrelid = c.oid
	)
	SELECT i, indexed.relkind::text, toasted.oid IS NOT NULL, pg_catalog.quote_ident(n.nspname), pg_catalog.quote_ident(indexed.relname),
		CASE WHEN isindex OR toasted.oid IS NOT NULL THEN pg_catalog.quote_ident(t.relname) ELSE '' END
	FROM indexed LEFT JOIN pg_catalog.pg_class toasted ON toasted.reltoastrelid = owner
		JOIN pg_catalog.pg_class t ON t.oid = COALESCE(toasted.oid, owner)
		JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace`

// nameWidth is the most bytes of a row with a few names: each has 63 bytes,
// or twice that in quotes.
const nameWidth = 1 << 10

// ofNames limits the answer to a query for all databases, tablespaces or slots: as many
// as there can be slots (262143), with no more bytes of names than can be
// kept.
var ofNames = answer{rows: 1 << 18, width: nameWidth, bytes: 16 << 20}

// kinds are the kinds of relations that have files (relkind, catalog/pg_class.h).
var kinds = map[string]source.RelationKind{
	"r": source.Table, "i": source.Index, "S": source.Sequence, "m": source.MaterializedView, "t": source.ToastTable,
}

// RelationNames connects to every database that has one of the relations, one
// after the other, with the same settings as to the server itself.
func (s *Server) RelationNames(ctx context.Context, locators []pgdata.RelFileLocator) (map[pgdata.RelFileLocator]source.RelationName, error) {
	databases, err := s.databases(ctx)
	if err != nil {
		return nil, err
	}
	wanted := map[uint32][]pgdata.RelFileLocator{}
	for _, l := range locators {
		wanted[l.Database] = append(wanted[l.Database], l)
	}
	names := map[pgdata.RelFileLocator]source.RelationName{}
	for _, oid := range slices.Sorted(maps.Keys(wanted)) {
		db, known := databases[oid]
		err = nil
		switch {
		case oid == 0:
			err = s.do(ctx, func(ctx context.Context, conn *conn) error {
				return nameRelations(ctx, conn, "", wanted[oid], names)
			})
		case known && db.connectable:
			err = s.nameInDatabase(ctx, db, wanted[oid], names)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			s.pool.log.Debug(fmt.Sprintf("could not name the relations of database %s: %s", db.quoted, sanitize.OneLine(err.Error())), "database", db.quoted, "error", err)
			if isTemporary(err) {
				break // the next database would fail as well
			}
		}
	}
	return names, nil
}

// patience is how long connecting to another database may take. The names are
// optional, and a pooler may have no connection left.
const patience = 10 * time.Second

// nameInDatabase asks for the names on a connection to the database.
func (s *Server) nameInDatabase(ctx context.Context, db database, wanted []pgdata.RelFileLocator, names map[pgdata.RelFileLocator]source.RelationName) error {
	return s.inDatabase(ctx, db, func(ctx context.Context, conn *conn) error {
		return nameRelations(ctx, conn, db.quoted, wanted, names)
	})
}

// inDatabase runs queries on a connection to a database, in a read-only transaction.
// There the role needs none of the privileges for reading files.
func (s *Server) inDatabase(ctx context.Context, db database, ask func(context.Context, *conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.pool.timeout/2)
	defer cancel()
	c := s.connector()
	c.SetDatabase(db.name)
	c.SetParameter("client_encoding", "UTF8")
	conn, _, err := connect(ctx, c, new(watchdog), min(s.pool.timeout/4, patience))
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		_ = conn.pg.Close(ctx)
	}()
	// Behind a pooler, another database may be on another server, and its sessions may
	// not be kept apart: settings last only for the transaction.
	if err := conn.exec(ctx, "BEGIN READ ONLY"); err != nil {
		return err
	}
	defer func() { _ = conn.exec(ctx, "ROLLBACK") }()
	b := safely("true")
	b.ask(oneRow, `SELECT d.oid = $1 AND c.system_identifier = $2 FROM pg_catalog.pg_database d, pg_catalog.pg_control_system() c
		WHERE d.datname = pg_catalog.current_database()`, db.oid, int64(s.pool.server.system))
	answers, err := send(ctx, conn, b)
	if err != nil {
		return err
	}
	var same bool
	err = answers.QueryRow().Scan(&same)
	if closed := answers.Close(); err == nil {
		err = closed
	}
	if err == nil && same {
		same, err = s.pool.proof.same(ctx, conn)
	}
	if err == nil && !same {
		err = errors.New("it is not a database of the server")
	}
	if err != nil {
		return err
	}
	return ask(ctx, conn)
}

func nameRelations(ctx context.Context, conn *conn, database string, wanted []pgdata.RelFileLocator, names map[pgdata.RelFileLocator]source.RelationName) error {
	tablespaces, relations := make([]uint32, len(wanted)), make([]uint32, len(wanted))
	for i, l := range wanted {
		tablespaces[i], relations[i] = l.Tablespace, l.Relation
	}
	var i int
	var kind string
	var toast bool
	n := source.RelationName{Database: database}
	return conn.each(ctx, answer{rows: len(wanted), width: nameWidth}, []any{&i, &kind, &toast, &n.Schema, &n.Name, &n.Table}, func() error {
		if i < 1 || i > len(wanted) {
			return errors.New("the source named a relation that it was not asked for")
		}
		if n.Kind = kinds[kind]; n.Kind == source.Index && toast {
			n.Kind = source.ToastIndex
		}
		if n.Kind != "" {
			names[wanted[i-1]] = source.RelationName{
				Database: n.Database, Schema: printable(n.Schema), Name: printable(n.Name), Kind: n.Kind, Table: printable(n.Table),
			}
		}
		return nil
	}, relationSQL, tablespaces, relations)
}

// printable makes valid text of a name, which can be in any encoding.
func printable(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }

// database is a row of pg_database.
type database struct {
	oid         uint32
	name        string
	quoted      string // quoted for SQL, and printable
	connectable bool
}

func (s *Server) databases(ctx context.Context) (map[uint32]database, error) {
	found := map[uint32]database{}
	err := s.do(ctx, func(ctx context.Context, conn *conn) error {
		var db database
		return conn.each(ctx, ofNames, []any{&db.oid, &db.name, &db.quoted, &db.connectable}, func() error {
			db.quoted = printable(db.quoted)
			found[db.oid] = db
			return nil
		}, `SELECT oid, datname::text, pg_catalog.quote_ident(datname),
			datallowconn AND pg_catalog.has_database_privilege(oid, 'CONNECT') FROM pg_catalog.pg_database`)
	})
	if err != nil {
		return nil, s.failed("list the databases of", err)
	}
	return found, nil
}

// DatabaseNames names all databases.
func (s *Server) DatabaseNames(ctx context.Context) (map[uint32]string, error) {
	databases, err := s.databases(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[uint32]string, len(databases))
	for oid, db := range databases {
		names[oid] = db.quoted
	}
	return names, nil
}

// TablespaceNames names all tablespaces.
func (s *Server) TablespaceNames(ctx context.Context) (map[uint32]string, error) {
	names := map[uint32]string{}
	err := s.do(ctx, func(ctx context.Context, conn *conn) error {
		var oid uint32
		var name string
		return conn.each(ctx, ofNames, []any{&oid, &name}, func() error {
			names[oid] = printable(name)
			return nil
		}, `SELECT oid, pg_catalog.quote_ident(spcname) FROM pg_catalog.pg_tablespace`)
	})
	if err != nil {
		return nil, s.failed("list the tablespaces of", err)
	}
	return names, nil
}
