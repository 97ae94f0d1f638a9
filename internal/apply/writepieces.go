package apply

import (
	"context"
	"errors"
	"os"
)

// writePieces writes changed blocks and tails, which this process staged or
// checkStaged checked.
func (a *applier) writePieces(ctx context.Context) error {
	isWritten := func(s *Step) bool { return s.Do == Write || s.Do == Truncate }
	flush := flusher(a.t.disk, a.j.Sync)
	return a.eachPiece(ctx, isWritten, func() pieceWorker { return &pieceWriter{a: a, flush: flush} })
}

// pieceWriter writes staged pieces to the target's files.
type pieceWriter struct {
	a        *applier
	from, to fileCache
	dirty    int64 // bytes since a file was flushed
	flush    func(File)
}

func (w *pieceWriter) take(b batch) error {
	t, staged, p := w.a.t, w.a.stagedFile(b.step), string(b.step.Path)
	openStaged := func() (File, error) { return t.disk.Open(staged, os.O_RDONLY, 0) }
	openTarget := func() (File, error) { return t.disk.Open(p, os.O_WRONLY, 0) }
	err := w.from.use(staged, openStaged, func(src File) error {
		err := w.to.use(p, openTarget, func(dst File) error { return w.write(dst, src, b.pieces) })
		if err != nil && !errors.Is(err, errDamaged) {
			return t.failed("write", p, err)
		}
		return err
	})
	if errors.Is(err, errDamaged) {
		return t.lost(staged, err)
	}
	return err
}

// write copies pieces, adjacent ones together.
func (w *pieceWriter) write(dst, src File, pieces []piece) error {
	for len(pieces) > 0 {
		first, length, n := pieces[0], int64(0), 0
		for n < len(pieces) && pieces[n].offset == first.offset+length && pieces[n].at == first.at+length {
			length += int64(pieces[n].length)
			n++
		}
		pieces = pieces[n:]
		copied, err := w.a.t.disk.CopyRange(dst, first.offset, src, first.at, length)
		w.dirty += copied
		if err != nil {
			return err
		}
		if copied < length {
			return errDamaged
		}
	}
	if w.dirty >= flushEvery {
		w.dirty = 0
		w.flush(dst)
	}
	return nil
}

func (w *pieceWriter) close() error { return errors.Join(w.from.close(), w.to.close()) }
