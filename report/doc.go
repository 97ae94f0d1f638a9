// Package report is what gorewind says of a rewind, for programs and people: a
// versioned document of what is to be done, was done, or went wrong, its JSON
// schema, and its text for a terminal. Package report/html makes a page of it.
//
// Package rewind fills documents: see Rewind.Document there. What a program reads
// it may rely on as long as FormatVersion is the one it knows: new fields may come
// at any time, none changes its meaning or goes. Schema is strict, and knows the
// fields of its own release only: it is for tests, not for what a newer one wrote.
package report
