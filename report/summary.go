package report

import "io"

// Verdict is the one sentence that a reader of the document wants to see first.
func (d *Document) Verdict() string {
	switch e := d.Error; {
	case e != nil && e.Action == StepBaseBackup:
		return "The target cannot be rewound: take a base backup."
	case e != nil && e.Action == StepResync:
		return "The target cannot be rewound: resync it, or take a base backup."
	case e != nil && e.TargetUntouched:
		return "The rewind failed. " + e.untouched()
	case e != nil:
		return "The rewind is not finished. No server starts on the target until it is: run it again."
	case d.Kind == Failed:
		return "The rewind failed."
	case d.Resumes && d.Kind == Plan:
		return "An interrupted rewind can be completed."
	case d.Resumes:
		return "An interrupted rewind is completed."
	case !d.Required:
		return "No rewind is required: " + d.Reason + "."
	case d.Kind == Plan:
		return "The target can be rewound. Nothing was changed yet."
	}
	return "The target is rewound and can follow the source."
}

// Summary writes a short summary of a rewind for people:
// the time and bytes of each phase, what need not be copied, what was lost. For a
// failed rewind it writes why it failed, and what it took until then.
func Summary(w io.Writer, d *Document, o Options) error {
	t := newText(o)
	t.flow("", "", d.Verdict())
	t.phases(d)
	if d.Error == nil {
		if len(d.Saved) > 0 {
			t.title("Not copied")
			t.saved(d)
		}
		t.lostInShort(d)
	}
	t.problems(d)
	_, err := w.Write(t.out.Bytes())
	return err
}
