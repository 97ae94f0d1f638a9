// Package files has only tests, about what recovery does to whole files that were copied.
package files
