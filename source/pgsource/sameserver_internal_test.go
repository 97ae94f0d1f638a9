package pgsource

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/source"
)

func TestWhichSessionsAreToTheSamePostmaster(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	run := func(started time.Time) postmaster {
		return postmaster{started: started, pid: 7, dir: "/data", socket: "5432", address: "10.0.0.1"}
	}
	anotherProcess, anotherDir, anotherPort, anotherAddress := run(start), run(at(1000)), run(at(1000)), run(at(1000))
	anotherProcess.pid, anotherDir.dir, anotherPort.socket, anotherAddress.address = 8, "/other", "5433", "10.0.0.2"
	reached := run(start)
	reached.address = "10.0.0.2"
	for _, test := range []struct {
		name                    string
		run                     postmaster
		witnessed, others       bool
		notAtOnce, never, again bool // again: it is another run of the same server
	}{
		{name: "another session vouches for it", run: run(start), witnessed: true, others: true},
		{name: "another session vouches for it, the last one that is left", run: run(start), witnessed: true},
		{name: "it came to another address of the server", run: reached, witnessed: true, others: true},
		{name: "all were lost, and the postmaster lives", run: run(start)},
		{name: "nobody vouches for it although there are others: a virtual machine that was cloned, or all were lost", run: run(start), others: true, notAtOnce: true},
		{name: "all were lost in a restart", run: run(at(100.5)), again: true},
		{name: "nobody noticed yet that all were lost in a restart", run: run(at(100.5)), others: true, notAtOnce: true},
		{name: "it started before the first one was last heard", run: run(at(99.5)), never: true},
		{name: "it started before the first one did", run: run(at(-5)), never: true},
		{name: "it started a microsecond later than the first one", run: run(start.Add(time.Microsecond)), never: true},
		{name: "it started at the same microsecond, as another process", run: anotherProcess, never: true},
		{name: "it started later, from another directory", run: anotherDir, never: true},
		{name: "it started later, on another port", run: anotherPort, never: true},
		{name: "it started later, on another address", run: anotherAddress, never: true},
		{name: "somebody claims to vouch for another run", run: run(at(50)), witnessed: true, others: true, never: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newProof()
			assert.False(t, p.begun())
			require.NoError(t, p.admit(&identity{run: run(start), clock: at(10)}, false, "server"))
			assert.True(t, p.begun())
			first := run(start)
			p.noteAnswer(&session{run: &first, clock: at(10), clockRead: at(5000)}, at(5090.09009009009009)) // by our clock
			assert.WithinDuration(t, at(100), p.alive, time.Millisecond)

			err := p.admit(&identity{run: test.run, clock: at(2000), witnessed: test.witnessed}, test.others, "server on x:1")
			switch {
			case test.never:
				require.ErrorIs(t, err, source.ErrChanged)
				assert.ErrorContains(t, err, "server on x:1")
				assert.ErrorContains(t, err, "load balancer")
				assert.ErrorContains(t, err, "name one server")
				assert.False(t, isTemporary(err))
			case test.notAtOnce:
				require.ErrorIs(t, err, errUnproven)
				assert.True(t, isTemporary(err))
			default:
				require.NoError(t, err)
				assert.Equal(t, at(2000), p.alive)
			}
			if err != nil {
				assert.Equal(t, first, *p.run, "what is refused changes nothing")
				assert.WithinDuration(t, at(100), p.alive, time.Millisecond)
			}
			p.noteAnswer(&session{run: &first, clock: at(10), clockRead: at(0)}, at(5000))
			assert.Equal(t, test.again, p.alive.Before(at(4000)), "what an earlier run said does not count any more")
		})
	}
}

func TestTwoProofsHaveDifferentLocks(t *testing.T) {
	assert.NotEqual(t, newProof().holdSQL(), newProof().holdSQL())
}

func FuzzPIDFile(f *testing.F) {
	f.Add([]byte("123\n/data\n1700000000\n5432\n/tmp\nlocalhost\n  5432001         3\nready   \n"))
	f.Add([]byte("123"))
	f.Add([]byte("\n\x1b[31m\n\n\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		var m postmaster
		m.readPIDFile(content)
		text := (&balancedError{"server", &m, &m}).Error()
		assert.Less(t, len(text), 2000)
		for _, r := range text {
			assert.GreaterOrEqual(t, r, ' ')
		}
		assert.True(t, m.is(&m))
		assert.False(t, m.mayFollow(&m, m.started))
	})
}

func TestAPIDFileTellsWhereTheServerIs(t *testing.T) {
	var m postmaster
	m.readPIDFile([]byte("123\n/data\n1700000000\n5432\n/tmp\nlocalhost\n  5432001         3\nready   \n"))
	assert.Equal(t, postmaster{pid: 123, dir: "/data", socket: `"5432" "/tmp"`}, m)
}

func TestAPoolerIsNoTemporaryTrouble(t *testing.T) {
	assert.False(t, isTemporary(errors.Join(&PoolerError{})))
}
