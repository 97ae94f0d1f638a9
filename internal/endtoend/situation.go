package endtoend

import (
	"cmp"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/randomtest"
	"github.com/gorewind/gorewind/rewind"
)

// A Situation is a pair of servers for which a rewind was wrong once.
type Situation struct {
	Name    string // what is special about it
	Majors  []string
	Want    Wish
	Stopped Wish // for a stopped source, if different
	Resync  Wish // with a resync, if different from Rewound
	Make    func(l *Lab) Ends
}

// Wish is the correct outcome.
type Wish int

// The outcomes.
const (
	Either  Wish = iota + 1 // rewound or refused; the default
	Rewound                 // it must not be refused
	Refused                 // it must be refused
	Left                    // no rewind is required: the target can follow, even if the rewind is refused
	Never                   // it must not be tried
)

// Ends are both sides of a situation. The source runs.
type Ends struct {
	Target, Src *pgtest.Cluster
	Primary     *pgtest.Cluster // the primary of a source that stays a standby
	Opts        rewind.Options
	Asked       bool // the rewind itself makes the target a standby
	// Spoil damages the target so that it can no longer be copied.
	Spoil func(l *Lab, target *pgtest.Cluster)
	// Planned checks the plan that was carried out.
	Planned func(l *Lab, p *rewind.Plan)
	// After checks the target once it follows.
	After func(l *Lab, y *Try)
}

// OldestMiddleNewest are the majors on which situations are tried. make torture adds the
// next release, which is not available everywhere.
var OldestMiddleNewest = func() []string {
	majors := []string{"9.6", "13", "18"}
	if randomtest.Torture() > 0 {
		majors = append(majors, "19")
	}
	return majors
}()

// resync, from the environment, is the Resync option of all situations.
var resync = rewind.Resync(os.Getenv("GOREWIND_TEST_RESYNC"))

// TryEach creates each situation on its majors, and rewinds from the running source
// and from its directory after it is stopped.
func TryEach(t *testing.T, situations []Situation) {
	t.Helper()
	for _, s := range situations {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			majors := s.Majors
			if majors == nil {
				majors = OldestMiddleNewest
			}
			pgtest.EachOf(t, majors, func(t *testing.T, in *pgtest.Installation) {
				l := &Lab{t, in}
				s.tryBoth(l, s.Make(l))
			})
		})
	}
}

func (s Situation) tryBoth(l *Lab, e Ends) {
	l.Helper()
	second := e
	second.Target = e.Target.CloneStopped(l)
	if e.Spoil != nil {
		e.Spoil(l, e.Target)
		e.Spoil(l, second.Target)
	}
	first := &Try{Target: e.Target, Src: e.Src, Primary: e.Primary, Opts: e.Opts, Asked: e.Asked}
	o := first.Rewind(l)
	stopped := s.Stopped != Never
	if stopped { // following changes the source
		e.Src.Stop(l, pgtest.Fast)
		second.Src = e.Src.CloneStopped(l)
		e.Src.Start(l)
	}
	l.Run("live source", func(t *testing.T) { s.judge(&Lab{t, l.In}, first, o, s.Want, e) })
	e.Target.Stop(l, pgtest.Immediate)
	e.Src.Stop(l, pgtest.Immediate)
	if !stopped {
		return
	}
	l.Run("stopped source", func(t *testing.T) {
		y := &Try{Target: second.Target, Src: second.Src, Primary: second.Primary, Opts: second.Opts, Asked: e.Asked}
		s.judge(&Lab{t, l.In}, y, y.Rewind(t), cmp.Or(s.Stopped, s.Want), e)
	})
}

func (s Situation) judge(l *Lab, y *Try, o Outcome, want Wish, e Ends) {
	l.Helper()
	if resync != rewind.NoResync && want != Never {
		want = cmp.Or(s.Resync, Rewound)
	}
	if o.Err != nil {
		require.NoError(l, o.Refusal())
		if want == Rewound {
			l.Fatalf("it was refused: %v", o.Err)
		}
		l.Logf("refused: %v", o.Err)
		if want != Left {
			return
		}
	} else {
		l.Logf("a rewind was required: %v %s; the two diverged at %s; evidence: %s", o.Plan.Required, o.Plan.Reason, o.Plan.Divergence, o.Plan.Evidence)
	}
	if e.Planned != nil && o.Err == nil {
		e.Planned(l, o.Plan)
	}
	err := y.Follow(l)
	if want == Refused {
		l.Fatalf("it was not refused; as a standby: %v", err)
	}
	require.NoError(l, err, "the target, started as a standby")
	if e.After != nil {
		e.After(l, y)
	}
	y.Target.Stop(l, pgtest.Fast)
	require.NoError(l, Sound(y.Target.Dir))
}
