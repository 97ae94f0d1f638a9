package pgsource

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestHowManyConnectionsWhereNobodySays(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, c := range []struct {
		name     string
		cores    int
		answered time.Duration
		want     int
	}{
		{"one core and a server that is near", 1, 2 * time.Millisecond, 4},
		{"some cores", 3, 2 * time.Millisecond, 6},
		{"many cores", 64, 2 * time.Millisecond, 8},
		{"one core and a server that is far away", 1, 10 * time.Millisecond, 8},
		{"many cores and a server that is far away", 64, 10 * time.Millisecond, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			runtime.GOMAXPROCS(c.cores)
			assert.Equal(t, c.want, defaultJobs(c.answered))
		})
	}
}
