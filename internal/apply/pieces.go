package apply

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

const (
	// maxPieceLength limits the length of a piece, in bytes.
	maxPieceLength = 64 << 20
	// maxBatch is how many pieces of a file are passed on together.
	maxBatch = 256
)

// batch has pieces of one step, in the order of their arrival.
type batch struct {
	step   *Step
	pieces []piece
}

// pieceWorker processes staged pieces. It is used by one goroutine.
type pieceWorker interface {
	take(batch) error
	close() error
}

// eachPiece passes the staged pieces of the wanted steps to several workers, all
// pieces of a step to the same worker.
func (a *applier) eachPiece(ctx context.Context, wants func(*Step) bool, newWorker func() pieceWorker) error {
	if a.j.Records == 0 {
		return nil
	}
	d := pieceQueues{steps: map[uint32]*Step{}, queues: make([]chan batch, workers()), open: make([]batch, workers())}
	for i := range a.j.Steps {
		if s := &a.j.Steps[i]; wants(s) {
			d.steps[uint32(s.ID)] = s
		}
	}
	if len(d.steps) == 0 {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for i := range d.queues {
		queue := make(chan batch, 4)
		d.queues[i] = queue
		g.Go(func() error { return takeAll(queue, newWorker()) })
	}
	g.Go(func() error { return d.fill(ctx, a) })
	return g.Wait()
}

// takeAll passes everything in a queue to a worker, up to its first error.
func takeAll(queue <-chan batch, w pieceWorker) error {
	for b := range queue {
		if err := w.take(b); err != nil {
			return errors.Join(err, w.close())
		}
	}
	return w.close()
}

// pieceQueues distributes the pieces in the index to the workers.
type pieceQueues struct {
	steps  map[uint32]*Step // the wanted steps by their IDs
	queues []chan batch     // one for each worker
	open   []batch          // for each worker, what is not sent yet
}

// fill reads the index and sends everything in it.
func (d *pieceQueues) fill(ctx context.Context, a *applier) error {
	defer d.end()
	err := readIndex(a.t.disk, indexPath, a.j.Records, a.j.IndexCRC, func(p piece) error { return d.add(ctx, p) })
	if errors.Is(err, errDamaged) {
		return a.t.lost(indexPath, err)
	}
	for i := range d.open {
		if err == nil && d.open[i].step != nil {
			err = d.send(ctx, i)
		}
	}
	return err
}

// add adds a piece to the others of its step, and sends complete batches.
func (d *pieceQueues) add(ctx context.Context, p piece) error {
	s := d.steps[p.id]
	if err := ctx.Err(); err != nil || s == nil {
		return err
	}
	if p.length > maxPieceLength {
		return errDamaged
	}
	i := int(p.id) % len(d.queues)
	b := &d.open[i]
	if b.step != nil && (b.step != s || len(b.pieces) == maxBatch) {
		if err := d.send(ctx, i); err != nil {
			return err
		}
	}
	b.step, b.pieces = s, append(b.pieces, p)
	return nil
}

// send sends a worker its open batch.
func (d *pieceQueues) send(ctx context.Context, i int) error {
	b := d.open[i]
	d.open[i] = batch{}
	select {
	case d.queues[i] <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end closes the queues.
func (d *pieceQueues) end() {
	for _, q := range d.queues {
		close(q)
	}
}

// stagedFile returns the file that contains a step's pieces.
func (a *applier) stagedFile(s *Step) string {
	if s.Do == Replace {
		return string(s.Staged)
	}
	return a.j.Areas[s.Area].blocks()
}
