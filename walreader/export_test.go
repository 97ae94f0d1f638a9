package walreader

import "github.com/gorewind/gorewind/pgdata"

// LostScan finds out what is lost, from records one after the other.
type LostScan struct{ lostScan }

// NewLostScan takes records for those of the fork's segment.
func NewLostScan(f Format) *LostScan {
	s := scan{f: f}
	return &LostScan{s.newLost(0)}
}

// Add takes a record into account.
func (l *LostScan) Add(rec *Record) { l.add(rec) }

// Report is what was lost. Nothing can be added afterwards.
func (l *LostScan) Report() Lost { return l.report(l.blocks, pgdata.ChangedBlocks{}) }
