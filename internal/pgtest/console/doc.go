// Package console is for tests: the standard error of the go command that runs a test, for output that must be seen
// whatever options go test was given.
package console
