package pgsource

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gorewind/gorewind/source"
)

const (
	// perConnection is how many bytes to fetch justify another connection: opening
	// one costs the server as much as sending some megabytes.
	perConnection = 16 << 20
	// perPart is the cost of a part in addition to its bytes.
	perPart = 8 << 10
	// maxInFlight is how many requests are in flight on a connection: enough to keep a
	// distant server busy, but few enough that the last ones do not wait long.
	maxInFlight = 3
	// maxReady is how many requests wait for a connection: enough for all default
	// connections to be opened at once if there is enough to fetch.
	maxReady = mostJobs * perConnection / maxRequest
)

// fetchSQL reads pieces of files; a missing file gives NULL. Each connection
// prepares it once, as fetchName.
const fetchName, fetchSQL = "fetch", `SELECT i, pg_catalog.pg_read_binary_file(path, start, length, true)
	FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::int8[]), pg_catalog.unnest($3::int8[]))
		WITH ORDINALITY AS r (path, start, length, i)`

var fetchTypes = []uint32{pgtype.TextArrayOID, pgtype.Int8ArrayOID, pgtype.Int8ArrayOID}

// Fetch reads the ranges over as many connections as the amount justifies, with several
// requests in flight on each.
func (s *Server) Fetch(ctx context.Context, ranges iter.Seq[source.Range], dst source.Sink) error {
	c := newWorkers(ctx, s.pool)
	work := newQueue[*request](c.ctx)
	c.work = func(ctx context.Context, s *session) error {
		f := &fetcher{session: s, work: work, dst: dst}
		err := s.do(ctx, f.run)
		if errors.Is(err, errAbandoned) {
			f.dropDelivered()
			work.giveBack(f.inFlight)
		}
		return err
	}
	var planned int64
	pl := planner{canName: s.canName, send: func(q *request) bool {
		planned += q.bytes + perPart*int64(len(q.parts))
		c.want(1 + int(planned/perConnection))
		return work.put(maxReady, q)
	}}
	for r := range ranges {
		if !pl.add(r) {
			break
		}
	}
	pl.flush()
	work.set(func() { work.adding = false })
	err := c.wait()
	var sink *sinkError
	switch {
	case errors.As(err, &sink):
		return sink.error
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return s.failed("read files of", err)
	}
	return nil
}

// sinkError is an error of the receiver of the data.
type sinkError struct{ error }

func (e *sinkError) Unwrap() error { return e.error }

// fetcher runs requests on one connection, and after a loss repeats on the next one what
// was not delivered.
type fetcher struct {
	session  *session
	work     *queue[*request]
	dst      source.Sink
	inFlight []*request // oldest first

	types  *pgtype.Map
	pipe   *pgconn.Pipeline
	filter *filter
}

func (f *fetcher) run(ctx context.Context, conn *conn) (err error) {
	f.dropDelivered()
	if len(f.inFlight) == 0 {
		if f.inFlight = f.work.take(1, true); len(f.inFlight) == 0 {
			return nil
		}
	}
	f.types, f.pipe, f.filter = conn.pg.TypeMap(), conn.pg.PgConn().StartPipeline(ctx), conn.filter
	f.filter.due = nil // nothing else is in flight
	defer func() {
		var refused *pgconn.PgError
		if err != nil && !errors.As(err, &refused) {
			f.filter.stopWith(err) // the requests in flight are not waited for
		}
		_ = f.pipe.Close() // everything was received, or the pipeline is broken
	}()
	if !f.session.prepared {
		f.pipe.SendPrepare(fetchName, fetchSQL, fetchTypes)
	}
	sent := 0
	for {
		f.inFlight = append(f.inFlight, f.work.take(maxInFlight-len(f.inFlight), len(f.inFlight) == 0)...)
		for ; sent < len(f.inFlight); sent++ {
			if err := f.send(f.inFlight[sent]); err != nil {
				return err
			}
		}
		if sent == 0 {
			return nil
		}
		if !f.session.prepared {
			if _, err := f.pipe.GetResults(); err != nil {
				return err
			}
			f.session.prepared = true
		}
		if err := f.receive(f.inFlight[0]); err != nil {
			return err
		}
		f.inFlight = f.inFlight[1:]
		f.work.done(1)
		sent--
		if _, err := f.pipe.GetResults(); err != nil { // the synchronization point
			return err
		}
	}
}

// dropDelivered forgets a request of whose answer only the end was lost.
func (f *fetcher) dropDelivered() {
	if len(f.inFlight) > 0 && f.inFlight[0].delivered() {
		f.inFlight = f.inFlight[1:]
		f.work.done(1)
	}
}

// send asks for the part of a request that was not delivered.
func (f *fetcher) send(q *request) error {
	q.asked = time.Now()
	rows := q.rows[q.rowsDone:]
	f.filter.ask(answerOf(rows))
	paths, starts, lengths := make([]string, len(rows)), make([]int64, len(rows)), make([]int64, len(rows))
	for i, r := range rows {
		paths[i], starts[i], lengths[i] = r.path, r.start, r.length
	}
	binaryRows := []int16{pgx.BinaryFormatCode, pgx.BinaryFormatCode}
	binaryParams := []int16{pgx.BinaryFormatCode, pgx.BinaryFormatCode, pgx.BinaryFormatCode}
	if q.unnamed {
		params, err := f.encode([]uint32{pgtype.ByteaArrayOID, pgtype.Int8OID, pgtype.Int8OID}, namesOf(paths[0]), starts[0], lengths[0])
		if err != nil {
			return err
		}
		f.pipe.SendQueryParams(fetchUnnamedSQL, params, []uint32{pgtype.ByteaArrayOID, pgtype.Int8OID, pgtype.Int8OID}, binaryParams, binaryRows)
		return f.pipe.Sync()
	}
	params, err := f.encode(fetchTypes, paths, starts, lengths)
	if err != nil {
		return err
	}
	f.pipe.SendQueryPrepared(fetchName, params, binaryParams, binaryRows)
	return f.pipe.Sync()
}

// rowOverhead is how many bytes a row of an answer is longer than its piece of a
// file, at most: the number of columns, two lengths, and the row's number.
const rowOverhead = 32

// answerOf limits what may arrive for rows.
func answerOf(rows []row) answer {
	a := answer{rows: len(rows)}
	for _, r := range rows {
		a.width = max(a.width, int(r.length)+rowOverhead)
		a.bytes += r.length + rowOverhead
	}
	return a
}

func (f *fetcher) encode(types []uint32, values ...any) (params [][]byte, err error) {
	params = make([][]byte, len(values))
	for i, v := range values {
		if params[i], err = f.types.Encode(types[i], pgx.BinaryFormatCode, v, nil); err != nil {
			return nil, &finalError{err}
		}
	}
	return params, nil
}

// receive takes the answer to a request.
func (f *fetcher) receive(q *request) error {
	result, err := f.pipe.GetResults()
	if err != nil {
		return err
	}
	answer, ok := result.(*pgconn.ResultReader)
	if !ok {
		return &finalError{fmt.Errorf("the source sent a %T instead of pieces", result)}
	}
	first := q.rowsDone
	for answer.NextRow() {
		if err := q.deliver(first, answer.Values(), f.dst); err != nil {
			return &finalError{err}
		}
		f.session.moved()
	}
	if _, err := answer.Close(); err != nil {
		return err
	}
	f.session.pool.proof.noteAnswer(f.session, q.asked)
	if q.unnamed && q.rowsDone == first { // a directory of its path is gone
		if err := q.deliver(first, [][]byte{{0, 0, 0, 0, 0, 0, 0, 1}, nil}, f.dst); err != nil {
			return &finalError{err}
		}
	}
	if !q.delivered() {
		return &finalError{fmt.Errorf("the source sent %d of %d pieces", q.rowsDone, len(q.rows))}
	}
	return nil
}

// delivered reports whether the whole request was delivered.
func (q *request) delivered() bool { return q.rowsDone == len(q.rows) }

// deliver passes a row of the answer to the receiver, without the content of gaps.
// The answer's first row belongs to row number first of the request.
func (q *request) deliver(first int, values [][]byte, dst source.Sink) error {
	if q.delivered() || len(values) != 2 {
		return errors.New("the source sent more than it was asked for")
	}
	r, data := q.rows[q.rowsDone], values[1]
	switch at := values[0]; {
	case len(at) != 8 || binary.BigEndian.Uint64(at) != uint64(q.rowsDone-first+1):
		return errors.New("the source sent its pieces in another order than asked for")
	case int64(len(data)) > r.length:
		return fmt.Errorf("the source sent %d bytes of %q where %d were asked for", len(data), r.path, r.length)
	}
	for _, p := range q.parts[q.partsDone:][:r.parts] {
		if err := p.deliver(r, data, dst); err != nil {
			return &sinkError{err}
		}
	}
	q.rowsDone++
	q.partsDone += r.parts
	return nil
}

// deliver passes a part of a row to the receiver.
func (p part) deliver(r row, data []byte, dst source.Sink) error {
	start := min(p.offset-r.start, int64(len(data)))
	piece := data[start:min(start+p.length, int64(len(data)))]
	if p.of != nil && int64(len(piece)) < p.length {
		p.of.ended.Store(true)
	}
	switch {
	case data != nil && p.more && len(piece) == 0:
		return nil // the range ended with an earlier part
	case data != nil:
		return dst.WriteAt(r.path, piece, p.offset)
	case p.of != nil && p.of.gone.Swap(true):
		return nil
	}
	return dst.Vanished(r.path)
}
