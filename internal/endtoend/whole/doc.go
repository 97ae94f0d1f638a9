// Package whole is nothing but tests, about rewinds of all that a cluster can have, on
// every major, through families of timelines, and beside pg_rewind.
package whole
