package rewind

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/target"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/timeline"
)

// Explained is an error in parts, as PostgreSQL's programs print them: a main
// line, which is pg_rewind's where that has one, and what else a reader should
// know.
type Explained struct {
	Err error // the main line; errors.Is and errors.As see it
	// Consequence is what could not be done because of it, where pg_rewind says
	// that, too, in a line of its own.
	Consequence string
	Detail      string // facts, in sentences
	Hint        string // what to do, in sentences
}

// Error puts all parts on one line.
func (e *Explained) Error() string {
	s := textOf(e.Err, "")
	if e.Consequence != "" {
		s += ": " + e.Consequence
	}
	if more := strings.TrimSpace(e.Detail + " " + e.Hint); more != "" {
		s += " (" + more + ")"
	}
	return s
}

// Unwrap gives the main line.
func (e *Explained) Unwrap() error { return e.Err }

// reworded says something else of an error.
type reworded struct {
	text string
	error
}

func (r *reworded) Error() string { return r.text }
func (r *reworded) Unwrap() error { return r.error }

const (
	stopAgain = "Start the server in it and stop it again."
	takeBase  = "Take a base backup."
	letItStop = "Start the server in it and stop it again, or have that done by Options.EnsureShutdown."
)

// fromWAL says where WAL can come from that the target lacks.
func (a *analyzer) fromWAL() string {
	if a.opts.RestoreTargetWAL { // whose archive was asked
		return "If you have that file elsewhere, copy it there, else take a base backup."
	}
	return "If an archive has that file, bring it back with Options.RestoreTargetWAL or copy it there, else take a base backup."
}

// explain takes errors of other packages apart.
func explain(err error) error {
	var already *Explained
	var control *controlfile.Error
	var history *timeline.ParseError
	var running *target.RunningError
	switch {
	case errors.As(err, &already):
		return err
	case errors.As(err, &control):
		return &Explained{Err: &reworded{control.Msg, err}, Detail: concerns(err, control), Hint: sentence(control.Hint)}
	case errors.As(err, &history):
		msg := history.Msg
		if history.Number > 0 {
			msg += ": " + history.Line
		}
		return &Explained{Err: &reworded{msg, err}, Detail: strings.TrimSpace(concerns(err, history) + " " + history.Hint)}
	case as[*SourceFileError](err):
		return &Explained{Err: err, Hint: "Leave the source alone, and run gorewind again."}
	case errors.As(err, &running):
		// In pg_rewind's eyes it is not shut down, which is why scripts look for this.
		return &Explained{
			Err: &reworded{ErrTargetNotClean.Error(), err}, Hint: "Stop it, and run gorewind again.",
			Detail: sentence(running.Fact()),
		}
	}
	return err
}

// unreadable says what can be done about files that may not be read.
func unreadable(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return &Explained{Err: err, Hint: "Make it readable, or, if it holds no data, keep the target's own with Options.Keep."}
}

// concerns says where an inner error is from, as far as what wraps it does.
func concerns(err, inner error) string {
	before, _, found := strings.Cut(err.Error(), ": "+inner.Error())
	if !found {
		return ""
	}
	return "This is about the " + before + "."
}

// sentence makes one of a part of a message.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// withHistory says whose timeline history could not be read.
func withHistory(err error, tli pgdata.TimelineID, what string) error {
	var bad *timeline.ParseError
	if errors.As(err, &bad) {
		return fmt.Errorf("timeline history of the %s: %w", what, err)
	}
	e := &Explained{Err: err, Detail: fmt.Sprintf("It is the history of timeline %d, which the %s is on.", tli, what)}
	if errors.Is(err, fs.ErrNotExist) {
		e.Err = &reworded{err.Error(), fmt.Errorf("%w: %w", ErrNoHistory, err)}
		e.Hint = "Copy it there from an archive or another server of the cluster."
	}
	return e
}
