// Package whole has only tests, about rewinds of everything that a cluster can have, on
// every major, across many timelines, and compared with pg_rewind.
package whole
