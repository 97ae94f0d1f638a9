package rows_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
)

// Large objects are reported as rows of their two catalogs, even if these were
// rewritten.
func TestLargeObjectsAreReported(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.Start(t)
		c.Exec(t, "SELECT lo_from_bytea(70001, 'before')", "SELECT lo_from_bytea(70002, 'removed')", "CHECKPOINT")
		fork := c.InsertLSN(t)
		c.Exec(t,
			"SELECT lo_from_bytea(70003, convert_to(repeat('x', 2048) || 'rest', 'UTF8'))", "SELECT lo_put(70001, 2, 'FOR')", "VACUUM FULL pg_largeobject",
			"SELECT lo_put(70001, 0, 'B')", "SELECT lo_unlink(70002)", "BEGIN; SELECT lo_create(70004); ROLLBACK", "SELECT lo_create(70005)")
		c.Stop(t, pgtest.Fast)
		list, summary, unknown := find(t, c, fork, nil)
		assert.Zero(t, unknown)
		of := func(s string) string { return `"\\x` + hexOf(s) + `"` }
		var pieces, objects []string
		for _, e := range list {
			line := e.op + " " + e.old + " " + e.new
			if e.rel == "pg_largeobject" {
				pieces = append(pieces, line)
			} else {
				objects = append(objects, strings.ReplaceAll(line, ",10,", ",owner,"))
			}
		}
		assert.Equal(t, []string{
			"insert  (70003,0," + of(strings.Repeat("x", 2048)) + ")", "insert  (70003,1," + of("rest") + ")",
			"update (70001,0," + of("before") + ") (70001,0," + of("beFORe") + ")", "update (70001,0," + of("beFORe") + ") (70001,0," + of("BeFORe") + ")",
			"delete (70002,0," + of("removed") + ") ",
		}, pieces)
		assert.Equal(t, []string{"insert  (70003,owner,)", "delete (70002,owner,) ", "insert  (70005,owner,)"}, objects)
		require.Len(t, summary.Tables, 2)
		assert.Equal(t, []int{0, 1}, summary.Tables[0].Key, "all majors have a key")
		assert.Equal(t, []int{0}, summary.Tables[1].Key)
	})
}

func hexOf(s string) string { return hex.EncodeToString([]byte(s)) }
