package rewind_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// TestAStandbyDiffersFromItsPrimaryInHintsOnly stops both and compares them, and then
// changes single bytes.
func TestAStandbyDiffersFromItsPrimaryInHintsOnly(t *testing.T) {
	endtoend.OldestAndNewest(t, func(t *testing.T, in *pgtest.Installation) {
		p := in.InitCluster(t, pgtest.Options{Conf: map[string]string{"autovacuum": "off"}})
		p.Start(t)
		p.Exec(t, "CREATE TABLE t AS SELECT g AS id, repeat('x', 100) AS f FROM generate_series(1, 2000) g", "CREATE INDEX ON t (id)")
		s := p.Standby(t)
		p.Exec(t, "INSERT INTO t SELECT g, 'y' FROM generate_series(1, 2000) g", "DELETE FROM t WHERE id % 5 = 0", "SELECT count(*) FROM t")
		p.Checkpoint(t) // a query that prunes pages does not wait until its WAL is on disk
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
			for _, f := range diff(endtoend.OpenDir(t, p.Dir), endtoend.OpenDir(t, s.Dir)).Files {
				if f.Path == name {
					return f
				}
			}
			return rewind.FileDiff{}
		}
		d := diff(endtoend.OpenDir(t, p.Dir), endtoend.OpenDir(t, s.Dir))
		assert.LessOrEqual(t, d.Worst, rewind.FreeSpaceDiffers, "%+v", d.Files)
		assert.Greater(t, d.FilesCompared, 200)
		text, err := json.Marshal(d)
		require.NoError(t, err)
		back := new(rewind.DiffResult)
		require.NoError(t, json.Unmarshal(text, back))
		assert.Equal(t, d, back)
		assert.Equal(t, rewind.NoDifference, diff(endtoend.OpenDir(t, p.Dir), endtoend.OpenDir(t, p.Dir)).Worst)

		// Single bytes of the standby's second block are changed, which is first made equal
		// to the primary's.
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

		// A running server is equal to its directory.
		require.NoError(t, os.Remove(name+"0"))
		require.NoError(t, os.WriteFile(name, raw, 0o600))
		p.Start(t)
		d = diff(endtoend.OpenDir(t, s.Dir), endtoend.OpenServer(t, p.ConnString("postgres")))
		for _, f := range d.Files {
			assert.NotEqual(t, file, f.Path, "%+v", f)
		}
		other := in.InitCluster(t, pgtest.Options{Distinct: true})
		_, err = rewind.Diff(t.Context(), rewind.DiffOptions{A: endtoend.OpenDir(t, p.Dir), B: endtoend.OpenDir(t, other.Dir)})
		assert.ErrorIs(t, err, rewind.ErrDifferentSystems)
	})
}

// secondFails is a source that can only be read once.
type secondFails struct {
	source.Source
	calls atomic.Int32
}

var errSecond = errors.New("the second one fails")

func (s *secondFails) Fetch(ctx context.Context, ranges iter.Seq[source.Range], dst source.Sink) error {
	if s.calls.Add(1) == 2 {
		return errSecond
	}
	return s.Source.Fetch(ctx, ranges, dst)
}

func TestDifferencesHaveNames(t *testing.T) {
	for d, word := range []string{"none", "checksum", "lsn", "hint_bits", "free_space", "content"} {
		got, err := rewind.ParseDifference(word)
		require.NoError(t, err)
		assert.Equal(t, rewind.Difference(d), got)
		text, err := got.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, word, string(text))
		var again rewind.Difference
		require.NoError(t, again.UnmarshalText(text))
		assert.Equal(t, got, again)
	}
	assert.Equal(t, rewind.DifferentContent.String(), "content", "the last one")
	assert.Error(t, new(rewind.Difference).UnmarshalText([]byte("nothing")))
}

func TestAFileSaysHowItDiffers(t *testing.T) {
	run := func(first, last pgdata.BlockNumber) rewind.BlockRun {
		return rewind.BlockRun{First: first, Last: last, Difference: rewind.HintBitsDiffer}
	}
	many := rewind.FileDiff{Path: "base/5/1", Difference: rewind.HintBitsDiffer, More: 7}
	for b := range pgdata.BlockNumber(22) {
		many.Blocks = append(many.Blocks, run(2*b, 2*b))
	}
	for _, c := range []struct {
		name string
		f    rewind.FileDiff
		says string
	}{
		{"its content", rewind.FileDiff{Path: "postgresql.conf", Difference: rewind.DifferentContent}, "postgresql.conf: content"},
		{"it is on one side only", rewind.FileDiff{Path: "base/5/1", Reason: "only in a", Difference: rewind.DifferentContent}, "base/5/1: only in a"},
		{"its size", rewind.FileDiff{Path: "base/5/1", SizeA: 8192, SizeB: 0, Difference: rewind.DifferentContent}, "base/5/1: 8192 and 0 bytes"},
		{
			"its blocks",
			rewind.FileDiff{Path: "base/5/1", Difference: rewind.HintBitsDiffer, Blocks: []rewind.BlockRun{run(1, 1), run(4, 7)}},
			"base/5/1: hint_bits\n  block 1: hint_bits\n  blocks 4 to 7: hint_bits",
		},
		{"a name that a terminal would obey", rewind.FileDiff{Path: "a\x1b[2J", Difference: rewind.DifferentContent}, `a\x1b[2J: content`},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.says, c.f.String()) })
	}
	assert.True(t, strings.HasSuffix(many.String(), "\n  block 38: hint_bits\n  and 9 more"), many.String())
}

// TestDifferencesAreFoundWhereverTheyAre compares more files, and larger ones, than are
// read at a time.
func TestDifferencesAreFoundWhereverTheyAre(t *testing.T) {
	t.Parallel()
	const block, batch = 8192, 16 << 20
	temp := t.TempDir()
	a, b := filepath.Join(temp, "a"), filepath.Join(temp, "b")
	for _, dir := range []string{a, b} {
		require.NoError(t, savedcluster.Restore(filepath.Join("..", "testdata", "clusters", "15-basic", "source"), dir))
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "base", "1"), 0o700))
	}
	compare := func() *rewind.DiffResult {
		d, err := rewind.Diff(t.Context(), rewind.DiffOptions{A: endtoend.OpenDir(t, a), B: endtoend.OpenDir(t, b)})
		require.NoError(t, err)
		return d
	}
	before := compare()
	require.Empty(t, before.Files)

	// put writes a file of a given size in which some single bytes are set.
	put := func(dir, name string, size int64, set ...int64) {
		f, err := os.Create(filepath.Join(dir, filepath.FromSlash(name)))
		require.NoError(t, err)
		require.NoError(t, f.Truncate(size))
		for _, at := range set {
			_, err := f.WriteAt([]byte{1}, at)
			require.NoError(t, err)
		}
		require.NoError(t, f.Close())
	}
	run := func(first, last pgdata.BlockNumber) rewind.BlockRun {
		return rewind.BlockRun{First: first, Last: last, Difference: rewind.DifferentContent}
	}
	// The room in a batch depends on the files before, so that these differences are on
	// both sides of a batch's end.
	const size = 3*batch + 5*block
	var everywhere []int64
	for at := int64(batch - 64*block); at < batch+block; at += block {
		everywhere = append(everywhere, at+100)
	}
	put(a, "base/1/90001", size)
	put(b, "base/1/90001", size, append(everywhere, 100, size-1)...)
	put(a, "base/1/90002", 2*batch)
	put(b, "base/1/90002", 2*batch)
	put(a, "base/1/90003", 2*batch)
	put(b, "base/1/90003", 2*batch+block)
	put(a, "base/1/90004", 2*batch+block)
	put(b, "base/1/90004", 2*batch, 2*batch-1)
	put(a, "base/1/90005", 0)
	put(b, "base/1/90005", block)
	put(a, "base/1/90006_fsm", 3*block)
	put(b, "base/1/90006_fsm", 2*block)
	put(a, "base/1/90007", 0)
	put(b, "base/1/90007", 0)
	put(a, "global/90008", 10)
	put(b, "global/90009", 0)
	require.NoError(t, os.Mkdir(filepath.Join(a, "base", "1", "90010"), 0o700))
	put(b, "base/1/90010", 0)
	const many = 1100 // of one byte, among them two that differ
	for i := range many {
		for _, dir := range []string{a, b} {
			name := filepath.Join(dir, "global", fmt.Sprintf("many%05d", i))
			content := []byte{'x'}
			if dir == b && (i == 0 || i == many-1) {
				content[0] = 'y'
			}
			require.NoError(t, os.WriteFile(name, content, 0o600))
		}
	}

	d := compare()
	content := rewind.DifferentContent
	assert.Equal(t, []rewind.FileDiff{
		{
			Path: "base/1/90001", Difference: content, SizeA: size, SizeB: size,
			Blocks: []rewind.BlockRun{run(0, 0), run(batch/block-64, batch/block), run(size/block-1, size/block-1)},
		},
		{Path: "base/1/90003", Difference: content, SizeA: 2 * batch, SizeB: 2*batch + block},
		{
			Path: "base/1/90004", Difference: content, SizeA: 2*batch + block, SizeB: 2 * batch,
			Blocks: []rewind.BlockRun{run(2*batch/block-1, 2*batch/block-1)},
		},
		{Path: "base/1/90005", Difference: content, SizeB: block},
		{Path: "base/1/90006_fsm", Difference: rewind.FreeSpaceDiffers, SizeA: 3 * block, SizeB: 2 * block},
		{Path: "base/1/90010", Difference: content, Reason: "type"},
		{Path: "global/90008", Difference: content, Reason: "only in a", SizeA: 10},
		{Path: "global/90009", Difference: content, Reason: "only in b"},
		{Path: "global/many00000", Difference: content, SizeA: 1, SizeB: 1},
		{Path: fmt.Sprintf("global/many%05d", many-1), Difference: content, SizeA: 1, SizeB: 1},
	}, d.Files)
	assert.Equal(t, content, d.Worst)
	assert.Equal(t, before.FilesCompared+7+many, d.FilesCompared)
	assert.EqualValues(t, before.BytesCompared+size+6*batch+2*block+many, d.BytesCompared)

	_, err := rewind.Diff(t.Context(), rewind.DiffOptions{A: endtoend.OpenDir(t, a), B: &secondFails{Source: endtoend.OpenDir(t, b)}})
	assert.ErrorIs(t, err, errSecond)
}
