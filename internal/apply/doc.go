// Package apply contains every write of a rewind to the target.
//
// [Target.Stage] makes a staging directory on every file system that is written to,
// reserves the space that will be needed, and stores what the source sends: whole
// files, and changed blocks one after the other in one file, with an index of where
// they belong. Nothing else in the target changes, and if anything fails, all of it
// is removed.
//
// [Staging.Commit] makes that durable, writes the journal, which lists all steps
// that remain, and poisons the control file: it stays readable, but no server starts
// on it. That one rename is the commit. A rewind that is interrupted before it
// leaves the target as it was. One that is interrupted later is finished from the
// journal, with only what is on the target's disks.
//
// [Target.Finish] carries out the journal. It makes directories, renames whole files
// into place, writes blocks, truncates files, syncs, removes, and finally puts the
// new control file in place. Each step can be repeated.
//
// [Target.ChangeInPlace] is for disks without room for that. It poisons the control
// file first, and then writes what the source sends directly to the target's files:
// a rewind that is interrupted needs the source again. WAL, from which the next run
// learns what the target changed, is replaced last.
package apply
