// Package adopters is for tests: the functions of three failover managers that run
// pg_rewind today, in the shape that those have, written with the library. They use
// nothing that a program elsewhere could not use; the test of the architecture sees to
// that. Each has a table of what can happen, what the library says, and what the manager
// does next. That is what such a program relies on, and what must not change.
//
// What was taken from each project is its contract, not its code: what the function is
// given, what it logs and returns, and what its callers do then. Each table names where
// that was read.
package adopters
