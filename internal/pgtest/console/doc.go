// Package console is for tests: the standard error of the go command that runs a test, for what is to be seen
// whatever it is told to show.
package console
