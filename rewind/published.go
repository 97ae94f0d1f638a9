package rewind

import (
	"errors"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/recovery"
	"github.com/gorewind/gorewind/pgdata"
)

// ArchiveError says that restore_command or archive_command did not do what it was to do.
type ArchiveError struct {
	Setting    string // restore_command or archive_command
	Command    string // as it was run; it can hold passwords
	File       string // the name of the WAL file; empty where the command itself is wrong
	ExitStatus int    // of the last attempt; -1: a signal ended it
	Attempts   int    // zero: it was not run again
	// NotThere: the archive does not have the file, as the restore_command says by its
	// status, which a server would understand so, or a FetchWAL by its error.
	NotThere bool
	err      error
}

func (e *ArchiveError) Error() string { return textOf(e.err, e.Setting+" failed") }

// RecoveryError says that the single-user server did not complete the target's crash
// recovery, which Options.EnsureShutdown asks for.
type RecoveryError struct {
	Command string            // as a shell would take it
	Output  []string          // the last lines that the server wrote
	State   controlfile.State // what the control file says now
	err     error
}

func (e *RecoveryError) Error() string { return textOf(e.err, "crash recovery failed") }

// ServerProgramError says that the program "postgres" of the target's major, which crash
// recovery takes, was not found.
type ServerProgramError struct {
	Version *pgdata.Version
	BinDir  string   // the only directory where it was looked for; empty: in all usual places
	Unfit   []string // programs that were found, and what is wrong with each
	err     error
}

func (e *ServerProgramError) Error() string { return textOf(e.err, `program "postgres" was not found`) }

// ConfigError says what in the target's configuration a server would not start with.
type ConfigError struct {
	File     string
	Line     int      // from 1; zero where it is about Settings
	Settings []string // that exclude one another
	err      error
}

func (e *ConfigError) Error() string {
	return textOf(e.err, "the target's configuration cannot be read")
}

// textOf is an error's text, or that of one that somebody made without.
func textOf(err error, otherwise string) string {
	if err == nil {
		return otherwise
	}
	return err.Error()
}

// published is an error with what importers can know of it, where its own type is not
// for them.
type published struct {
	error
	public error
}

func (p *published) Unwrap() []error { return []error{p.error, p.public} }

// publish adds a type of this package to an error of a type that importers do not see.
func publish(err error) error {
	if public := publicOf(err); public != nil {
		return &published{err, public}
	}
	return err
}

func publicOf(err error) error {
	var (
		failed   *archive.CommandError
		notFound *archive.NotFoundError
		notSent  *archive.NotArchivedError
		program  *recovery.ProgramError
		nowhere  *recovery.NotFoundError
		syntax   *pgconf.SyntaxError
		several  *pgconf.SeveralTargetsError
	)
	switch {
	case errors.As(err, &failed):
		return &ArchiveError{Setting: failed.Setting, Command: failed.Command, ExitStatus: failed.ExitStatus, err: failed}
	case errors.As(err, &notFound):
		return &ArchiveError{
			Setting: "restore_command", Command: notFound.Command, File: notFound.Name, ExitStatus: notFound.ExitStatus,
			Attempts: notFound.Attempts, NotThere: notFound.Certain || notFound.Err == nil, err: notFound,
		}
	case errors.As(err, &notSent):
		return &ArchiveError{
			Setting: "archive_command", Command: notSent.Command, File: notSent.Name, ExitStatus: notSent.ExitStatus,
			Attempts: notSent.Attempts, err: notSent,
		}
	case errors.As(err, &program):
		return &RecoveryError{Command: program.Command, Output: program.Output, State: program.State, err: program}
	case errors.As(err, &nowhere):
		return &ServerProgramError{Version: nowhere.Version, BinDir: nowhere.BinDir, Unfit: nowhere.Unfit, err: nowhere}
	case errors.As(err, &syntax):
		return &ConfigError{File: syntax.File, Line: syntax.Line, err: syntax}
	case errors.As(err, &several):
		return &ConfigError{Settings: several.Settings, err: several}
	}
	return nil
}

// tell makes an error one that says what to do: with a hint, unless it has one, and of
// types that importers know.
func (v verdict) tell(err error, hint string) error {
	err = explain(err)
	if hint != "" && !isHinted(err, v.hint != hint) {
		e := &Explained{Err: err}
		if outer, is := err.(*Explained); is { //nolint:errorlint // what is inside says its hints later
			*e = *outer
		}
		if e.Hint != "" {
			e.Hint += " "
		}
		e.Hint += hint
		err = e
	}
	return publish(err)
}

// isHinted reports whether an error says what to do. Who is to finish a rewind is told so
// whatever else is to be done.
func isHinted(err error, finish bool) bool {
	if finish {
		return false
	}
	var e *Explained
	for ; errors.As(err, &e); err = e.Err {
		if e.Hint != "" {
			return true
		}
	}
	return false
}
