package pgsource

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"iter"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/source"
)

var _ source.Hasher = (*Server)(nil)

// hashes are the hash functions of servers (pgdata.SQLNames.Hash).
var hashes = map[string]struct {
	sql string // takes and returns bytea
	new func() hash.Hash
}{
	"sha256": {"pg_catalog.sha256(%s)", sha256.New},
	"md5":    {"pg_catalog.decode(pg_catalog.md5(%s), 'hex')", md5.New},
}

// A query asks for the hashes of up to hashRanges ranges of up to hashBytes
// together, so that the server is not silent for long. Up to hashQueries are in
// flight at a time.
const (
	hashRanges  = 4096
	hashBytes   = 64 << 20
	hashQueries = 4
	hashWidth   = 256 // bytes of a row of the answer
)

// hashSQL computes hashes of pieces of files; a missing file gives NULL.
const hashSQL = `SELECT i, %s FROM
	ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::int8[]), pg_catalog.unnest($3::int8[]))
		WITH ORDINALITY AS r (path, start, length, i)`

// NewHash is SHA-256, or MD5 if the server has nothing better (up to 10).
func (s *Server) NewHash() hash.Hash { return hashes[s.version.SQL.Hash].new() }

// Hash lets the server compute the hashes.
func (s *Server) Hash(ctx context.Context, ranges iter.Seq[source.Range], result func(r source.Range, sum []byte) error) error {
	if _, err := s.NewHash().Write([]byte{0}); err != nil { // MD5 fails if only FIPS 140 is allowed
		return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var asked []*hashQuery // queries in flight, oldest first
	take := func() error {
		q := asked[0]
		asked = asked[1:]
		<-q.done
		if q.err != nil {
			return q.err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for i, r := range q.ranges {
			if err := result(r, q.sums[i]); err != nil {
				return err
			}
		}
		return nil
	}
	ask := func(q *hashQuery) error {
		asked = append(asked, q)
		wg.Go(func() {
			defer close(q.done)
			q.err = s.hash(ctx, q)
		})
		if len(asked) < hashQueries {
			return nil
		}
		return take()
	}
	q := newHashQuery()
	for r := range ranges {
		q.ranges = append(q.ranges, r)
		if s.canName(r.Path) && r.Length <= source.MaxHash {
			q.add(r, len(q.ranges)-1)
		}
		if len(q.ranges) == hashRanges || q.bytes > hashBytes-source.MaxHash {
			if err := ask(q); err != nil {
				return err
			}
			q = newHashQuery()
		}
	}
	if err := ask(q); err != nil {
		return err
	}
	for len(asked) > 0 {
		if err := take(); err != nil {
			return err
		}
	}
	return nil
}

// hashQuery is a query and its answer.
type hashQuery struct {
	ranges []source.Range
	sums   [][]byte // the hashes of all ranges
	err    error
	done   chan struct{}

	// Of the ranges in the query:
	at              []int // the index of each range
	paths           []string
	starts, lengths []int64
	bytes           int64
}

func newHashQuery() *hashQuery { return &hashQuery{done: make(chan struct{})} }

func (q *hashQuery) add(r source.Range, at int) {
	q.at = append(q.at, at)
	q.paths = append(q.paths, r.Path)
	q.starts = append(q.starts, r.Offset)
	q.lengths = append(q.lengths, r.Length)
	q.bytes += r.Length
}

func (s *Server) hash(ctx context.Context, q *hashQuery) error {
	q.sums = make([][]byte, len(q.ranges))
	if len(q.at) == 0 {
		return nil
	}
	h := hashes[s.version.SQL.Hash]
	size := h.new().Size()
	query := fmt.Sprintf(hashSQL, fmt.Sprintf(h.sql, "pg_catalog.pg_read_binary_file(path, start, length, true)"))
	err := s.do(ctx, func(ctx context.Context, conn *conn) error {
		var i, n int
		var sum []byte
		err := conn.each(ctx, answer{rows: len(q.at), width: hashWidth}, []any{&i, &sum}, func() error {
			if i != n+1 || i > len(q.at) || sum != nil && len(sum) != size {
				return errors.New("the source sent hashes that it was not asked for")
			}
			q.sums[q.at[n]] = sum
			n++
			return nil
		}, query, q.paths, q.starts, q.lengths)
		if err == nil && n != len(q.at) {
			err = fmt.Errorf("the source sent %d of %d hashes", n, len(q.at))
		}
		return err
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && !isTemporary(err) {
		// If something is wrong with the files, reading them will show it.
		err = fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	if err != nil {
		return s.failed("compute hashes of files of", err)
	}
	return nil
}
