// Package process is for tests: it stops, freezes, finds
// and ends processes, and runs them as another user.
package process
