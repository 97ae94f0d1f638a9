// Package pgtest runs tests on real PostgreSQL servers of every major.
//
// A test package calls [Main] from its TestMain. Its tests then run on all
// servers with [Each], or on all that have genuine programs such as pg_rewind
// with [EachGenuine], and make clusters with InitCluster of an [Installation]:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
//	func TestX(t *testing.T) {
//		pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
//			old := in.InitCluster(t, pgtest.Options{})
//			old.Start(t)
//			new := old.Standby(t)
//			...
//		})
//	}
//
// Each of the packages below has one purpose: cluster has the servers, servers and
// download find them, unprivileged runs the tests as a user other than root, proxy simulates a
// bad network. Servers are downloaded once and kept in a cache directory. They never
// outlive the process that started them, and what they leave on disk is removed.
//
// Environment:
//
//	GOREWIND_TEST_CACHE    directory of the downloads; by default gorewind-test
//	                       in the user's cache directory, or in the temporary
//	                       directory if there is no usable one
//	GOREWIND_TEST_BINDIRS  bin directories of more servers to test with,
//	                       separated as in PATH
//	GOREWIND_TEST_MAJORS   majors to test with, such as "9.6,17"; default all
package pgtest
