package rewind

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/source"
)

// Options says what to rewind, and how. TargetDir must be set, and so must Source or
// OpenSource unless an unfinished rewind is completed.
type Options struct {
	TargetDir string        // the data directory to rewind; its server must be stopped
	Source    source.Source // what to rewind it to; the caller closes it
	// OpenSource, if not nil, opens the source in place of Source. Prepare calls it once,
	// and not at all if it completes an unfinished rewind, which needs no source. Close
	// closes what it opened. Its error is Prepare's, with what it means for the target.
	OpenSource func(context.Context) (source.Source, error)

	// Keep has patterns of files of the target that stay as they are: configuration,
	// certificates, logs. The syntax is that of path.Match. A pattern with a slash is
	// matched against the whole path, any other pattern against every name in it.
	// "@config" stands for configuration and certificates.
	Keep []string
	// KeepFunc, if not nil, reports more files of the target that stay as they are. It is
	// called for each path on either side, and for each directory above it, but not for
	// files that hold data. It is called once for each path, and never concurrently. If a
	// directory is kept, so is everything in it. Prepare calls it and stores the answers
	// in the plan. So the function may be left out when a saved plan is applied or a
	// rewind in place is started again, and Apply and Resume do not call it.
	KeepFunc func(path string) bool
	// TablespaceMapping says where to create the source's tablespaces that the target
	// lacks. The directories must be empty or not exist. Missing ones are created with the
	// staging area, and removed with it if the rewind is not committed. A saved plan has
	// its own mapping and is refused with a different one.
	TablespaceMapping TablespaceMapping
	// InPlace writes directly to the target's files, for disks without room for a staging
	// area. If it is interrupted, the target does not start, and the next run needs a
	// source to finish it.
	InPlace bool
	// NoVerifyChecksums copies pages without checking their checksums, if the source has
	// data checksums. Otherwise a page whose checksum stays wrong when it is read again
	// ends the rewind before the commit.
	NoVerifyChecksums bool
	// NoSync leaves it to the operating system when changes are written to disk.
	NoSync bool
	// SyncMethod says how changes are synced to disk.
	SyncMethod SyncMethod

	// Resync makes a rewind possible if the target's WAL does not show everything. Without
	// it, the error would say that only a base backup can help.
	Resync Resync
	// SystemIdentifier says which system the target belongs to if nothing in the target
	// shows it. Zero means unknown. It is for ResyncCompare.
	SystemIdentifier uint64

	// RestoreTargetWAL restores WAL that the target no longer has from its archive, by the
	// restore_command in its own configuration. Prepare runs that command.
	RestoreTargetWAL bool
	// RestoreCommand, if not empty, is used instead of the restore_command in the target's
	// configuration. The configured command is not tried as well; to use both, give "A ||
	// B". It is not written to any configuration.
	RestoreCommand string
	// FetchWAL, if not nil, is called instead of running a restore_command. It creates the
	// file dst, which does not exist yet, from the archive's file called name: a WAL
	// segment, or a timeline history such as 00000003.history. The rewind checks the file
	// as it checks what a command restores. FetchWAL must return ErrNotInArchive if the
	// archive certainly does not have the file; for most histories that is the normal
	// answer. After any other error it is called again, and in the end the rewind fails
	// with a *FetchWALError. It is never called concurrently, may also be called by Apply,
	// and must return when ctx is done.
	FetchWAL func(ctx context.Context, name, dst string) error
	// EnsureShutdown makes Prepare complete the crash recovery of a target that was not
	// shut down cleanly, with a single-user server. That changes the target.
	EnsureShutdown bool
	// ForeseeRecovery plans as if EnsureShutdown were set, but runs no crash recovery. The
	// plan follows from the target's WAL as it is now, which crash recovery would replay
	// and then add to. Apply refuses the plan if crash recovery must come first, see
	// Plan.RecoversFirst.
	ForeseeRecovery bool
	// BinDir is the directory of the server program for crash recovery, "postgres" of the
	// target's major version. If it is empty, the program is looked for next to this
	// program, in PATH, and where distributions install it.
	BinDir string
	// ServerProgram is the path of the server program itself, for one that has another
	// name, or for a wrapper. The path is relative to the directory of this process, not
	// to ChildDir. Set either this or BinDir.
	ServerProgram string

	ConfigFile string // the target's, if it is not postgresql.conf in its data directory
	// PrimaryConnInfo, if not empty, makes the target a standby that connects to its
	// primary by this connection string.
	PrimaryConnInfo string
	// Slot, if not empty, is the replication slot for the standby, its primary_slot_name.
	// With MakeSlot the rewind creates the slot, which retains the source's WAL from its
	// last checkpoint on, also while files are copied. If the target remains unchanged,
	// the slot is dropped again. The slot of a run that was killed is recorded in the
	// target, and the next run that asks for the same slot uses it.
	Slot     string
	MakeSlot bool
	// CheckReplication refuses a target that will not be able to stream from the source.
	// With PrimaryConnInfo this is checked anyway, but without CheckReplication it is only
	// a warning: see Plan.Following.
	CheckReplication bool

	// Plan, if not nil, is a plan that Rewind.Save wrote, made with the same Keep. Prepare
	// uses it instead of analyzing both sides, if they have not changed since.
	Plan io.Reader
	// SaveLost, if not empty, is a new directory in which the rewind saves what it
	// discards, before it does so: see LostWAL and LostFiles.
	SaveLost string
	// ArchiveLostWAL passes the target's WAL from before the divergence that is not
	// archived yet to its archive_command, before the rewind removes it.
	ArchiveLostWAL bool
	// ArchiveAttempts is how many times restore_command, FetchWAL or archive_command is
	// tried if it fails. Zero means three times. A command is asked only once for a
	// history.
	ArchiveAttempts int
	// ArchivePause is how long to wait before the second attempt. Zero means a second.
	// When getting a file, the wait doubles before each further attempt.
	ArchivePause time.Duration

	// ChildEnv is the environment of the programs that are run, as in exec.Cmd: postgres
	// for crash recovery, restore_command and archive_command. Its PATH is also used to
	// find postgres. nil means the environment of this process.
	ChildEnv []string
	// ChildDir is their working directory. If it is empty, commands run in the target's
	// data directory, as a server's commands do, and postgres runs in the directory of
	// this process. If it is set, %p is an absolute path.
	ChildDir string

	// FinishCommitted limits what the context of Apply and Resume can interrupt to the
	// time in which the target is untouched. From the commit on, the rewind runs to its
	// end, which is short and needs no source. Without it, an interrupted rewind must be
	// finished by Resume or by running it again. A rewind in place counts as committed
	// when it has everything that it needs from the source.
	FinishCommitted bool
	// AfterCommit, if not nil, has the same effect as FinishCommitted, but when this
	// context is done it interrupts the rest as well. It is for programs that may be asked
	// to stop twice.
	AfterCommit context.Context

	Logger *slog.Logger // nil discards
	// Observer is told what the rewind does.
	Observer Observer

	disk       func(apply.Disk) apply.Disk // for tests: wraps the disk
	startOrNot bool                        // for tests: go on even if the result could not start
}
