// Package resync is nothing but tests, about targets whose WAL does not tell what differs.
package resync
