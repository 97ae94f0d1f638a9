// Package whole only has tests, about rewinds of everything that a cluster can have, on
// every major, through families of timelines, and compared with pg_rewind.
package whole
