// Package files is nothing but tests, about what recovery does to whole files that were copied.
package files
