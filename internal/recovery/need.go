package recovery

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/poison"
)

// Need is what must be done with a stopped cluster before it can be rewound.
type Need int

// The needs.
const (
	// Nothing: the cluster was shut down cleanly, as a primary or as a standby.
	Nothing Need = iota
	// SingleUser: its files lack changes that its WAL contains. See [Run].
	SingleUser
	// OlderStart: a killed standby. It is rewound as it is, but replay must
	// begin at its own last restartpoint if that is older than the last common
	// checkpoint. No server is run on it, because that would add WAL of its own. The
	// package comment has the reasons.
	OlderStart
)

// String names the need for logs.
func (n Need) String() string {
	return [...]string{"nothing", "crash recovery", "an older start of replay"}[n]
}

// backupLabel makes a server recover from a backup (BACKUP_LABEL_FILE,
// access/xlog.h).
const backupLabel = "backup_label"

// Assess returns what a stopped cluster needs, given its control file:
//
//	shut down, shut down in recovery             Nothing
//	in archive recovery, as a standby            OlderStart
//	in archive recovery, with nothing that says  SingleUser: it was about to be
//	that it is a standby                         promoted, or made a primary
//	starting up, shutting down,
//	in crash recovery, in production             SingleUser, as a standby or not
//
// The error is ErrInconsistent for a cluster that was restored from a backup, or
// rewound, and has not replayed enough since: it is unknown how new its files
// are. It is ErrPoisoned for one whose rewind is unfinished, and ErrRunning if
// processes outlived a killed standby's postmaster; a single-user server finds
// such processes itself.
func Assess(d *datadir.Dir, c *controlfile.Data) (Need, error) {
	if poison.Is(c) {
		return 0, fmt.Errorf("%w: %q: finish it first", ErrPoisoned, d.Name())
	}
	recovering := c.State == controlfile.InArchiveRecovery
	label, err := exists(d, backupLabel)
	if err != nil {
		return 0, err
	}
	inBackup := c.BackupStartPoint != 0 || c.BackupEndPoint != 0 || c.BackupEndRequired
	switch {
	case recovering && label:
		return 0, fmt.Errorf("%w: %q has a %s: it was restored or rewound, and not started since; start it and wait until it accepts connections",
			ErrInconsistent, d.Name(), backupLabel)
	case inBackup && (recovering || c.State == controlfile.ShutDownInRecovery):
		return 0, fmt.Errorf("%w: %q was stopped before it had replayed all of the backup that it was restored from; "+
			"start it and wait until it accepts connections, or take a base backup", ErrInconsistent, d.Name())
	case c.ShutDownCleanly():
		return Nothing, nil
	case !recovering || c.MinRecoveryPoint == 0:
		return SingleUser, nil
	}
	standby, err := saysStandby(d, c.Version)
	if err != nil {
		return 0, err
	}
	if !standby {
		return SingleUser, nil
	}
	return OlderStart, checkAttached(d)
}

func exists(d *datadir.Dir, name string) (bool, error) {
	_, err := d.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("could not stat file %q: %w", d.Join(name), datadir.Reason(err))
	}
	return true, nil
}
