// Package lockfile is for tests: locks between processes, which end with them.
package lockfile
