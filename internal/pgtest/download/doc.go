// Package download is for tests: gets PostgreSQL servers from the network, once, into the cache.
package download
