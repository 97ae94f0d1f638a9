// Package endtoend is for tests that judge a rewind only by its result, the rows. It
// creates the situations for them. The tests are in the directories below, with a package
// for each kind, because the go command runs packages in parallel: sides is about what the
// two servers still have, wal about what their WAL contains, files about what recovery
// does to files, recovery about archives and the settings that control recovery, resync
// about targets whose WAL does not show what differs, rows about lost rows, histories
// about random events, whole about everything that can differ, on every major, and
// compared with pg_rewind, adopters about failover managers that call the library.
package endtoend
