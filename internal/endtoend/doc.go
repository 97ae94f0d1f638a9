// Package endtoend is for tests: rewinds that are judged only by their result,
// the rows, and the means to create the situations for that. The tests are in
// the directories below, with a package for each kind, which the go command runs in
// parallel: sides is about what is left of two servers, wal about what their WAL contains,
// files about what recovery does to files, recovery about archives and settings that
// control it, histories about random events, whole about
// everything that can differ, on every major, and compared with pg_rewind, adopters about
// failover managers that call the library.
package endtoend
