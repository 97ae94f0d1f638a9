// Package download is for tests: it downloads PostgreSQL servers, once, into the cache.
package download
