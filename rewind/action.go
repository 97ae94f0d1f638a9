package rewind

import "github.com/gorewind/gorewind/report"

// Action is what is to be done next. Every [Error] has exactly one. The package
// comment has a table of what leads to which.
type Action string

// The actions. Nobody has to wipe a directory but for ActionBaseBackup.
const (
	// ActionRetry: the same call again, later. Nobody need do anything but wait, and
	// the target is as it was.
	ActionRetry Action = "retry"
	// ActionRetryWithSource: the same call again, as soon as the source can be
	// reached. The target is as it was, unless Error.NeedsSource: then it is half
	// rewound in place, and no server starts on it before.
	ActionRetryWithSource Action = "retry_with_source"
	// ActionResume: Resume, or the same call again. The rewind is committed, and no
	// server starts on the target before it is finished, which takes no source.
	ActionResume Action = "resume"
	// ActionFix: somebody, or a program that knows the Condition, must change
	// something first; Explained.Hint says what. Then the same call again.
	ActionFix Action = "fix"
	// ActionResync: the target's WAL does not tell what differs. The same call again with
	// Options.Resync; where the control file is the trouble, with ResyncCompare. A base
	// backup does as well.
	ActionResync Action = "resync"
	// ActionBaseBackup: nothing else helps. The target's directory is lost.
	ActionBaseBackup Action = "base_backup"
)

// Actions are all of them, from the least trouble to the most.
func Actions() []Action {
	return []Action{ActionRetry, ActionRetryWithSource, ActionResume, ActionFix, ActionResync, ActionBaseBackup}
}

// String is the action's word, which is also that in JSON. It will not change.
func (a Action) String() string { return string(a) }

// Advice says it in a sentence, for people.
func (a Action) Advice() string { return report.NextStep(a).Words() }

// IsWaiting reports whether the same call, later, is all that it takes, so that a
// program can do it by itself.
func (a Action) IsWaiting() bool {
	return a == ActionRetry || a == ActionRetryWithSource || a == ActionResume
}
