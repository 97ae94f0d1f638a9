package rewind_test

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// TestAStandbyDiffersFromItsPrimaryInHintsOnly stops both, compares them, and then
// changes single bytes.
func TestAStandbyDiffersFromItsPrimaryInHintsOnly(t *testing.T) {
	oldestAndNewest(t, func(t *testing.T, in *pgtest.Installation) {
		p := in.InitCluster(t, pgtest.Options{Conf: map[string]string{"autovacuum": "off"}})
		p.Start(t)
		p.Exec(t, "CREATE TABLE t AS SELECT g AS id, repeat('x', 100) AS f FROM generate_series(1, 2000) g", "CREATE INDEX ON t (id)")
		s := p.Standby(t)
		p.Exec(t, "INSERT INTO t SELECT g, 'y' FROM generate_series(1, 2000) g", "DELETE FROM t WHERE id % 5 = 0", "SELECT count(*) FROM t")
		s.WaitCaughtUp(t, p)
		file := p.QueryString(t, "SELECT pg_relation_filepath('t')")
		p.Stop(t, pgtest.Fast)
		s.Stop(t, pgtest.Fast)

		ignore := []string{"*.conf", "*.signal", "recovery.*", "log", "pg_stat", "pg_logical"}
		diff := func(a, b source.Source) *rewind.DiffResult {
			d, err := rewind.Diff(t.Context(), rewind.DiffOptions{A: a, B: b, Ignore: ignore})
			require.NoError(t, err)
			return d
		}
		one := func(name string) rewind.FileDiff {
			for _, f := range diff(openDir(t, p.Dir), openDir(t, s.Dir)).Files {
				if f.Path == name {
					return f
				}
			}
			return rewind.FileDiff{}
		}
		d := diff(openDir(t, p.Dir), openDir(t, s.Dir))
		assert.LessOrEqual(t, d.Worst, rewind.FreeSpaceDiffers, "%+v", d.Files)
		assert.Greater(t, d.FilesCompared, 200)
		text, err := json.Marshal(d)
		require.NoError(t, err)
		back := new(rewind.DiffResult)
		require.NoError(t, json.Unmarshal(text, back))
		assert.Equal(t, d, back)
		assert.Equal(t, rewind.NoDifference, diff(openDir(t, p.Dir), openDir(t, p.Dir)).Worst)

		// Single bytes of the standby's second block, which is first made the primary's.
		name := filepath.Join(s.Dir, filepath.FromSlash(file))
		raw, err := os.ReadFile(filepath.Join(p.Dir, filepath.FromSlash(file)))
		require.NoError(t, err)
		block := raw[8192:16384]
		upper := int(binary.LittleEndian.Uint16(block[14:]))
		tuple := int(binary.LittleEndian.Uint32(block[24:]) & 0x7fff)
		for _, c := range []struct {
			name string
			at   int
			bit  byte
			want rewind.Difference
		}{
			{"the checksum", 8, 1, rewind.ChecksumDiffers},
			{"the LSN", 7, 1, rewind.LSNDiffers},
			{"a flag that is a hint", 10, 2, rewind.HintBitsDiffer},
			{"a byte that nobody reads", upper - 1, 0xff, rewind.FreeSpaceDiffers},
			{"a byte of a row", tuple + 30, 0xff, rewind.DifferentContent},
		} {
			changed := append([]byte(nil), raw...)
			changed[8192+c.at] ^= c.bit
			require.NoError(t, os.WriteFile(name, changed, 0o600))
			got := one(file)
			assert.Equal(t, c.want, got.Difference, c.name)
			assert.Equal(t, []rewind.BlockRun{{First: 1, Last: 1, Difference: c.want}}, got.Blocks, c.name)
		}
		require.NoError(t, os.WriteFile(name, raw[:len(raw)-8192], 0o600))
		assert.Equal(t, rewind.DifferentContent, one(file).Difference, "a shorter file")
		require.NoError(t, os.Remove(name))
		assert.Equal(t, "only in a", one(file).Reason)
		require.NoError(t, os.WriteFile(name+"0", nil, 0o600))
		assert.Equal(t, "only in b", one(file+"0").Reason)

		// A server that runs is the same as its directory.
		require.NoError(t, os.Remove(name+"0"))
		require.NoError(t, os.WriteFile(name, raw, 0o600))
		p.Start(t)
		d = diff(openDir(t, s.Dir), openServer(t, p.ConnString("postgres")))
		for _, f := range d.Files {
			assert.NotEqual(t, file, f.Path, "%+v", f)
		}
		other := in.InitCluster(t, pgtest.Options{Distinct: true})
		_, err = rewind.Diff(t.Context(), rewind.DiffOptions{A: openDir(t, p.Dir), B: openDir(t, other.Dir)})
		assert.ErrorIs(t, err, rewind.ErrDifferentSystems)
	})
}
