// Package report is gorewind's description of a rewind, for programs and people: a
// versioned document of what will be done, was done, or went wrong, its JSON
// schema, and its text for a terminal. Package report/html makes a page from it.
//
// Package rewind fills documents: see Rewind.Document there. A program
// may rely on what it reads as long as FormatVersion is the one it knows: new fields may be
// added at any time, but none changes its meaning or is removed. Schema is strict, and knows
// only the fields of its own release: it is for tests, not for documents of newer releases.
package report
