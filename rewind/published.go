package rewind

import (
	"errors"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/recovery"
	"github.com/gorewind/gorewind/pgdata"
)

// ArchiveError says that restore_command or archive_command failed.
type ArchiveError struct {
	Setting    string // restore_command or archive_command
	Command    string // as it was run; it may contain passwords
	File       string // the name of the WAL file; empty if the command itself is wrong
	ExitStatus int    // of the last attempt; -1 if a signal ended it
	Attempts   int    // zero if it was not tried again
	// NotThere: the archive does not have the file. restore_command says so by its exit
	// status, as a server would understand it, and FetchWAL by its error.
	NotThere bool
	err      error
}

func (e *ArchiveError) Error() string { return textOf(e.err, e.Setting+" failed") }

// FetchWALError says that Options.FetchWAL failed on every attempt. Trying again later
// may help.
type FetchWALError struct {
	Name     string // of the WAL file
	Attempts int
	// Err is the error of the last attempt. It is not unwrapped: what it wraps, such as
	// fs.ErrNotExist or the end of its own context, would be mistaken for another
	// problem.
	Err error
}

func (e *FetchWALError) Error() string { return (*archive.FetchError)(e).Error() }

// SpaceError says that a file system does not have enough free space.
type SpaceError struct {
	Dir    string // a directory on that file system
	Needed int64  // bytes
	Free   int64  // bytes
	// InPlace: the rewind was to write in place, which needs the least.
	InPlace bool
	// Restored: the space is needed for WAL from an archive. There may be more of that
	// than Needed.
	Restored bool
}

func (e *SpaceError) Error() string { return (*apply.SpaceError)(e).Error() }

// SourceFileError says that a file of a stopped source changed while it was copied.
type SourceFileError struct {
	Path     string // in the source's data directory
	Gone     bool   // it no longer exists
	Expected int64  // bytes to copy
	Copied   int64  // bytes that there were
}

func (e *SourceFileError) Error() string { return (*apply.SourceFileError)(e).Error() }

// Obstacles holds all the reasons why a target cannot be rewound as it is, such as
// files that cannot be written and file systems without enough space.
type Obstacles []error

func (o Obstacles) Error() string { return apply.Obstacles(o).Error() }

// Unwrap returns all of them.
func (o Obstacles) Unwrap() []error { return o }

// RecoveryError says that the single-user server did not complete the target's crash
// recovery, which Options.EnsureShutdown asks for.
type RecoveryError struct {
	Command string            // in shell syntax
	Output  []string          // the last lines that the server wrote
	State   controlfile.State // what the control file says now
	err     error
}

func (e *RecoveryError) Error() string { return textOf(e.err, "crash recovery failed") }

// ServerProgramError says that the program "postgres" of the target's major version was
// not found. Crash recovery needs it.
type ServerProgramError struct {
	Version *pgdata.Version
	Program string   // the only program that was tried: Options.ServerProgram
	BinDir  string   // the only directory that was searched; if both are empty, all usual places were
	Unfit   []string // programs that were found, and what is wrong with each
	err     error
}

func (e *ServerProgramError) Error() string { return textOf(e.err, `program "postgres" was not found`) }

// ConfigError says what in the target's configuration would keep a server from
// starting.
type ConfigError struct {
	File     string
	Line     int      // from 1; zero if the error is about Settings
	Settings []string // settings that exclude each other
	err      error
}

func (e *ConfigError) Error() string {
	return textOf(e.err, "the target's configuration cannot be read")
}

// textOf returns an error's text, or a default if the struct was made without an error.
func textOf(err error, otherwise string) string {
	if err == nil {
		return otherwise
	}
	return err.Error()
}

// published is an error together with a public type for it, because its own type is
// internal.
type published struct {
	error
	public error
}

func (p *published) Unwrap() []error { return []error{p.error, p.public} }

// publish adds a type of this package to an error whose own type is internal.
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
		notGot   *archive.FetchError
		file     *apply.SourceFileError
		space    *apply.SpaceError
		reasons  apply.Obstacles
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
		return &ServerProgramError{Version: nowhere.Version, Program: nowhere.Program, BinDir: nowhere.BinDir, Unfit: nowhere.Unfit, err: nowhere}
	case errors.As(err, &syntax):
		return &ConfigError{File: syntax.File, Line: syntax.Line, err: syntax}
	case errors.As(err, &several):
		return &ConfigError{Settings: several.Settings, err: several}
	case errors.As(err, &notGot):
		return (*FetchWALError)(notGot)
	case errors.As(err, &file):
		return (*SourceFileError)(file)
	case errors.As(err, &reasons): // before the space that may be one of them
		all := make(Obstacles, len(reasons))
		for i, reason := range reasons {
			all[i] = publish(reason)
		}
		return all
	case errors.As(err, &space):
		return (*SpaceError)(space)
	}
	return nil
}

// tell gives an error a hint, unless it has one, and makes it one of this package's
// types.
func (v verdict) tell(err error, hint string) error {
	err = explain(err)
	if hint != "" && !isHinted(err, v.hint != hint) {
		e := &Explained{Err: err}
		if outer, is := err.(*Explained); is { //nolint:errorlint // errors inside add their hints later
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

// isHinted reports whether an error says what to do. With finish it reports false, so
// that the hint to finish the rewind is added to whatever else is said.
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
