package pgsource

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

const closeTimeout = 5 * time.Second

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

// Files lists the server's data directory. The server must not be asked for
// anything else while the sequence runs.
func (s *Server) Files(ctx context.Context) iter.Seq2[pgdata.FileInfo, error] {
	return func(yield func(pgdata.FileInfo, error) bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		rows, err := s.conn.Query(ctx, listSQL)
		if err != nil {
			yield(pgdata.FileInfo{}, s.failed("list the files of", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var f pgdata.FileInfo
			var isDir bool
			var location *string
			if err := rows.Scan(&f.Path, &f.Size, &isDir, &location); err != nil {
				yield(f, s.failed("list the files of", err))
				return
			}
			switch {
			case location != nil && strings.HasPrefix(*location, "/"):
				f.Type, f.Link, f.Size = pgdata.Symlink, *location, 0
			case isDir:
				f.Type, f.Size = pgdata.Directory, 0
			default:
				f.Type = pgdata.Regular
			}
			if err := ctx.Err(); err != nil {
				yield(f, s.failed("list the files of", err))
				return
			}
			if !yield(f, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(pgdata.FileInfo{}, s.failed("list the files of", err))
		}
	}
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
// behind that.
func (s *Server) fetch(ctx context.Context, q *request, dst source.Sink) (ended bool, err error) {
	if len(q.paths) == 0 {
		return false, nil
	}
	rows, err := s.conn.Query(ctx, fetchSQL, pgx.QueryResultFormats{pgx.BinaryFormatCode, pgx.BinaryFormatCode}, q.paths, q.starts, q.lengths)
	if err != nil {
		return false, s.failed("read files of", err)
	}
	defer rows.Close()
	for want := range q.paths {
		if !rows.Next() {
			if err := rows.Err(); err != nil {
				return false, s.failed("read files of", err)
			}
			return false, s.failed("read files of", fmt.Errorf("it sent %d of %d pieces", want, len(q.paths)))
		}
		row := rows.RawValues()
		piece := row[1]
		if at := row[0]; len(at) != 8 || binary.BigEndian.Uint64(at) != uint64(want+1) {
			err = fmt.Errorf("the source sent its pieces in another order than asked for")
		} else if piece == nil {
			err = dst.Vanished(q.paths[want])
		} else if int64(len(piece)) > q.lengths[want] {
			err = fmt.Errorf("the source sent %d bytes of %q where %d were asked for", len(piece), q.paths[want], q.lengths[want])
		} else {
			err = dst.WriteAt(q.paths[want], piece, q.starts[want])
		}
		if err != nil {
			return false, err
		}
		ended = int64(len(piece)) < q.lengths[want]
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return false, s.failed("read files of", err)
	}
	return ended, nil
}
