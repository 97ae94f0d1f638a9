// Package process is for tests: what a test does to processes: stop, freeze, find
// and end them, run them as another user.
package process
