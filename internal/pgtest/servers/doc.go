// Package servers is for tests: it finds the PostgreSQL servers to test with.
package servers
