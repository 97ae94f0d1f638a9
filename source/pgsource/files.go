package pgsource

import (
	"context"
	"fmt"
	"iter"

	"github.com/gorewind/gorewind/pgdata"
)

// listSQL lists directories, each one completely or a share of it. A file that vanishes
// after it was listed has no size. In a tablespace, only the directories of PostgreSQL
// versions are listed: others, such as lost+found, can be unreadable. A tablespace
// without a location of its own is a plain directory. OFFSET makes the server stat each
// file only once, and without building a table of one row for it.
const listSQL = `SELECT i, name, (s).size, (s).isdir,
		CASE WHEN tablespaces THEN (
			SELECT pg_catalog.pg_tablespace_location(t.oid) FROM pg_catalog.pg_tablespace t WHERE name COLLATE pg_catalog."C" = t.oid::text
		) END
	FROM (
		SELECT i, name, dir COLLATE pg_catalog."C" = 'pg_tblspc' AS tablespaces, pg_catalog.pg_stat_file(dir || '/' || name, true) AS s
		FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::bool[]), pg_catalog.unnest($3::int4[]), pg_catalog.unnest($4::int4[]))
				WITH ORDINALITY AS d (dir, versions, share, shares, i),
			LATERAL pg_catalog.pg_ls_dir(dir, true, false) AS name
		WHERE (NOT versions OR pg_catalog.left(name, 3) COLLATE pg_catalog."C" = 'PG_')
			AND (shares = 1 OR pg_catalog.hashtext(name) & (shares - 1) = share)
		OFFSET 0
	) AS file
	WHERE (s).size IS NOT NULL`

// listUnnamedSQL lists a directory whose path the server does not accept as text.
const listUnnamedSQL = `WITH RECURSIVE way (path, depth) AS (` + wayToUnnamed + `)
	SELECT 1::int8, name, (s).size, (s).isdir, NULL::text
	FROM (
		SELECT name, pg_catalog.pg_stat_file(path || '/' || name, true) AS s
		FROM way, LATERAL pg_catalog.pg_ls_dir(path, true, false) AS name
		WHERE depth = pg_catalog.cardinality($1::bytea[])
		OFFSET 0
	) AS file
	WHERE (s).size IS NOT NULL`

// A directory that is itself larger than largeDirectory has thousands of files, so
// two connections share it. Every further hugeDirectory bytes add two more.
const (
	largeDirectory = 256 << 10
	hugeDirectory  = 8 << 20
	maxShares      = 8
)

const (
	maxDirectories = 64  // per query
	listingChunk   = 256 // files that are passed on together
)

// The memory for directories during a listing is limited: a cluster has a few of
// its own, and one for each database and tablespace. Files are not kept here. Those
// who keep them know their limits better; mostFiles protects everybody else.
const (
	mostFiles       = 1 << 26
	mostDirectories = 1 << 18
	mostPaths       = 16 << 20 // bytes of directories' paths
)

// A path is no longer than operating systems allow (NAME_MAX, PATH_MAX).
const (
	maxFileName = 255
	maxPath     = 4096
)

// listAnswer limits the answer for a batch of directories.
var listAnswer = answer{rows: mostFiles + listingChunk, width: 2*maxPath + 256}

// directory is a directory to list, or a share of it.
type directory struct {
	path          string // empty: the data directory
	share, shares int32  // shares is a power of two
}

// Files lists the server's data directory, over several connections if it is
// large. After the loss of a connection it can yield files again.
//
// While it yields it uses the connections: the body of a loop over it must not make
// other requests to the server.
func (s *Server) Files(ctx context.Context) iter.Seq2[pgdata.FileInfo, error] {
	return func(yield func(pgdata.FileInfo, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		l := s.list(ctx)
		defer func() {
			cancel()
			for range l.found { //nolint:revive // drain until it is closed
			}
		}()
		for chunk := range l.found {
			for _, f := range chunk {
				if ctx.Err() != nil {
					break
				}
				if !yield(f, nil) {
					return
				}
			}
		}
		err := l.err
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if err != nil {
			yield(pgdata.FileInfo{}, s.failed("list the files of", err))
		}
	}
}

func (s *Server) failed(what string, err error) error {
	return fmt.Errorf("could not %s the source %s: %w", what, s.name, err)
}
