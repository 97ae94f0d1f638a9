// Package smalldisk is for tests: a file system that is small enough to be filled.
package smalldisk
