// Package pgsource reads from a running PostgreSQL server over an ordinary SQL
// connection. It changes nothing there: its session is read-only.
//
// Up to PostgreSQL 10 the role must be a superuser. Since 11, these privileges are
// enough:
//
//	GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean) TO role;
//	GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO role;
//	GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO role;
//
// [Open] takes what libpq takes, and [Options] hold what a connection string cannot express.
// If no connection can be opened, the error is a [source.ConnectError].
//
// Small operations use one connection. Large copies and listings use several, each
// with several requests in flight: as many as [Options] allow and the server has
// to spare. If a connection cannot be opened, the work goes on without it.
//
// Networks fail and servers restart. A connection that is lost, or silent for
// too long, is reopened, and every operation continues from where it was: see
// [Open]. The server must then still be the same one, since files of two servers
// do not make a cluster. The sessions prove that with an advisory lock, which is all
// that other sessions see of them.
package pgsource
