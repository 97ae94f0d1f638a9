// Package sides has only tests, about what the two servers still have: which WAL, which changes in
// their files, and what they know about timelines, checksums and hints.
package sides
