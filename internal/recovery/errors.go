package recovery

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/pgdata"
)

// Sentinel errors for errors.Is.
var (
	// ErrRunning: a server has the data directory in use.
	ErrRunning = errors.New("a server is running in the data directory")
	// ErrPoisoned: a rewind of the cluster is unfinished, so no server starts.
	ErrPoisoned = errors.New("a rewind of this data directory is unfinished")
	// ErrInconsistent: the cluster was restored, and its files are not consistent yet.
	ErrInconsistent = errors.New("the cluster is not consistent yet")
	// ErrStillUnclean: crash recovery ended, but not with a clean shutdown.
	ErrStillUnclean = errors.New("the cluster is not shut down cleanly after crash recovery")
)

// ProgramError says that the single-user server did not bring the cluster to a
// clean shutdown. It wraps ErrStillUnclean and, if the run was cancelled, the
// context's error. The cluster is as it was before, or further recovered: recovery can be
// tried again.
type ProgramError struct {
	Command string            // quoted for a shell
	Output  []string          // the last lines that it wrote, oldest first
	State   controlfile.State // what the control file says now
	Err     error             // the error of running it; nil if it succeeded
}

func (e *ProgramError) Error() string {
	var b strings.Builder
	b.WriteString("postgres single-user mode in target cluster failed")
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	} else {
		fmt.Fprintf(&b, ": %v: its control file says %q", ErrStillUnclean, e.State)
	}
	if reason := e.Reason(); reason != "" {
		fmt.Fprintf(&b, ": %s", reason)
	}
	fmt.Fprintf(&b, "; correct that and try again; command was: %s", e.Command)
	return b.String()
}

// Reason is the server's error: its last FATAL or PANIC line with
// the detail and hint after it, or otherwise its last line.
func (e *ProgramError) Reason() string {
	for i := len(e.Output) - 1; i >= 0; i-- {
		if level := levelOf(e.Output[i]); level != "FATAL" && level != "PANIC" {
			continue
		}
		end := i + 1
		for end < len(e.Output) && (levelOf(e.Output[end]) == "DETAIL" || levelOf(e.Output[end]) == "HINT") {
			end++
		}
		return strings.Join(e.Output[i:end], " ")
	}
	if len(e.Output) == 0 {
		return ""
	}
	return e.Output[len(e.Output)-1]
}

// Unwrap returns ErrStillUnclean and the error with which the program ended.
func (e *ProgramError) Unwrap() []error { return []error{ErrStillUnclean, e.Err} }

// NotFoundError says that there is no server program of the cluster's major.
type NotFoundError struct {
	Version *pgdata.Version
	Program string   // the requested program; if set, nothing was searched
	BinDir  string   // the requested directory; if set, no other was searched
	Beside  string   // the directory of gorewind
	Unfit   []string // programs that were found, and what is wrong with each
}

func (e *NotFoundError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, `program "postgres" of PostgreSQL %s is needed but was not found `, e.Version)
	switch {
	case e.Program != "":
		fmt.Fprintf(&b, "at %q", e.Program)
	case e.BinDir != "":
		fmt.Fprintf(&b, "in the directory %q", e.BinDir)
	default:
		fmt.Fprintf(&b, "in the same directory as gorewind (%q), in PATH and in the usual places", e.Beside)
	}
	if len(e.Unfit) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(e.Unfit, "; "))
	}
	switch {
	case e.Program != "":
		b.WriteString("; specify another one with Options.ServerProgram")
	case e.BinDir != "":
		b.WriteString("; specify another one with Options.BinDir")
	default:
		b.WriteString("; specify its directory with Options.BinDir")
	}
	return b.String()
}
