// Package sides only has tests, about what is left of two servers: which WAL each has, which changes are in its files, what it knows of timelines, checksums and hints.
package sides
