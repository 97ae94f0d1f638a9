package rewind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/source"
)

// slotTimeout is how long dropping a slot may take after the rewind has failed.
const slotTimeout = 10 * time.Second

// makeSlot makes the requested slot, or uses that of an unfinished run. The slot
// retains WAL while files are copied, and afterwards for the standby. forget drops it
// again if the target remained unchanged.
func (r *Rewind) makeSlot(ctx context.Context) (forget func(), err error) {
	primary, can := r.opts.Source.(source.Primary)
	if !can || !r.opts.MakeSlot {
		return func() {}, nil
	}
	slot := r.slotLeft
	if slot.Name == "" {
		slot = apply.Slot{Name: r.opts.Slot}
		if err := r.target.RememberSlot(slot); err != nil {
			return nil, err
		}
		if slot.From, err = primary.MakeSlot(ctx, slot.Name); err != nil {
			if errors.Is(err, source.ErrSlotExists) && !r.plan.Again { // another has made it
				return nil, errors.Join(err, r.target.ForgetSlot())
			}
			if r.plan.Again { // the previous run may have made it, and the source may be too busy now to be asked twice
				r.log.WarnContext(ctx, err.Error(), "slot", r.opts.Slot, "error", err)
				return func() {}, nil
			}
			r.forgetUnmade(ctx, slot.Name)
			return nil, err
		}
		if err := r.target.RememberSlot(slot); err != nil { // the intention to make it is already recorded
			r.log.DebugContext(ctx, err.Error(), "slot", r.opts.Slot, "error", err)
		}
		r.log.InfoContext(ctx, fmt.Sprintf("the source keeps WAL from %s on for the standby, by replication slot %q", r.lsn(slot.From), slot.Name),
			"lsn", r.lsn(slot.From), "slot", slot.Name)
	} else {
		r.log.InfoContext(ctx, fmt.Sprintf("the source keeps WAL for the standby by replication slot %q, which an unfinished rewind of this target made", slot.Name), "slot", slot.Name)
	}
	r.slotMade = true
	return func() { r.dropSlot(ctx, primary, slot) }, nil
}

// dropSlot drops a slot that the unchanged target does not need. If it is not certain
// who made the slot, it is kept.
func (r *Rewind) dropSlot(ctx context.Context, primary source.Primary, slot apply.Slot) {
	if r.touched || r.madeStandby || slot.From == 0 {
		return
	}
	r.slotMade = false
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), slotTimeout)
	defer cancel()
	err := primary.DropSlot(ctx, slot.Name)
	if err == nil {
		r.slotLeft = apply.Slot{}
		err = r.target.ForgetSlot()
	}
	if err != nil {
		r.log.WarnContext(ctx, fmt.Sprintf("the source keeps WAL for a standby that does not exist, until its replication slot is dropped or the rewind is run again: %v", err), "slot", r.opts.Slot, "error", err)
	}
}

// forgetUnmade removes the record of a slot that the source certainly does not have.
func (r *Rewind) forgetUnmade(ctx context.Context, name string) {
	lister, can := r.opts.Source.(source.SlotLister)
	if !can || ctx.Err() != nil {
		return
	}
	slots, err := lister.Slots(ctx)
	if err == nil && !slices.ContainsFunc(slots, func(s source.Slot) bool { return s.Name == name }) {
		err = r.target.ForgetSlot()
	}
	if err != nil {
		r.log.DebugContext(ctx, err.Error(), "slot", r.opts.Slot, "error", err)
	}
}

// leftSlot reports whether the requested slot is the one that an unfinished run made
// for this target, and has not been used since.
func (r *Rewind) leftSlot(ctx context.Context) (bool, error) {
	note, noted := r.target.RememberedSlot()
	lister, can := r.opts.Source.(source.SlotLister)
	if !noted || !can || note.Name != r.opts.Slot {
		return false, nil
	}
	slots, err := lister.Slots(ctx)
	for _, s := range slots {
		if s.Name == note.Name && s.Physical && !s.Active && (note.From == 0 || s.Restart == note.From) {
			r.slotLeft = note
		}
	}
	return r.slotLeft.Name != "", err
}

// warnOfUnusedSlot warns of the slot of an unfinished run that this run does not use.
func (r *Rewind) warnOfUnusedSlot(ctx context.Context) error {
	note, noted := r.target.RememberedSlot()
	if !noted || note.Name == r.opts.Slot {
		return nil
	}
	if lister, can := r.opts.Source.(source.SlotLister); can {
		slots, err := lister.Slots(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(slots, func(s source.Slot) bool { return s.Name == note.Name && !s.Active }) {
			return nil
		}
	}
	r.analyzer.warn(r.plan, "an unfinished rewind of this target made replication slot %q on its source, which keeps WAL there until it is dropped: this one does not use it", note.Name)
	return nil
}
