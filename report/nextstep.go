package report

// NextStep is what is to be done after an error.
type NextStep string

// The next steps. Package rewind says more of them.
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

// Words say it in a sentence, for people.
func (s NextStep) Words() string {
	switch s {
	case StepRetry:
		return "The same may succeed later: run it again."
	case StepRetryWithSource:
		return "Run the same again as soon as the source can be reached."
	case StepResume:
		return "Run the rewind again, or resume it: the source is not needed."
	case StepFix:
		return "Trying again does not help before that is corrected."
	case StepResync:
		return "The target's WAL does not tell what differs: resync the target, or take a base backup."
	case StepBaseBackup:
		return "No further attempt can succeed: take a base backup."
	}
	return ""
}
