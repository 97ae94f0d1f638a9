// Package servers is for tests: which PostgreSQL servers there are to test with.
package servers
