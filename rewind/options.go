package rewind

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/gorewind/gorewind/internal/target"
	"github.com/gorewind/gorewind/source"
)

// Options is what a rewind needs to know. TargetDir must be set, and Source
// unless an unfinished rewind is completed.
type Options struct {
	TargetDir string        // the data directory to rewind; its server is stopped
	Source    source.Source // what to rewind it to; the caller closes it

	// Keep are patterns of files of the target that stay as they are:
	// configuration, certificates, logs. A pattern is one of path.Match; one with
	// a slash is compared with the whole path, another one with every name in it.
	// "@config" stands for configuration and certificates.
	Keep []string
	// KeepFunc, if not nil, tells more files of the target that stay as they are. It is asked
	// about each path of either side, and each directory that this lies in, but not about
	// what holds data; once each, and one at a time. A directory stays with all that is in
	// it. Prepare asks, and the plan has what it said: who carries out a saved plan, or begins
	// a rewind in place again, may do without the function, and Apply and Resume do.
	KeepFunc func(path string) bool
	// TablespaceMapping says where the source's tablespaces that the target lacks come to
	// lie. They are empty, or are made when the staging area is, and go with it where the
	// rewind does not come to its commit. A saved plan has its own, and with another one here
	// it is refused.
	TablespaceMapping TablespaceMapping
	// InPlace writes to the target's files at once, for disks without room for a
	// staging area. An interruption then leaves a target that does not start, and
	// that a next run finishes only with a source.
	InPlace bool
	// NoVerifyChecksums copies pages of a source with data checksums as they are. Without
	// it a page that stays wrong, however often it is read, ends the rewind before the commit.
	NoVerifyChecksums bool
	// NoSync leaves it to the operating system when changes reach the disk.
	NoSync bool
	// SyncMethod is how changes are brought to the disk.
	SyncMethod SyncMethod

	// Resync makes up for what the target's WAL does not tell, where without it the
	// error would say that only a base backup can help.
	Resync Resync
	// SystemIdentifier tells whose the target is where nothing in it does: zero is not
	// known. It is for ResyncCompare.
	SystemIdentifier uint64

	// RestoreTargetWAL brings WAL that the target has no more back from its archive,
	// with the restore_command of its own configuration. Prepare then runs that.
	RestoreTargetWAL bool
	// RestoreCommand, if not empty, is what brings WAL back from an archive instead of the
	// restore_command of the target's configuration, which is not asked beside it: that of
	// both is "A || B". It is not written to any configuration.
	RestoreCommand string
	// FetchWAL, if not nil, is called where a restore_command would be run, and none is. It
	// makes a file dst, which is not there yet, of the archive's file of that name: a WAL
	// segment, or a timeline's history, as 00000003.history. The rewind checks what it gets
	// as it checks what a command brings. The error is ErrNotInArchive where the archive
	// certainly does not have the file, as it is for most histories that are asked for; after
	// any other it is called again, and at last the rewind ends with a *FetchWALError. It
	// is called once at a time, also in Apply, and ends when ctx does.
	FetchWAL func(ctx context.Context, name, dst string) error
	// EnsureShutdown lets Prepare complete the crash recovery of a target that was
	// not shut down cleanly, with a single-user server. That changes the target.
	EnsureShutdown bool
	// ForeseeRecovery plans as if EnsureShutdown were given, but completes nothing: the
	// plan is what the target's WAL says now, which that crash recovery replays and goes
	// on from. Apply refuses it where there is one to come first, see Plan.RecoversFirst.
	ForeseeRecovery bool
	// BinDir is where the server program of crash recovery is. If it is empty, it is looked
	// for beside this program, in PATH, and where distributions put it.
	BinDir     string
	ConfigFile string // the target's, where it is not postgresql.conf in its directory
	// PrimaryConnInfo, if not empty, makes the target a standby, which connects to
	// its primary by this connection string.
	PrimaryConnInfo string
	// Slot, if not empty, is the replication slot that the standby is to use, its
	// primary_slot_name. With MakeSlot the rewind makes it: it keeps the source's WAL
	// from the source's last checkpoint on, already while that is copied. Where the
	// target stays as it is, the slot is dropped again. That of a run which was killed is
	// noted in the target, and used by the next run that asks for the same.
	Slot     string
	MakeSlot bool
	// CheckReplication refuses a target that will not be able to stream from the source.
	// With PrimaryConnInfo that is found out in any case, and else warned of: see
	// Plan.Following.
	CheckReplication bool

	// Plan, if not nil, is one that Rewind.Save wrote, with the same Keep. Prepare
	// takes it instead of analyzing both sides, if they did not change since.
	Plan io.Reader
	// SaveLost, if not empty, is a new directory that gets what the rewind throws
	// away, before it does: see LostWAL and LostFiles.
	SaveLost string
	// ArchiveLostWAL hands the target's WAL of before the divergence that waits to be
	// archived to its archive_command, before the rewind removes it.
	ArchiveLostWAL bool
	// ArchiveAttempts is how often a restore_command, FetchWAL or an archive_command that
	// fails is tried; three times if zero. A history is asked of a command once.
	ArchiveAttempts int
	// ArchivePause is how long to wait before the second attempt; a second if zero. Before
	// each further attempt at getting a file the wait is twice as long.
	ArchivePause time.Duration

	// ChildEnv is the environment of the programs that are run, as exec.Cmd has it: postgres
	// for crash recovery, restore_command and archive_command. PATH in it is where postgres
	// is looked for, too. nil is the environment of this process.
	ChildEnv []string
	// ChildDir is their working directory. If it is empty, commands run in the target's data
	// directory, as those of a server do, and postgres in that of this process. Elsewhere %p
	// is a whole path.
	ChildDir string

	// FinishCommitted lets the context that Apply and Resume are given interrupt only what
	// leaves the target untouched: from the commit on the rewind goes on to its end, which
	// is short and takes no source. Without it an interrupted rewind has to be finished by
	// Resume or a rerun. A rewind in place is committed in this sense when it has all that
	// it needs from the source.
	FinishCommitted bool
	// AfterCommit, if not nil, does as FinishCommitted does, and interrupts what is then
	// left to do when it ends: for who can be asked to stop and then be asked again.
	AfterCommit context.Context

	Logger *slog.Logger // nil discards
	// Observer is told what happens.
	Observer Observer

	disk       func(target.Disk) target.Disk // for tests, what is between the rewind and the disk
	startOrNot bool                          // for tests, to see what would happen
}
