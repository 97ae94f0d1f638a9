package rewind

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// Following says whether the target, once it is a standby of the source, will be able
// to stream from it. The check uses the connection that the standby will use.
type Following struct {
	Will         bool
	Reason, Hint string            // why not, and what to do about it
	Start        pgdata.LSN        // where streaming will start
	Timeline     pgdata.TimelineID // timeline of Start
	Slot         string            // its primary_slot_name, if it has one
	MakesSlot    bool              // the rewind creates the slot
}

// slotName matches valid names of replication slots (ReplicationSlotValidateName,
// replication/slot.c).
var slotName = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

// checkFollowingOptions refuses options that cannot work.
func (o *Options) checkFollowingOptions() error {
	_, streams := o.Source.(source.Primary)
	switch {
	case o.Slot != "" && !slotName.MatchString(o.Slot):
		return fmt.Errorf("%w: a replication slot cannot be called %q: up to 63 lower case letters, digits and underscores", ErrOptions, o.Slot)
	case o.Slot != "" && o.PrimaryConnInfo == "":
		return fmt.Errorf("%w: a slot is for a target that becomes a standby (Options.PrimaryConnInfo)", ErrOptions)
	case o.MakeSlot && o.Slot == "":
		return fmt.Errorf("%w: a slot that is to be made must have a name (Options.Slot)", ErrOptions)
	case o.Source != nil && (o.MakeSlot || o.CheckReplication) && !streams:
		return fmt.Errorf("%w: only a running server can be asked whether a standby could follow it, and to make a slot", ErrOptions)
	}
	return nil
}

// triesReplication reports whether the standby's connection is tried.
func (r *Rewind) triesReplication() bool {
	_, can := r.opts.Source.(source.Primary)
	return can && (r.opts.CheckReplication || r.opts.PrimaryConnInfo != "")
}

// tryReplication checks, before anything is changed, whether the target will be able to
// stream from the source. If it will not, that is a warning: the rewind itself can
// succeed, and the problem can often be fixed later. It is an error if the caller asked
// for the check, or for a slot that cannot be made.
func (r *Rewind) tryReplication(ctx context.Context) error {
	if !r.triesReplication() {
		return nil
	}
	p, a := r.plan, r.analyzer
	f := &Following{Slot: p.Slot, MakesSlot: r.opts.MakeSlot}
	if r.opts.Slot != "" {
		f.Slot = r.opts.Slot
	}
	// A standby replays all WAL that it has, and then asks for the whole segment in which
	// that WAL ends. After a rewind it has all WAL up to where the source was.
	at := p.Target.EndOfWAL
	if p.Required {
		at = p.ConsistentAt
	}
	f.Timeline, f.Start = timelineAt(p.Source.History, at), a.geo.SegStart(a.geo.SegNo(at))
	standby := source.Standby{
		ConnInfo: r.opts.PrimaryConnInfo, SystemIdentifier: a.format.SystemIdentifier, Primary: p.Source.Timeline,
		Timeline: f.Timeline, Start: f.Start, Slot: f.Slot, MakesSlot: f.MakesSlot,
	}
	err := r.opts.Source.(source.Primary).TryReplication(ctx, standby)
	if err != nil && f.MakesSlot {
		left, lerr := r.leftSlot(ctx)
		if lerr != nil {
			return lerr
		}
		if left || p.Again { // the unfinished run may have made the slot
			standby.MakesSlot = false
			if own := r.opts.Source.(source.Primary).TryReplication(ctx, standby); own == nil || left {
				err = own
			}
		}
	}
	var not *source.ReplicationError
	switch {
	case err == nil:
		f.Will = true
	case !errors.As(err, &not):
		return err
	case not.Removed && r.comesFromArchive(ctx, at):
		f.Will = true
	default:
		f.Reason, f.Hint = not.Reason, not.Hint
		why := &Explained{Err: fmt.Errorf("%w: %w", ErrCannotFollow, &reworded{not.Reason, not})}
		if not.Hint != "" {
			why.Hint = sentence(not.Hint)
		}
		if r.opts.CheckReplication || r.opts.MakeSlot {
			return why
		}
		a.warn(p, "%v: %v", ErrCannotFollow, not)
	}
	p.Following = f
	return nil
}

// comesFromArchive reports whether the standby gets a segment from an archive that its
// primary does not have.
func (r *Rewind) comesFromArchive(ctx context.Context, at pgdata.LSN) bool {
	a := r.analyzer
	if _, err := a.configuredCommand(); r.opts.RestoreCommand != "" || r.opts.FetchWAL != nil && err != nil {
		return false // the standby does not have that function
	}
	missing, err := a.missingNext(ctx, r.plan.Source, at)
	return err == nil && missing == ""
}
