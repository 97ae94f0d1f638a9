// Package cache is for tests: the directory that keeps downloads, and files that are
// expensive to create, from one run to the next.
package cache
