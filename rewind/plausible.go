package rewind

import (
	"fmt"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// No cluster has come near these: at ten gigabytes a second the one takes three
// years, the other, of WAL that no checkpoint followed, a day.
const (
	maxLSN             pgdata.LSN = 1 << 60
	maxSinceCheckpoint pgdata.LSN = 1 << 50
)

// checkPositions refuses a control file of the source with LSNs that cannot be.
// What loops over WAL relies on it.
func (r *Rewind) checkPositions(c *controlfile.Data) error {
	switch at := c.CheckPointCopy.Redo; {
	case max(c.CheckPoint, c.MinRecoveryPoint) >= maxLSN:
		return r.implausible("its control file has the checkpoint %s and the minimum recovery point %s", c.CheckPoint, c.MinRecoveryPoint)
	case at > c.CheckPoint || uint64(at) < uint64(c.Geometry.WALSegSize): // WAL begins with segment 1
		return r.implausible("its control file has the checkpoint %s with redo at %s", c.CheckPoint, at)
	}
	return nil
}

// checkWALEnd is checkPositions of what a running source says.
func (r *Rewind) checkWALEnd(s source.State) error {
	if r.live == nil {
		return nil
	}
	last := r.sourceControl.CheckPoint
	switch end := s.WALEnd(); {
	case end >= maxLSN || end > last && end-last > maxSinceCheckpoint:
		return r.implausible("it has WAL up to %s, and its last checkpoint at %s", end, last)
	case !s.InRecovery && s.FlushLSN <= last:
		return r.implausible("it has WAL up to %s, and its last checkpoint at %s, which is later", s.FlushLSN, last)
	}
	return nil
}

func (r *Rewind) implausible(what string, a, b pgdata.LSN) error {
	v := r.sourceControl.Version
	return fmt.Errorf("the source %s says that "+what+", which cannot be: %w", r.opts.Source, v.FormatLSN(a), v.FormatLSN(b), ErrSourceUntrusted)
}
