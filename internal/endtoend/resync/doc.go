// Package resync only has tests, about targets whose WAL does not show what differs.
package resync
