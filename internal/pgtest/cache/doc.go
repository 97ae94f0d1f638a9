// Package cache is for tests: the directory that keeps what was downloaded, and what
// was made with effort, from one run to the next.
package cache
