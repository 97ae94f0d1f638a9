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
	// TryReplication opens the connection that a standby will open, runs the same
	// commands, streams WAL for a moment, and disconnects. It changes nothing. If
	// the standby could not stream, the error is a *ReplicationError.
	TryReplication(ctx context.Context, s Standby) error
	// MakeSlot creates a physical replication slot that keeps WAL from the returned LSN
	// on, the redo point of the last checkpoint or restartpoint. The error wraps
	// ErrSlotExists if there is a slot of that name already, whoever created it.
	MakeSlot(ctx context.Context, name string) (from pgdata.LSN, err error)
	// DropSlot drops the slot.
	DropSlot(ctx context.Context, name string) error
}

// Standby is what is known of a standby before it connects.
type Standby struct {
	ConnInfo         string            // its primary_conninfo; empty: the source's own connection string
	SystemIdentifier uint64            // the identifier that the primary must have
	Primary          pgdata.TimelineID // the timeline that the primary is on
	Timeline         pgdata.TimelineID // the timeline on which it first asks for WAL
	Start            pgdata.LSN        // the LSN from which it asks, the beginning of a segment
	Slot             string            // its primary_slot_name; empty: none
	MakesSlot        bool              // the slot does not exist yet and will be created
}

// ReplicationError says why a standby could not stream.
type ReplicationError struct {
	Reason    string
	Hint      string // what to do about it; empty if unknown
	Temporary bool   // it may go away by itself
	Removed   bool   // the only problem is that the WAL is gone
	Err       error  // what the server said, or nil
}

// ErrSlotExists says that a replication slot cannot be created because its name is taken.
var ErrSlotExists = errors.New("there is a replication slot of that name")

// ErrNoReplication is what every ReplicationError is.
var ErrNoReplication = errors.New("the source does not let a standby stream")

func (e *ReplicationError) Error() string {
	if e.Hint == "" {
		return e.Reason
	}
	return fmt.Sprintf("%s: %s", e.Reason, e.Hint)
}

// Unwrap returns ErrNoReplication and what the server said.
func (e *ReplicationError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrNoReplication}
	}
	return []error{ErrNoReplication, e.Err}
}
