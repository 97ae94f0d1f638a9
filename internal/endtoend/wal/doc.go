// Package wal is nothing but tests, about what WAL says, and what it does not.
package wal
