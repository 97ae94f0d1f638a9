package report

// NextStep is what to do after an error. The values are those of rewind.Action, which says more
// about each; documents are also read by programs that do not import package rewind.
type NextStep string

// The next steps. Package rewind has the details.
const (
	StepRetry           NextStep = "retry"
	StepRetryWithSource NextStep = "retry_with_source"
	StepResume          NextStep = "resume"
	StepFix             NextStep = "fix"
	StepResync          NextStep = "resync"
	StepBaseBackup      NextStep = "base_backup"
)

// NextSteps are all of them.
func NextSteps() []NextStep {
	return []NextStep{StepRetry, StepRetryWithSource, StepResume, StepFix, StepResync, StepBaseBackup}
}

// Words is a sentence for people.
func (s NextStep) Words() string {
	switch s {
	case StepRetry:
		return "It may succeed later: run the same again."
	case StepRetryWithSource:
		return "Run the same again as soon as the source can be reached."
	case StepResume:
		return "Run the rewind again, or resume it: the source is not needed."
	case StepFix:
		return "Trying again does not help until that is corrected."
	case StepResync:
		return "The target's WAL does not show what differs: resync the target, or take a base backup."
	case StepBaseBackup:
		return "No further attempt can succeed: take a base backup."
	}
	return ""
}
