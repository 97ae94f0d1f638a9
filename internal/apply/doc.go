// Package apply holds every write that a rewind makes to the target.
//
// [Target.Stage] makes a staging directory in every file system that is written to,
// holds the room there that will be needed, and takes what the source sends: whole
// files, and changed blocks one after the other in a file, with an index of where
// they belong. Nothing else of the target changes, and all of it is thrown away if
// anything fails.
//
// [Staging.Commit] makes that durable, writes the journal, which lists all steps
// that remain, and poisons the control file: it stays readable, but no server starts
// on it. That one rename is the commit. A rewind that is interrupted before it never
// was; one that is interrupted later is finished from the journal, with nothing but
// what is on the target's disks.
//
// [Target.Finish] carries out the journal. It makes directories, renames whole files
// into place, writes blocks, cuts files, syncs, removes, and at last puts the new
// control file in place. Each step can be done again.
//
// [Target.ChangeInPlace] is for disks without room for that. It poisons the control
// file first, and what the source sends overwrites the target's files at once: a
// rewind that is interrupted needs the source again. WAL, from which the next run
// learns what the target changed, is replaced last.
package apply
