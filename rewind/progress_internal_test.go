package rewind

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTheRateIsRecentAndZeroDuringAnOutage(t *testing.T) {
	start := time.Unix(1000, 0)
	var s speedometer
	at := func(second int, p Progress) Progress {
		p.TotalBytes = 1000
		s.measure(start.Add(time.Duration(second)*time.Second), &p)
		return p
	}
	assert.Zero(t, at(0, Progress{Activity: Copying}).Rate, "nothing came yet")
	p := at(1, Progress{Activity: Copying, DoneBytes: 100})
	assert.EqualValues(t, 100, p.Rate)
	assert.Equal(t, 9*time.Second, p.Remaining)
	p = at(2, Progress{Activity: Copying, DoneBytes: 100, Waiting: time.Second})
	assert.Zero(t, p.Rate, "the source is lost")
	assert.Zero(t, p.Remaining)
	at(100, Progress{Activity: Copying, DoneBytes: 100, Waiting: 99 * time.Second})
	p = at(101, Progress{Activity: Copying, DoneBytes: 300})
	assert.EqualValues(t, 200, p.Rate, "the outage does not count")
	p = at(102, Progress{Activity: Applying, DoneFiles: 5})
	assert.Zero(t, p.Rate, "another activity has a rate of its own")
}
