package pgsource

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gorewind/gorewind/source"
)

// TestWhatWasDeliveredIsNotAskedForAgain is about a connection that is lost
// between the last row of an answer and its end.
func TestWhatWasDeliveredIsNotAskedForAgain(t *testing.T) {
	work := newQueue[*request](t.Context())
	pl := planner{canName: func(path string) bool { return path != "caf\xe9" }, send: func(q *request) bool { return work.put(maxReady, q) }}
	for _, path := range []string{"caf\xe9", "other"} {
		pl.add(source.Range{Path: path, Length: 3})
	}
	pl.flush()
	f := &fetcher{work: work, inFlight: work.take(maxInFlight, true)}
	dst := new(ignore)
	assert.NoError(t, f.inFlight[0].deliver(0, [][]byte{{0, 0, 0, 0, 0, 0, 0, 1}, []byte("abc")}, dst))

	f.dropDelivered()
	assert.Len(t, f.inFlight, 1)
	assert.Equal(t, "other", f.inFlight[0].rows[0].path)
	assert.Equal(t, 1, work.taken)
	f.dropDelivered()
	assert.Len(t, f.inFlight, 1, "what was not delivered stays")
	assert.Equal(t, []string{"caf\xe9"}, dst.written)
}

type ignore struct{ written []string }

func (s *ignore) WriteAt(path string, _ []byte, _ int64) error {
	s.written = append(s.written, path)
	return nil
}

func (s *ignore) Vanished(string) error { return nil }
