package report

import "fmt"

// following writes whether the standby will be able to stream from the source.
func (t *text) following(d *Document) {
	f := d.Following
	if d.WillFollow == nil || f == nil {
		return
	}
	t.title("Whether it will follow")
	t.wrapped("", f.Sentence(*d.WillFollow))
	t.wrapped("", f.SlotSentence())
	if f.Problem != "" {
		t.wrapped("why not: ", f.Problem)
		t.wrapped("what to do: ", f.Advice)
	}
}

// Sentence says for people whether it will.
func (f *Following) Sentence(will bool) string {
	if !will {
		return "As a standby it will not be able to stream from the source."
	}
	return fmt.Sprintf("As a standby it will stream from the source, from %s on timeline %d on. That connection was tried.", f.Start, f.Timeline)
}

// SlotSentence says which slot it will use; empty if none.
func (f *Following) SlotSentence() string {
	switch {
	case f.Slot == "":
		return ""
	case f.NewSlot:
		return fmt.Sprintf("It will use replication slot %s, which the rewind creates.", f.Slot)
	}
	return fmt.Sprintf("It will use replication slot %s.", f.Slot)
}
