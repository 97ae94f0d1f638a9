package rewind

import "github.com/gorewind/gorewind/report"

// Action is what to do next. Every [Error] has exactly one. The package comment has a
// table that gives the action for each condition.
type Action string

// The actions. Only ActionBaseBackup requires replacing the target's directory.
const (
	// ActionRetry: make the same call again later. Nothing else needs to be done, and the
	// target is unchanged.
	ActionRetry Action = "retry"
	// ActionRetryWithSource: make the same call again as soon as the source can be
	// reached. The target is unchanged, unless Error.NeedsSource is set: then it is partly
	// rewound in place, and no server starts on it until the rewind is finished.
	ActionRetryWithSource Action = "retry_with_source"
	// ActionResume: call Resume, or make the same call again. The rewind is committed, and
	// no server starts on the target until it is finished. Finishing it does not need the
	// source.
	ActionResume Action = "resume"
	// ActionFix: a person, or a program that knows the Condition, must change something
	// first; Explained.Hint says what. Then make the same call again.
	ActionFix Action = "fix"
	// ActionResync: the target's WAL does not show what differs. Make the same call again
	// with Options.Resync; if the problem is the control file, with ResyncCompare. A base
	// backup also works.
	ActionResync Action = "resync"
	// ActionBaseBackup: only a base backup helps. The target's directory is lost.
	ActionBaseBackup Action = "base_backup"
)

// Actions returns all actions, from the least work to the most.
func Actions() []Action {
	return []Action{ActionRetry, ActionRetryWithSource, ActionResume, ActionFix, ActionResync, ActionBaseBackup}
}

// String returns the action's name, which is also used in JSON. It will not change.
func (a Action) String() string { return string(a) }

// Advice describes the action in a sentence, for people.
func (a Action) Advice() string { return report.NextStep(a).Words() }

// IsWaiting reports whether it is enough to make the same call again later, so that a
// program can do it without help.
func (a Action) IsWaiting() bool {
	return a == ActionRetry || a == ActionRetryWithSource || a == ActionResume
}
