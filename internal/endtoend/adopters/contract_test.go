package adopters_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/rewindtest"
)

// row is what a manager makes of a situation.
type row[Next ~string] struct {
	situation string
	condition rewind.Condition // empty: the call succeeds
	connects  int              // how often it connects to the source
	next      Next
}

// manager is one that is tested.
type manager[Next ~string] struct {
	start Next // the server is started
	wipe  Next // the directory is given up
	// at returns its function for a place, which is called until the server starts.
	at func(p *place) func(ctx context.Context) (Next, error)
	// after decides about an error.
	after func(failed *rewind.Error) Next
}

// meets has a manager meet all situations.
func (m manager[Next]) meets(t *testing.T, table []row[Next]) {
	actions := map[rewind.Action]bool{}
	var known []string
	for _, r := range table {
		known = append(known, r.situation)
		bringAbout := situations[r.situation]
		require.NotNil(t, bringAbout, r.situation)
		t.Run(r.situation, func(t *testing.T) {
			p := newPlace(t, rewindtest.Options{InStep: r.situation == inStep})
			bringAbout(t, p)
			call, before := m.at(p), treeOf(t, p.Target)
			next, err := call(p.ctx(t.Context()))
			assert.Equal(t, r.next, next, "%v", err)
			assert.Equal(t, r.connects, p.opened, "connections")
			if r.condition == "" {
				require.NoError(t, err)
				assert.Equal(t, m.start, next)
				m.isACopy(t, p, r.situation)
				return
			}
			var failed *rewind.Error
			require.True(t, errors.As(err, &failed), "%v", err)
			actions[failed.Action] = true
			assert.Equal(t, r.condition, failed.Condition, "%v", err)
			assert.NotEqual(t, m.start, next, "no server starts after an error")
			if failed.TargetUntouched {
				assert.Empty(t, before.Diff(treeOf(t, p.Target)), "the target")
			} else if failed.Action != rewind.ActionBaseBackup {
				assert.Equal(t, rewind.StateUnfinished, stateOf(t, p.Target))
			}
			if failed.Action == rewind.ActionBaseBackup {
				assert.Equal(t, m.wipe, next)
				require.ErrorIs(t, err, rewind.ErrTargetLost)
				return
			}
			require.NotEqual(t, m.wipe, next, "it is recoverable")
			p.mend()
			next, err = call(t.Context())
			require.NoError(t, err, "when the cause is gone")
			assert.Equal(t, m.start, next)
			m.isACopy(t, p, r.situation)
		})
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(situations)), known, "situations in the table")
	assert.ElementsMatch(t, rewind.Actions(), slices.Collect(maps.Keys(actions)), "actions that the table leads to")
}

// decides has a manager decide about every action, and about one that there is not: it
// must not have a default, which could be to give a directory up.
func (m manager[Next]) decides(t *testing.T) {
	for _, a := range rewind.Actions() {
		next := m.after(&rewind.Error{Action: a})
		assert.NotEmpty(t, next, a)
		assert.NotEqual(t, m.start, next, a)
		assert.Equal(t, a == rewind.ActionBaseBackup, next == m.wipe, a)
	}
	assert.Empty(t, m.after(&rewind.Error{Action: "an action that is not known"}))
}

// isACopy says whether a server can start on the target, and has what the source has.
// Multigres has the rewind make it a standby.
func (m manager[Next]) isACopy(t *testing.T, p *place, situation string) {
	t.Helper()
	if situation == inStep {
		assert.Equal(t, rewind.StateClean, stateOf(t, p.Target))
		return
	}
	assert.Equal(t, rewind.StateRewound, stateOf(t, p.Target))
	rewindtest.Equal(t, p.Target, p.Source, p.SourceEnd, rewindtest.Configuration, "standby.signal")
}

func stateOf(t *testing.T, dir string) rewind.State {
	t.Helper()
	s, err := rewind.ReadStatus(dir)
	require.NoError(t, err)
	return s.State
}

// treeOf is a data directory without what a rewind leaves that was not committed.
func treeOf(t *testing.T, dir string) dirtree.Tree {
	t.Helper()
	tree, err := dirtree.Read(dir)
	require.NoError(t, err)
	return tree.Without(func(path string) bool { return strings.HasPrefix(path, "pgsql_tmp_gorewind") })
}

var quiet = slog.New(slog.DiscardHandler)
