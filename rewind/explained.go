package rewind

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/timeline"
)

// Explained is an error in parts, as PostgreSQL's programs print them: a main line,
// which is pg_rewind's if that has one, and more information.
type Explained struct {
	Err error // the main line; errors.Is and errors.As match it
	// Consequence says what could not be done because of the error, if pg_rewind also says
	// that in a line of its own.
	Consequence string
	Detail      string // facts, in sentences
	Hint        string // what to do, in sentences
}

// Error joins all parts in one line.
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

// Unwrap returns the main line's error.
func (e *Explained) Unwrap() error { return e.Err }

// reworded replaces the text of an error.
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

// fromWAL says where WAL that the target lacks may come from.
func (a *analyzer) fromWAL() string {
	if a.opts.RestoreTargetWAL { // the archive was asked already
		return "If you have that file elsewhere, copy it there, else take a base backup."
	}
	return "If an archive has that file, bring it back with Options.RestoreTargetWAL or copy it there, else take a base backup."
}

// explain splits errors of other packages into parts.
func explain(err error) error {
	var already *Explained
	var control *controlfile.Error
	var history *timeline.ParseError
	var running *apply.RunningError
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
	case as[*apply.SourceFileError](err), as[*SourceFileError](err):
		return &Explained{Err: err, Hint: "Leave the source alone, and run gorewind again."}
	case errors.As(err, &running):
		// To pg_rewind such a target is not shut down cleanly, and scripts look for its
		// words.
		return &Explained{
			Err: &reworded{ErrTargetNotClean.Error(), err}, Hint: "Stop it, and run gorewind again.",
			Detail: sentence(running.Fact()),
		}
	}
	return err
}

// unreadable says what to do about files that cannot be read.
func unreadable(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return &Explained{Err: err, Hint: "Make it readable, or, if it holds no data, keep the target's own with Options.Keep."}
}

// concerns says what an inner error is about, taken from the text that wraps it.
func concerns(err, inner error) string {
	before, _, found := strings.Cut(err.Error(), ": "+inner.Error())
	if !found {
		return ""
	}
	return "This is about the " + before + "."
}

// sentence turns a part of a message into a sentence.
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
