// Package wal has only tests, about what WAL contains and what it does not.
package wal
