// Package scratch is for tests: directories that go with the process that made them,
// in main memory where there is room, and what is left to do when it ends.
package scratch
