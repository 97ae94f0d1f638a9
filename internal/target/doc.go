// Package target holds every write that a rewind makes to the target.
//
// It writes in place. Before the first change the control file is poisoned: it
// stays readable, but no server starts on it, and the original is put aside, so
// that a run that was interrupted can be started again with the same arguments.
// The WAL, from which the next run learns what the target changed, is replaced
// last, and the new control file ends the rewind.
package target
