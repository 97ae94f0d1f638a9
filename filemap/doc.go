// Package filemap has what a rewind's plan says of every file: [rewind.Plan] has such a
// [Plan] in its field Files. A program can show it to somebody before the rewind, check
// which files would be replaced or removed, and add up what will be copied. Package
// rewind makes and carries out plans; changing one has no effect that is defined.
//
// The rules by which files get into a plan are pg_rewind's
// (src/bin/pg_rewind/filemap.c).
//
// [rewind.Plan]: https://pkg.go.dev/github.com/gorewind/gorewind/rewind#Plan
package filemap
