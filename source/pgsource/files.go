package pgsource

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// listSQL descends from the data directory. What vanishes between being listed
// and being looked at has no size. In a tablespace only the directories of
// PostgreSQL versions are looked at: others, such as lost+found, can be
// unreadable. A tablespace without a location of its own is a plain directory.
const listSQL = `WITH RECURSIVE tree (path, size, isdir) AS (
		SELECT name, s.size, s.isdir
		FROM pg_catalog.pg_ls_dir('.', true, false) AS name, LATERAL pg_catalog.pg_stat_file('./' || name, true) AS s
	UNION ALL
		SELECT tree.path || '/' || name, s.size, s.isdir
		FROM tree, LATERAL pg_catalog.pg_ls_dir(tree.path, true, false) AS name,
			LATERAL pg_catalog.pg_stat_file(tree.path || '/' || name, true) AS s
		WHERE tree.isdir AND (tree.path COLLATE pg_catalog."C" !~ '^pg_tblspc/[^/]*$' OR name COLLATE pg_catalog."C" ~ '^PG_')
	)
	SELECT path, size, isdir, pg_catalog.pg_tablespace_location(t.oid)
	FROM tree LEFT JOIN pg_catalog.pg_tablespace t ON path COLLATE pg_catalog."C" = 'pg_tblspc/' || t.oid
	WHERE size IS NOT NULL`

// Files lists the server's data directory. The listing is complete before the
// first file is yielded: its rows are in no order, so of one that a lost
// connection cut short nothing could be used.
func (s *Server) Files(ctx context.Context) iter.Seq2[pgdata.FileInfo, error] {
	return func(yield func(pgdata.FileInfo, error) bool) {
		files, err := s.list(ctx)
		for _, f := range files {
			if err = ctx.Err(); err != nil {
				break
			}
			if !yield(f, nil) {
				return
			}
		}
		if err != nil {
			yield(pgdata.FileInfo{}, s.failed("list the files of", err))
		}
	}
}

func (s *Server) list(ctx context.Context) (files []pgdata.FileInfo, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.session.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, listSQL)
		if err != nil {
			return err
		}
		defer rows.Close()
		files = files[:0]
		for rows.Next() {
			f, err := scanFile(rows)
			if err != nil {
				return err
			}
			files = append(files, f)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return files, nil
}

func scanFile(rows pgx.Rows) (f pgdata.FileInfo, err error) {
	var isDir bool
	var location *string
	if err := rows.Scan(&f.Path, &f.Size, &isDir, &location); err != nil {
		return f, err
	}
	switch {
	case location != nil && strings.HasPrefix(*location, "/"):
		f.Type, f.Link, f.Size = pgdata.Symlink, *location, 0
	case isDir:
		f.Type, f.Size = pgdata.Directory, 0
	default:
		f.Type = pgdata.Regular
	}
	return f, nil
}

func (s *Server) failed(what string, err error) error {
	return fmt.Errorf("could not %s the source %s: %w", what, s.name, err)
}

// A request asks for up to maxPieces pieces of up to maxPiece bytes each and
// maxRequest together.
const (
	maxPiece   = 1 << 20
	maxRequest = 8 << 20
	maxPieces  = 1000
)

// fetchSQL reads pieces of files; a file that is gone gives NULL.
const fetchSQL = `SELECT i, pg_catalog.pg_read_binary_file(path, start, length, true)
	FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::int8[]), pg_catalog.unnest($3::int8[]))
		WITH ORDINALITY AS r (path, start, length, i)`

// request is one query's worth of pieces.
type request struct {
	paths           []string
	starts, lengths []int64
	bytes           int64
}

func (q *request) reset() {
	q.paths, q.starts, q.lengths, q.bytes = q.paths[:0], q.starts[:0], q.lengths[:0], 0
}

// Fetch reads the ranges in as few round trips as their size allows.
func (s *Server) Fetch(ctx context.Context, ranges iter.Seq[source.Range], dst source.Sink) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var q request
	for r := range ranges {
		if !s.canName(r.Path) {
			if err := s.fetchUnnamed(ctx, r, dst); err != nil {
				return err
			}
			continue
		}
		for start, end := r.Offset, r.Offset+r.Length; ; {
			length := min(end-start, maxPiece)
			if len(q.paths) == maxPieces || q.bytes+length > maxRequest {
				ended, err := s.fetch(ctx, &q, dst)
				if err != nil {
					return err
				}
				q.reset()
				if ended && start > r.Offset {
					break // the file ends before what is left of the range
				}
			}
			q.paths = append(q.paths, r.Path)
			q.starts = append(q.starts, start)
			q.lengths = append(q.lengths, length)
			q.bytes += length
			if start += length; start >= end {
				break
			}
		}
	}
	_, err := s.fetch(ctx, &q, dst)
	return err
}

// fetch does a request; ended tells that the file of its last piece has no bytes
// behind that. What was delivered before a connection was lost is not asked for
// again.
func (s *Server) fetch(ctx context.Context, q *request, dst source.Sink) (ended bool, err error) {
	done := 0
	err = s.session.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		first := done
		if first == len(q.paths) {
			return nil
		}
		rows, err := conn.Query(ctx, fetchSQL, pgx.QueryResultFormats{pgx.BinaryFormatCode, pgx.BinaryFormatCode},
			q.paths[first:], q.starts[first:], q.lengths[first:])
		if err != nil {
			return err
		}
		defer rows.Close()
		for ; done < len(q.paths) && rows.Next(); done++ {
			if ended, err = q.deliver(done, first, rows.RawValues(), dst); err != nil {
				return &finalError{err}
			}
			s.session.moved()
		}
		rows.Close()
		if err := rows.Err(); err != nil || done == len(q.paths) {
			return err
		}
		return &finalError{fmt.Errorf("the source sent %d of %d pieces", done, len(q.paths))}
	})
	var sink *sinkError
	if errors.As(err, &sink) {
		return false, sink.error
	} else if err != nil {
		return false, s.failed("read files of", err)
	}
	return ended, nil
}

// sinkError is one of those who take what is fetched.
type sinkError struct{ error }

func (e *sinkError) Unwrap() error { return e.error }

// deliver gives a row of the answer to who takes it. The answer's first row is
// that of the piece first.
func (q *request) deliver(want, first int, row [][]byte, dst source.Sink) (ended bool, err error) {
	piece := row[1]
	switch at := row[0]; {
	case len(at) != 8 || binary.BigEndian.Uint64(at) != uint64(want-first+1):
		return false, errors.New("the source sent its pieces in another order than asked for")
	case int64(len(piece)) > q.lengths[want]:
		return false, fmt.Errorf("the source sent %d bytes of %q where %d were asked for", len(piece), q.paths[want], q.lengths[want])
	case piece == nil:
		err = dst.Vanished(q.paths[want])
	default:
		err = dst.WriteAt(q.paths[want], piece, q.starts[want])
	}
	if err != nil {
		return false, &sinkError{err}
	}
	return int64(len(piece)) < q.lengths[want], nil
}
