// Package resync has only tests, about targets whose WAL does not show what differs
// from the source.
package resync
