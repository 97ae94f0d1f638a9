package pgsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/gorewind/gorewind/source"
)

// canName reports whether the server takes a path as text: a client may send
// only what is valid in the database's encoding, although file names need not be.
func (s *Server) canName(path string) bool {
	for i := range len(path) {
		if path[i] >= utf8.RuneSelf {
			return s.encoding == "UTF8" && utf8.ValidString(path)
		}
	}
	return true
}

// fetchUnnamedSQL reads a piece of a file whose path the server does not take. It
// takes what it lists itself, so it is told the names on the way as bytes.
const fetchUnnamedSQL = `WITH RECURSIVE way (path, depth) AS (
		SELECT '.'::text, 0
	UNION ALL
		SELECT way.path || '/' || name, way.depth + 1
		FROM way, LATERAL pg_catalog.pg_ls_dir(way.path, true, false) AS name
		WHERE way.depth < pg_catalog.cardinality($1::bytea[]) AND pg_catalog.textsend(name) = ($1::bytea[])[way.depth + 1]
	)
	SELECT pg_catalog.pg_read_binary_file(path, $2, $3, true) FROM way WHERE depth = pg_catalog.cardinality($1::bytea[])`

// fetchUnnamed is Fetch for a file whose path the server does not take.
func (s *Server) fetchUnnamed(ctx context.Context, r source.Range, dst source.Sink) error {
	names := bytes.Split([]byte(r.Path), []byte("/"))
	for start, end := r.Offset, r.Offset+r.Length; ; {
		length := min(end-start, maxPiece)
		var piece []byte
		err := s.session.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
			return conn.QueryRow(ctx, fetchUnnamedSQL, names, start, length).Scan(&piece)
		})
		switch {
		case errors.Is(err, pgx.ErrNoRows) || err == nil && piece == nil:
			return dst.Vanished(r.Path)
		case err != nil:
			return s.failed("read files of", err)
		case int64(len(piece)) > length:
			return fmt.Errorf("the source sent %d bytes of %q where %d were asked for", len(piece), r.Path, length)
		}
		if err := dst.WriteAt(r.Path, piece, start); err != nil {
			return err
		}
		if start += length; start >= end || int64(len(piece)) < length {
			return nil
		}
	}
}
