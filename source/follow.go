package source

import (
	"context"
	"errors"
	"fmt"

	"github.com/gorewind/gorewind/pgdata"
)

// Primary is a source from which a standby can stream.
type Primary interface {
	Source
	// TryReplication opens the connection that a standby will open, asks what that
	// will ask, has WAL streamed for a moment, and hangs up. It changes nothing. That
	// the standby could not stream is a *ReplicationError.
	TryReplication(ctx context.Context, s Standby) error
	// MakeSlot makes a physical replication slot that keeps WAL from the returned LSN
	// on, the redo point of the last checkpoint or restartpoint. The error wraps
	// ErrSlotExists where there is one of that name, of whomever.
	MakeSlot(ctx context.Context, name string) (from pgdata.LSN, err error)
	// DropSlot removes it again.
	DropSlot(ctx context.Context, name string) error
}

// Standby is what there is to know of a standby before it connects.
type Standby struct {
	ConnInfo         string            // its primary_conninfo; empty: the source's own connection string
	SystemIdentifier uint64            // which the primary must have
	Primary          pgdata.TimelineID // the timeline that the primary is on
	Timeline         pgdata.TimelineID // on which it asks for WAL first
	Start            pgdata.LSN        // from where, the beginning of a segment
	Slot             string            // its primary_slot_name; empty: none
	MakesSlot        bool              // which is still to be made
}

// ReplicationError says why a standby could not stream.
type ReplicationError struct {
	Reason    string
	Hint      string // what to do about it; empty where that is not known
	Temporary bool   // it may pass by itself
	Removed   bool   // all is well but that the WAL is gone
	Err       error  // what the server said, or nil
}

// ErrSlotExists says that a replication slot cannot be made because there is one of its name.
var ErrSlotExists = errors.New("there is a replication slot of that name")

// ErrNoReplication is what every ReplicationError is.
var ErrNoReplication = errors.New("the source does not let a standby stream")

func (e *ReplicationError) Error() string {
	if e.Hint == "" {
		return e.Reason
	}
	return fmt.Sprintf("%s: %s", e.Reason, e.Hint)
}

// Unwrap gives ErrNoReplication and what the server said.
func (e *ReplicationError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrNoReplication}
	}
	return []error{ErrNoReplication, e.Err}
}
