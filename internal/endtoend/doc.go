// Package endtoend is for tests: rewinds that are judged by nothing but what comes of
// them, the rows, and what it takes to make the situations for that. The tests are in
// the directories below, a package for each kind, which the go command runs side by
// side: sides is about what is left of two servers, wal about what their WAL says,
// files about what recovery does to files, recovery about archives and settings that
// steer it, histories about what happens at random, whole about
// everything that can differ, on every major, and beside pg_rewind.
package endtoend
