// Package wal only has tests, about what WAL contains and what it does not.
package wal
