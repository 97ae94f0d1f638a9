// Package pgsource reads from a running PostgreSQL server over an ordinary SQL
// connection. It changes nothing there: its session is read-only.
//
// The role needs to be a superuser up to PostgreSQL 10. Since 11, these are
// enough:
//
//	GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean) TO role;
//	GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO role;
//	GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO role;
//
// [Open] takes what libpq takes, and [Options] what a connection string cannot say.
// Why no connection came about is a [source.ConnectError].
//
// One connection does what is small. Large copies and listings use several, each
// with several requests under way, as many as [Options] allow and the server has
// to spare; a connection that cannot be had is done without.
//
// Networks fail and servers restart. A connection that is lost, or silent for
// too long, is made again, and every operation goes on from where it was: see
// [Open]. The server must still be the same one then, since files of two servers
// do not make a cluster. Its sessions prove that by an advisory lock, which is all
// that others see of them.
package pgsource
