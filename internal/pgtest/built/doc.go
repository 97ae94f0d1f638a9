// Package built is for tests: it builds the gorewind program of the present sources.
package built
