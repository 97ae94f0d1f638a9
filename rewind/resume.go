package rewind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/recovery"
)

// ErrNothingToResume says that there is no committed rewind to complete.
var ErrNothingToResume = errors.New("there is no unfinished rewind to resume")

// errNoTargetDir refuses an empty name, which would mean the working directory.
var errNoTargetDir = fmt.Errorf("%w: a target data directory must be given", ErrOptions)

// Resume completes a rewind that was committed and is not finished, from what is on the
// target's own disks. Options.Source is not used. The error is an *Error.
func Resume(ctx context.Context, opts Options) error {
	opts.Source = nil
	r := newRewind(opts)
	defer r.Close()
	if opts.TargetDir == "" {
		return r.ended(errNoTargetDir)
	}
	_, earlier, err := r.openTarget()
	if err == nil && r.journal == nil {
		err = fmt.Errorf("%w in %q", ErrNothingToResume, opts.TargetDir)
		if earlier != nil {
			err = fmt.Errorf("%w: the rewind that was begun in place needs its source: run it again", err)
		}
	}
	if err != nil {
		return r.ended(err)
	}
	return r.Apply(ctx)
}

// resume completes what an earlier run committed.
func (r *Rewind) resume(ctx context.Context) error {
	if err := r.reach(ctx, PhaseApply); err != nil {
		return err
	}
	return r.finish(ctx, true)
}

// openTarget opens the target and reads what an earlier run left there: its journal,
// which is stored in r, or the plan of a rewind in place. It returns the control file
// with which the earlier run, or otherwise this one, began.
func (r *Rewind) openTarget() (control []byte, earlier *Plan, err error) {
	if r.target, err = r.open(); err != nil {
		return nil, nil, err
	}
	r.target.LogTo(r.log)
	if err := r.target.CheckNotRunning(); err != nil {
		return nil, nil, err
	}
	if _, err := recovery.RestoreSignalFiles(r.target.Dir); err != nil {
		return nil, nil, err
	}
	r.touched = r.target.Poisoned()
	j, err := r.target.Journal()
	r.touched = r.touched || j != nil
	switch {
	case err != nil:
		return nil, nil, err
	case j == nil:
		if !r.target.Readable() {
			return nil, nil, nil
		}
		control, err = r.target.ControlFile()
		return control, nil, err
	}
	notes, err := decodePlan(j.Notes)
	if err == nil && j.InPlace {
		err = notes.verifyEarlier()
	}
	switch {
	case err != nil && j.InPlace && !j.Done:
		return nil, nil, fmt.Errorf("%w: its plan for %q cannot be read: %w: take a base backup", apply.ErrLost, r.target.Name(), err)
	case err != nil:
		notes = new(Plan) // all that is needed is in the journal
	}
	if r.again = j.InPlace && !j.Done; r.again {
		return j.Control, notes, nil
	}
	r.journal, r.plan = j, notes.toResume()
	r.log.Info(fmt.Sprintf("an earlier rewind of this target, begun %s, was committed and did not end: it is completed without the source",
		j.Started.Local().Format(time.DateTime)), "target", r.target.Name(), "source", j.Source, "started", j.Started)
	return nil, nil, nil
}

// open opens the target. Without a readable control file it can only be compared.
func (r *Rewind) open() (*apply.Target, error) {
	t, err := apply.Open(r.opts.TargetDir, r.opts.disk)
	if err == nil && (r.opts.Resync != ResyncCompare || t.Readable()) || err != nil && (r.opts.Resync == NoResync || !errors.Is(err, datadir.ErrNoCluster)) {
		return t, err
	}
	if t != nil {
		_ = t.Close()
	}
	first := err
	if t, err = apply.OpenAny(r.opts.TargetDir, r.opts.disk); err != nil {
		return nil, cmp.Or(first, err)
	}
	empty, err := t.IsEmpty()
	if err == nil && !empty && r.opts.Resync != ResyncCompare {
		err = first
	}
	if err != nil {
		_ = t.Close()
		return nil, err
	}
	return t, nil
}

// State is the state of a data directory with respect to rewinding.
type State string

// The states.
const (
	StateClean      State = "clean"               // no rewind is under way
	StateStaged     State = "staged"              // an interrupted rewind left its staging area; the target is untouched
	StateUnfinished State = "unfinished"          // committed and not finished: no server starts; Resume or any rerun finishes it
	StateInPlace    State = "unfinished_in_place" // a rewind in place was interrupted: no server starts; a rerun with a source finishes it
	StateRewound    State = "rewound"             // a rewind is done; no server was started since
)

// Status is what ReadStatus finds out about a data directory.
type Status struct {
	FormatVersion int        `json:"format_version"` // 1
	Target        string     `json:"target"`
	State         State      `json:"state"`
	Running       bool       `json:"gorewind_running"`     // gorewind is working on it now
	ServerPID     int        `json:"server_pid,omitempty"` // of the server running in it
	ClusterState  string     `json:"cluster_state"`        // as pg_controldata prints it
	Source        string     `json:"source,omitempty"`     // of the unfinished rewind
	Started       *time.Time `json:"started,omitempty"`    // when that rewind began
	StagedBytes   int64      `json:"staged_bytes"`         // in the staging area
	Advice        string     `json:"advice"`               // what to do, in a sentence
}

// advice says what to do in each state.
var advice = map[State]string{
	StateClean:      "Nothing needs to be done.",
	StateStaged:     "The target is as it was. The next rewind removes what the interrupted one left in pgsql_tmp_gorewind.",
	StateUnfinished: "Finish the rewind with rewind.Resume, or by running it again with any source; no server starts until then.",
	StateInPlace:    "Run the rewind again with a source, and it goes on in place; no server starts until then.",
	StateRewound:    "Make it a standby of the source, if it is not one yet, and start it.",
}

// runningAdvice says what to do if a server is running. In the other states none can.
var runningAdvice = map[State]string{
	StateClean:   "A server is running here. Stop it before you rewind.",
	StateStaged:  "A server is running here. Stop it before you rewind; the next rewind removes what the interrupted one left in pgsql_tmp_gorewind.",
	StateRewound: "A server is running here: nothing needs to be done.",
}

// ReadStatus finds the state of a data directory, and changes nothing. The error is an
// *Error.
func ReadStatus(dir string) (*Status, error) {
	if dir == "" {
		return nil, Classify(errNoTargetDir)
	}
	t, err := apply.Inspect(dir)
	if err != nil {
		return nil, Classify(err)
	}
	s := &Status{
		FormatVersion: 1, Target: t.Name, State: StateClean, Running: t.Locked, ServerPID: t.ServerPID,
		ClusterState: t.Control.State.String(), StagedBytes: t.Bytes,
	}
	switch {
	case t.Rewound:
		s.State = StateRewound
	case t.Journal != nil:
		s.State, s.Source, s.Started = StateUnfinished, t.Journal.Source, &t.Journal.Started
		if t.Journal.InPlace {
			s.State = StateInPlace
		}
	case t.Staged:
		s.State = StateStaged
	}
	s.Advice = advice[s.State]
	if s.ServerPID != 0 {
		s.Advice = cmp.Or(runningAdvice[s.State], s.Advice)
	}
	if s.Running {
		s.Advice = "A rewind is running: wait for it."
	}
	return s, nil
}
