// Package scratch is for tests: directories that are removed with the process that created
// them, in main memory if there is room, and cleaning up when the process ends.
package scratch
