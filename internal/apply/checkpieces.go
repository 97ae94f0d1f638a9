package apply

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
)

// checkStaged makes sure that what an earlier process staged is unchanged before it
// is used, and that staged files that are gone were put in place.
func (a *applier) checkStaged(ctx context.Context) error {
	if err := a.parallel(a.checkStagedFile)(ctx); err != nil {
		return err
	}
	isStaged := func(s *Step) bool { return s.Do != Remove }
	return a.eachPiece(ctx, isStaged, func() pieceWorker { return &pieceChecker{a: a} })
}

// checkStagedFile checks a file that is staged whole, but does not read it.
func (a *applier) checkStagedFile(_ context.Context, s *Step) error {
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
}

// pieceChecker reads staged pieces.
type pieceChecker struct {
	a    *applier
	open fileCache
	buf  []byte
}

func (c *pieceChecker) take(b batch) error {
	t, staged := c.a.t, c.a.stagedFile(b.step)
	open := func() (File, error) { return t.disk.Open(staged, os.O_RDONLY, 0) }
	err := c.open.use(staged, open, func(f File) error {
		for i := range b.pieces {
			if err := c.check(f, &b.pieces[i]); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist) && b.step.Do == Replace:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errDamaged):
		return t.lost(staged, err)
	case err != nil:
		return t.failed("read", staged, err)
	}
	return nil
}

// check compares a staged piece with its CRC. A piece without one must at least
// exist.
func (c *pieceChecker) check(f io.ReaderAt, p *piece) error {
	at, length := p.at, int64(p.length)
	if p.unread && length > 0 {
		at, length = at+length-1, 1
	}
	if length > int64(cap(c.buf)) {
		c.buf = make([]byte, length)
	}
	b := c.buf[:length]
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

func (c *pieceChecker) close() error { return c.open.close() }
