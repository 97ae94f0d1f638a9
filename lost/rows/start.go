package rows

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"

	"github.com/gorewind/gorewind/internal/xidset"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// maxSteps limits how many checkpoints to go back for a long transaction.
const maxSteps = 1000

// start finds where to begin reading. A transaction that committed after the fork may
// have begun before it, and what it did there is lost as well. So start goes back from
// checkpoint to checkpoint, to one that was made before any of these began. If the WAL
// does not reach back that far, whole is false.
func (f *Finder) start(ctx context.Context, oldest uint32) (at pgdata.LSN, whole bool, err error) {
	o := &f.o
	r := walreader.NewReader(o.WAL, o.Format)
	defer func() { _ = r.Close() }()
	rec, err := r.ReadRecord(ctx, o.Fork)
	if err != nil {
		return 0, false, err
	}
	at = o.Fork
	req := walreader.ScanRequest{Fork: o.Fork, End: rec.End, Jobs: 1}
	for range maxSteps {
		found, err := walreader.Scan(ctx, o.WAL, o.Format, req)
		if errors.Is(err, fs.ErrNotExist) {
			return at, false, nil
		}
		if err != nil {
			return 0, false, err
		}
		checkpoint := found.Checkpoint
		// Its redo point must be there, too.
		if _, err := r.ReadRecord(ctx, checkpoint.Redo); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return at, false, nil
			}
			return 0, false, err
		}
		if rec, err = r.ReadRecord(ctx, checkpoint.LSN); err != nil {
			return 0, false, err
		}
		at = checkpoint.Redo
		next := binary.LittleEndian.Uint32(rec.MainData[o.Format.Version.WAL.CheckPointNextXid:])
		if !xidset.Before(oldest, next) {
			return at, true, nil
		}
		req.Before = checkpoint.LSN
	}
	return at, false, nil
}
