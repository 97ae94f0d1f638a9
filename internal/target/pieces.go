package target

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"
)

const (
	// maxPieceLength is more than a source sends at once.
	maxPieceLength = 64 << 20
	// maxBatch is how many pieces of a file are handed over together.
	maxBatch = 256
)

// batch are pieces of one step, in the order in which they came.
type batch struct {
	step   *Step
	pieces []piece
}

// pieces hands the staged pieces of the steps that want them to several workers,
// all of one step to the same. worker makes what takes them, and done ends it.
func (a *applier) pieces(ctx context.Context, wants func(*Step) bool, worker func() (use func(batch) error, done func() error)) error {
	if a.j.Records == 0 {
		return nil
	}
	steps := map[uint32]*Step{}
	for i := range a.j.Steps {
		if s := &a.j.Steps[i]; wants(s) {
			steps[uint32(s.ID)] = s
		}
	}
	if len(steps) == 0 {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	queues, open := make([]chan batch, workers()), make([]batch, workers())
	for i := range queues {
		queues[i] = make(chan batch, 4)
		g.Go(func() error {
			use, done := worker()
			for b := range queues[i] {
				if err := use(b); err != nil {
					return errors.Join(err, done())
				}
			}
			return done()
		})
	}
	send := func(i int) error {
		b := open[i]
		open[i] = batch{}
		select {
		case queues[i] <- b:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	g.Go(func() error {
		defer func() {
			for _, q := range queues {
				close(q)
			}
		}()
		err := readIndex(a.t.disk, indexPath, a.j.Records, a.j.IndexCRC, func(p piece) error {
			s := steps[p.id]
			if err := ctx.Err(); err != nil || s == nil {
				return err
			}
			if p.length > maxPieceLength {
				return errDamaged
			}
			i := int(p.id) % len(queues)
			if b := &open[i]; b.step != nil && (b.step != s || len(b.pieces) == maxBatch) {
				if err := send(i); err != nil {
					return err
				}
			}
			open[i].step, open[i].pieces = s, append(open[i].pieces, p)
			return nil
		})
		if errors.Is(err, errDamaged) {
			return a.t.lost(indexPath, err)
		}
		for i := range open {
			if err == nil && open[i].step != nil {
				err = send(i)
			}
		}
		return err
	})
	return g.Wait()
}

// stagedFile is where a step's pieces lie.
func (a *applier) stagedFile(s *Step) string {
	if s.Do == Replace {
		return string(s.Staged)
	}
	return a.j.Areas[s.Area].blocks()
}

// writePieces writes changed blocks and tails. They are what this process staged,
// or what checkStaged found to be as it was staged.
func (a *applier) writePieces(ctx context.Context) error {
	isWritten := func(s *Step) bool { return s.Do == Write || s.Do == Truncate }
	flush := flusher(a.t.disk, a.j.Sync)
	return a.pieces(ctx, isWritten, func() (func(batch) error, func() error) {
		var from, to handles
		var dirty int64
		return func(b batch) error {
			staged, p := a.stagedFile(b.step), string(b.step.Path)
			err := from.use(staged, func() (File, error) { return a.t.disk.Open(staged, os.O_RDONLY, 0) }, func(src File) error {
				err := to.use(p, func() (File, error) { return a.t.disk.Open(p, os.O_WRONLY, 0) }, func(dst File) error {
					n, err := a.copyPieces(dst, src, b.pieces)
					if dirty += n; dirty >= flushEvery {
						dirty = 0
						flush(dst)
					}
					return err
				})
				if err != nil && !errors.Is(err, errDamaged) {
					return a.t.failed("write", p, err)
				}
				return err
			})
			if errors.Is(err, errDamaged) {
				return a.t.lost(staged, err)
			}
			return err
		}, func() error { return errors.Join(from.close(), to.close()) }
	})
}

// What is staged in one stretch is read at once where its pieces are small: to have the
// kernel copy a block costs more than to read and to write it.
const (
	gatherBelow = 64 << 10
	maxGather   = 1 << 20
)

// copyPieces copies pieces, neighbours together, and gives how many bytes they were.
func (a *applier) copyPieces(dst, src File, pieces []piece) (bytes int64, err error) {
	for i := 0; i < len(pieces); {
		if n, length := gather(pieces[i:]); n > 1 {
			if err := copyGathered(dst, src, pieces[i:i+n], length); err != nil {
				return bytes, err
			}
			bytes, i = bytes+length, i+n
			continue
		}
		offset, at, length := pieces[i].offset, pieces[i].at, int64(0)
		for ; i < len(pieces) && pieces[i].offset == offset+length && pieces[i].at == at+length; i++ {
			length += int64(pieces[i].length)
		}
		n, err := a.t.disk.CopyRange(dst, offset, src, at, length)
		bytes += n
		if err != nil {
			return bytes, err
		}
		if n < length {
			return bytes, errDamaged
		}
	}
	return bytes, nil
}

// gather counts the small pieces at the beginning that are staged behind each other.
func gather(pieces []piece) (n int, length int64) {
	for _, p := range pieces {
		if p.length >= gatherBelow || p.at != pieces[0].at+length || length+int64(p.length) > maxGather {
			break
		}
		n, length = n+1, length+int64(p.length)
	}
	return n, length
}

// copyGathered copies pieces that are staged in one stretch.
func copyGathered(dst, src File, pieces []piece, length int64) error {
	buf := gathered.Get().(*[maxGather]byte)
	defer gathered.Put(buf)
	b := buf[:length]
	if n, err := src.ReadAt(b, pieces[0].at); n < len(b) && (err == nil || errors.Is(err, io.EOF)) {
		return errDamaged
	} else if n < len(b) {
		return err
	}
	for i := 0; i < len(pieces); {
		offset, run := pieces[i].offset, int64(0)
		for ; i < len(pieces) && pieces[i].offset == offset+run; i++ {
			run += int64(pieces[i].length)
		}
		if _, err := dst.WriteAt(b[:run], offset); err != nil {
			return err
		}
		b = b[run:]
	}
	return nil
}

var gathered = sync.Pool{New: func() any { return new([maxGather]byte) }}

// checkStaged makes sure that what an earlier process staged is as it was
// written, before anything more is done with it, and that what is gone was put in
// place.
func (a *applier) checkStaged(ctx context.Context) error {
	err := a.parallel(func(_ context.Context, s *Step) error {
		if s.Do != Replace {
			return nil
		}
		info, err := a.t.disk.Lstat(string(s.Staged))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return a.t.checkPlaced(s)
		case err != nil:
			return a.t.failed("stat", string(s.Staged), err)
		case info.Size() != s.Size:
			return a.t.lost(string(s.Staged), errDamaged)
		}
		return nil
	})(ctx)
	if err != nil {
		return err
	}
	return a.pieces(ctx, func(s *Step) bool { return s.Do != Remove }, func() (func(batch) error, func() error) {
		var open handles
		var buf []byte
		return func(b batch) error {
			staged := a.stagedFile(b.step)
			err := open.use(staged, func() (File, error) { return a.t.disk.Open(staged, os.O_RDONLY, 0) }, func(f File) error {
				for i := range b.pieces {
					if err := checkPiece(f, &b.pieces[i], &buf); err != nil {
						return err
					}
				}
				return nil
			})
			switch {
			case errors.Is(err, fs.ErrNotExist) && b.step.Do == Replace:
				return nil
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, errDamaged):
				return a.t.lost(staged, err)
			case err != nil:
				return a.t.failed("read", staged, err)
			}
			return nil
		}, open.close
	})
}

// checkPiece makes sure that a staged piece is as it was written, or at least
// there.
func checkPiece(f io.ReaderAt, p *piece, buf *[]byte) error {
	at, length := p.at, int64(p.length)
	if p.unread && length > 0 {
		at, length = at+length-1, 1
	}
	if length > int64(cap(*buf)) {
		*buf = make([]byte, length)
	}
	b := (*buf)[:length]
	if n, err := f.ReadAt(b, at); n < len(b) && (err == nil || errors.Is(err, io.EOF)) {
		return errDamaged
	} else if n < len(b) {
		return err
	}
	if !p.unread && crc32.Checksum(b, castagnoli) != p.crc {
		return errDamaged
	}
	return nil
}
