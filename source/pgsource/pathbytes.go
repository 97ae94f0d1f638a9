package pgsource

import (
	"bytes"
	"unicode/utf8"
)

// canName reports whether the server accepts a path as text: a client may send
// only what is valid in the database's encoding, but file names need not be valid.
func (s *Server) canName(path string) bool {
	for i := range len(path) {
		if path[i] >= utf8.RuneSelf {
			return s.encoding == "UTF8" && utf8.ValidString(path)
		}
	}
	return true
}

// fetchUnnamedSQL reads a piece of a file whose path the server does not accept as text.
// The server accepts names that it lists itself, so it gets the names of the path as bytes.
const fetchUnnamedSQL = `WITH RECURSIVE way (path, depth) AS (` + wayToUnnamed + `)
	SELECT 1::int8, pg_catalog.pg_read_binary_file(path, $2::int8, $3::int8, true)
	FROM way WHERE depth = pg_catalog.cardinality($1::bytea[])`

// wayToUnnamed descends to the path whose names are in $1.
const wayToUnnamed = `
		SELECT '.'::text, 0
	UNION ALL
		SELECT way.path || '/' || name, way.depth + 1
		FROM way, LATERAL pg_catalog.pg_ls_dir(way.path, true, false) AS name
		WHERE way.depth < pg_catalog.cardinality($1::bytea[]) AND pg_catalog.textsend(name) = ($1::bytea[])[way.depth + 1]
	`

// namesOf splits a path for these queries.
func namesOf(path string) [][]byte { return bytes.Split([]byte(path), []byte("/")) }
