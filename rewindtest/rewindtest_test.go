package rewindtest_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/rewindtest"
	"github.com/gorewind/gorewind/source"
)

func eachMajor(t *testing.T, test func(t *testing.T, o rewindtest.Options)) {
	for _, v := range pgdata.Versions() {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			test(t, rewindtest.Options{Major: v.Name})
		})
	}
}

// run rewinds a target, and returns the plan.
func run(t *testing.T, target string, src source.Source) (*rewind.Plan, error) {
	t.Helper()
	r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: target, Source: src, NoSync: true})
	if err != nil {
		return nil, err
	}
	defer func() { require.NoError(t, r.Close()) }()
	return r.Plan(), r.Apply(t.Context())
}

// mustBeRewound compares the target's bytes with what they should be: the source's,
// except for the block that only the source changed, which recovery replays.
func mustBeRewound(t *testing.T, p *rewindtest.Pair) {
	t.Helper()
	rewindtest.Equal(t, p.Target, p.Source, p.SourceEnd)
	read := func(dir, name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return b
	}
	before := rewindtest.New(t, rewindtest.Options{Major: p.Version.Name})
	const block, page = 2, 8192
	want := read(p.Source, "base/5/16384")
	copy(want[block*page:(block+1)*page], read(before.Target, "base/5/16384")[block*page:])
	assert.True(t, bytes.Equal(want, read(p.Target, "base/5/16384")), "base/5/16384")
	for _, name := range []string{"base/5/16401", p.Version.XactDir + "/0000", "postgresql.conf", p.Version.WALPath("00000002.history")} {
		assert.True(t, bytes.Equal(read(p.Source, name), read(p.Target, name)), name)
	}
	assert.NoFileExists(t, filepath.Join(p.Target, "base/5/16400"), "what only the target had is gone")
	assert.FileExists(t, filepath.Join(p.Target, pgdata.BackupLabelPath))
	c, err := controlfile.Read(p.Target)
	require.NoError(t, err)
	assert.Equal(t, controlfile.InArchiveRecovery, c.State)
	assert.Equal(t, pgdata.TimelineID(2), c.Timeline())
}

func TestThePairOfEveryMajorIsRewound(t *testing.T) {
	eachMajor(t, func(t *testing.T, o rewindtest.Options) {
		p := rewindtest.New(t, o)
		plan, err := run(t, p.Target, p.OpenSource(t))
		require.NoError(t, err)
		assert.True(t, plan.Required)
		assert.True(t, plan.Proven, "both sides' WAL shows where they diverge")
		assert.Equal(t, p.Fork, plan.Divergence)
		assert.Equal(t, p.Checkpoint, plan.Checkpoint.LSN)
		assert.Equal(t, 1, plan.Lost.Committed)
		mustBeRewound(t, p)
	})
}

func TestATargetInStepNeedsNoRewind(t *testing.T) {
	eachMajor(t, func(t *testing.T, o rewindtest.Options) {
		o.InStep = true
		p := rewindtest.New(t, o)
		plan, err := run(t, p.Target, p.OpenSource(t))
		require.NoError(t, err)
		assert.False(t, plan.Required)
	})
}

func TestAnInterruptedRewindIsFinishedWithoutItsSource(t *testing.T) {
	eachMajor(t, func(t *testing.T, o rewindtest.Options) {
		p := rewindtest.New(t, o)
		require.NoError(t, p.Interrupt(t.Context()))
		s, err := rewind.ReadStatus(p.Target)
		require.NoError(t, err)
		assert.Equal(t, rewind.StateUnfinished, s.State)
		c, err := controlfile.Read(p.Target)
		require.NoError(t, err)
		assert.True(t, poison.Is(c), "no server starts")
		require.NoError(t, rewind.Resume(t.Context(), rewind.Options{TargetDir: p.Target, NoSync: true}))
		mustBeRewound(t, p)
	})
}

func TestALiveSourceIsRewoundTo(t *testing.T) {
	for _, inRecovery := range []bool{false, true} {
		t.Run(fmt.Sprintf("in recovery: %t", inRecovery), func(t *testing.T) {
			eachMajor(t, func(t *testing.T, o rewindtest.Options) {
				p := rewindtest.New(t, o)
				live, err := rewindtest.OpenLive(t.Context(), p.Source)
				require.NoError(t, err)
				defer func() { require.NoError(t, live.Close()) }()
				live.InRecovery = inRecovery
				plan, err := run(t, p.Target, live)
				require.NoError(t, err)
				assert.True(t, plan.Source.State.Live)
				assert.Equal(t, p.Fork, plan.Divergence)
				mustBeRewound(t, p)
				assert.Zero(t, live.Held(), "its WAL is no longer held")
			})
		})
	}
}

func TestASlotIsMadeOnALiveSource(t *testing.T) {
	p := rewindtest.New(t, rewindtest.Options{})
	live, err := rewindtest.OpenLive(t.Context(), p.Source)
	require.NoError(t, err)
	defer func() { require.NoError(t, live.Close()) }()
	r, err := rewind.Prepare(t.Context(), rewind.Options{
		TargetDir: p.Target, Source: live, NoSync: true, PrimaryConnInfo: "host=new", Slot: "old_primary", MakeSlot: true,
	})
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	require.NoError(t, r.Apply(t.Context()))
	slots, err := live.Slots(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []source.Slot{{Name: "old_primary", Physical: true}}, slots)
	require.NoError(t, live.DropSlot(t.Context(), "old_primary"))
	assert.Error(t, live.DropSlot(t.Context(), "old_primary"))
}

var errInjected = errors.New("injected")

func TestARewindFailsInTheGivenPhase(t *testing.T) {
	for _, phase := range []rewind.Phase{rewind.PhaseInspect, rewind.PhaseAnalyze, rewind.PhaseStage, rewind.PhaseCommit, rewind.PhaseApply} {
		t.Run(string(phase), func(t *testing.T) {
			p := rewindtest.New(t, rewindtest.Options{})
			ctx := rewindtest.FailAt(t.Context(), phase, errInjected)
			r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: p.Target, Source: p.OpenSource(t), NoSync: true})
			if err == nil {
				err = r.Apply(ctx)
				require.NoError(t, r.Close())
			}
			require.ErrorIs(t, err, errInjected)
			var e *rewind.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, phase, e.Phase)
			assert.Equal(t, phase != rewind.PhaseApply, e.TargetUntouched)

			_, err = run(t, p.Target, p.OpenSource(t))
			require.NoError(t, err, "another run")
			mustBeRewound(t, p)
		})
	}
}

func TestALiveSourceFailsOnRequest(t *testing.T) {
	for _, c := range []struct {
		call, path string
		phase      rewind.Phase
	}{
		{"State", "", rewind.PhaseInspect},
		{"ReadFile", pgdata.ControlFilePath, rewind.PhaseInspect},
		{"Files", "", rewind.PhaseAnalyze},
		{"Fetch", "base/5/16401", rewind.PhaseStage},
	} {
		t.Run(c.call, func(t *testing.T) {
			p := rewindtest.New(t, rewindtest.Options{})
			live, err := rewindtest.OpenLive(t.Context(), p.Source)
			require.NoError(t, err)
			defer func() { require.NoError(t, live.Close()) }()
			live.Fail = func(call, path string) error {
				if call == c.call && path == c.path {
					return fmt.Errorf("%w: %w", source.ErrUnavailable, errInjected)
				}
				return nil
			}
			_, err = run(t, p.Target, live)
			require.ErrorIs(t, err, errInjected)
			var e *rewind.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, c.phase, e.Phase)
			assert.True(t, e.TargetUntouched)
			assert.True(t, e.Retryable())
		})
	}
}

func TestWithoutItsWALATargetNeedsABaseBackup(t *testing.T) {
	p := rewindtest.New(t, rewindtest.Options{})
	require.NoError(t, p.LoseWAL())
	_, err := run(t, p.Target, p.OpenSource(t))
	var e *rewind.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, rewind.MissingWAL, e.Condition)
	assert.True(t, e.BaseBackupNeeded())
}

func TestAPairThatCannotBeMadeIsAnError(t *testing.T) {
	_, err := rewindtest.Make(t.TempDir(), rewindtest.Options{Major: "9.5"})
	assert.ErrorContains(t, err, `there is no major "9.5"`)
	dir := t.TempDir()
	_, err = rewindtest.Make(dir, rewindtest.Options{})
	require.NoError(t, err)
	_, err = rewindtest.Make(dir, rewindtest.Options{})
	assert.ErrorIs(t, err, os.ErrExist)
}

// recorder is a test whose failures have no consequences.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Helper()                      {}
func (r *recorder) Errorf(f string, args ...any) { r.said += fmt.Sprintf(f, args...) }

func TestEqualReportsHowTwoDirectoriesDiffer(t *testing.T) {
	p, rewound := rewindtest.New(t, rewindtest.Options{Major: "18"}), rewindtest.New(t, rewindtest.Options{Major: "18"})
	_, err := run(t, rewound.Target, rewound.OpenSource(t))
	require.NoError(t, err)
	for _, c := range []struct {
		name   string
		a, b   string
		upTo   pgdata.LSN
		ignore []string
		says   []string
		not    []string
	}{
		{"a directory and itself", p.Source, p.Source, p.SourceEnd, nil, nil, nil},
		{
			"two that diverged", p.Target, p.Source, 0, nil,
			[]string{"base/5/16384: ", "\n  blocks 1 to 2: content", "base/5/16400: only in a", "base/5/16401: only in b", "postgresql.conf: content"},
			[]string{"pg_wal", "pg_xact"}, // both have ended as many transactions
		},
		{"without configuration", p.Target, p.Source, 0, []string{rewindtest.Configuration}, []string{"base/5/16384: "}, []string{"postgresql.conf"}},
		{
			"before any replay", rewound.Target, rewound.Source, 0, nil, []string{"base/5/16384: content\n  block 2: content"}, []string{"pg_wal", "block 1"},
		},
		{"replayed", rewound.Target, rewound.Source, rewound.SourceEnd, nil, nil, nil},
		{"replayed to where the block was not changed yet", rewound.Target, rewound.Source, rewound.Fork, nil, []string{"block 2: content"}, nil},
		{"WAL of the two", p.Target, p.Source, p.SourceEnd, []string{"base", rewindtest.Configuration}, []string{"pg_wal: differs from 0/200028 on"}, []string{"base"}},
		{"no data directory", p.Target, t.TempDir(), 0, nil, []string{"cannot be compared"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &recorder{TB: t}
			assert.Equal(t, c.says == nil, rewindtest.Equal(r, c.a, c.b, c.upTo, c.ignore...))
			for _, want := range c.says {
				assert.Contains(t, r.said, want)
			}
			for _, not := range c.not {
				assert.NotContains(t, r.said, not)
			}
			if c.says == nil {
				assert.Empty(t, r.said)
			}
		})
	}
}
