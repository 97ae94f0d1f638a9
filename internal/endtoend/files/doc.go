// Package files only has tests, about what recovery does to whole files that were copied.
package files
