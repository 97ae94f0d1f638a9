package cluster

import (
	"github.com/gorewind/gorewind/pgdata"
)

// PauseReplay stops a standby's replay before the next record.
func (c *Cluster) PauseReplay(t T) {
	t.Helper()
	c.Exec(t, "SELECT "+c.In.dialect().pauseReplay+"()")
}

// ResumeReplay ends PauseReplay.
func (c *Cluster) ResumeReplay(t T) {
	t.Helper()
	c.Exec(t, "SELECT "+c.In.dialect().resumeReplay+"()")
}

// ReceiveLSN is the end of the WAL that a standby has received and flushed since
// its start, zero if it has received none.
func (c *Cluster) ReceiveLSN(t T) pgdata.LSN {
	t.Helper()
	return c.queryLSN(t, c.In.Version.SQL.ReceiveLSN+"()")
}

// CutOff leaves a standby without a primary, and does not change its replay. If
// primary_conninfo is read only at the start, the server is killed and started.
func (c *Cluster) CutOff(t T) {
	t.Helper()
	reload := c.In.dialect().reloadConnInfo
	if !reload {
		c.Stop(t, Immediate)
	}
	c.MakeStandbyOfNobody(t)
	if !reload {
		c.Start(t)
		return
	}
	c.Reload(t)
	c.waitFor(t, "the end of its WAL receiver", func() (bool, string) {
		n := c.QueryString(t, "SELECT count(*) FROM pg_stat_wal_receiver")
		return n == "0", n + " of them"
	})
}

// MakeStandbyOfNobody is MakeStandbyOf for a cluster whose primary is unreachable.
func (c *Cluster) MakeStandbyOfNobody(t T) {
	t.Helper()
	c.makeStandby(t, "host=/nowhere port=1 user=postgres")
}
