package rewind

import (
	"bytes"
	"encoding/gob"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// knowledge is what a next run must know of one that does not end. Of a staged
// rewind that is what it is about, the rest is in the journal. One in place
// overwrites, with the target's files, what its analysis came from, so the next
// run takes that from here.
type knowledge struct {
	Divergence         pgdata.LSN
	DivergenceTimeline pgdata.TimelineID
	Checkpoint         walreader.Checkpoint
	Scan               ScanSummary

	// In place only.
	History  timeline.History // the target's
	EndOfWAL pgdata.LSN
	Changed  []changedFile     // what the target changed, and what rewinds wrote
	Suspect  map[string]bool   // other files that may be half written
	Recovery map[string][]byte // the target's own recovery.conf
}

type changedFile struct {
	Segment pgdata.RelSegment
	Blocks  *pgdata.BlockSet
}

func (k *knowledge) encode() ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(k)
	return b.Bytes(), err
}

func decodeKnowledge(b []byte) (*knowledge, error) {
	k := new(knowledge)
	err := gob.NewDecoder(bytes.NewReader(b)).Decode(k)
	return k, err
}

// plan is that of a rewind that only has to be completed.
func (k *knowledge) plan() *Plan {
	return &Plan{
		Required: true, Resumes: true, Divergence: k.Divergence, DivergenceTimeline: k.DivergenceTimeline,
		Checkpoint: k.Checkpoint, Scan: k.Scan,
	}
}

// newKnowledge is what there is to know of a plan.
func newKnowledge(p *Plan) *knowledge {
	return &knowledge{Divergence: p.Divergence, DivergenceTimeline: p.DivergenceTimeline, Checkpoint: p.Checkpoint, Scan: p.Scan}
}

// addInPlace adds what a rewind in place will destroy: how the target was, and
// that what it is about to write can be half written when the next run looks.
func (k *knowledge) addInPlace(p *Plan, changed pgdata.ChangedBlocks, earlier *knowledge) {
	k.History, k.EndOfWAL = p.Target.History, p.Target.EndOfWAL
	k.Suspect = map[string]bool{}
	if earlier != nil {
		for name := range earlier.Suspect {
			k.Suspect[name] = true
		}
	}
	size := int64(p.Files.Geometry.BlockSize)
	for i := range p.Files.Entries {
		e := &p.Files.Entries[i]
		segment, isRelation := pgdata.ParseRelPath(p.Version, e.Path)
		if !isRelation && e.FetchBytes(p.Files.Geometry)+e.LocalBytes+e.Unwritten > 0 {
			k.Suspect[e.Path] = true
		}
		if !isRelation || e.Action != filemap.Copy && e.Action != filemap.CopyTail {
			continue
		}
		blocks := changed[segment]
		if blocks == nil {
			blocks = new(pgdata.BlockSet)
			changed[segment] = blocks
		}
		for at := e.TargetSize / size * size; at < e.Limit(); at += size {
			blocks.Add(pgdata.BlockNumber(at / size))
		}
	}
	k.Changed = changedFiles(changed)
}

func changedFiles(changed pgdata.ChangedBlocks) []changedFile {
	list := make([]changedFile, 0, len(changed))
	for segment, blocks := range changed {
		list = append(list, changedFile{segment, blocks})
	}
	return list
}

// changed gives back what was saved.
func (k *knowledge) changed() pgdata.ChangedBlocks {
	c := pgdata.ChangedBlocks{}
	for _, f := range k.Changed {
		c[f.Segment] = f.Blocks
	}
	return c
}
