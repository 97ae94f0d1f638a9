// Package built is for tests: it builds programs of the present sources.
package built
