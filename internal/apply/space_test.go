package apply_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/pgdata"
)

// twoDisks has tablespaces on a file system of their own.
type twoDisks struct{ apply.Disk }

func (twoDisks) Free(p string) (int64, uint64, bool) {
	if strings.HasPrefix(p, pgdata.TablespaceRoot) {
		return 1 << 50, 2, true
	}
	return 1 << 50, 1, true
}

func TestSpaceThatIsNeeded(t *testing.T) {
	const (
		segment = 1 << 20 // as in the plan's geometry
		large   = 1 << 40
		little  = 256 << 10
		spare   = 1 << 20
	)
	recycled := func(name string, written int64) filemap.Entry {
		e := copyOf("pg_wal/"+name, segment)
		if e.Unwritten = segment - written; written == 0 {
			e.Reason = filemap.NotWritten
		}
		return e
	}
	var many []filemap.Entry
	for _, digit := range "123456789ABCDEF" {
		many = append(many, recycled("00000002000000000000000"+string(digit), 0))
	}
	half := append(many[1:len(many):len(many)], recycled("000000020000000000000001", segment/2))
	link := filemap.Entry{Path: "pg_tblspc/16400", Type: pgdata.Symlink, Action: filemap.Create, Link: t.TempDir()}
	table := copyOf("pg_tblspc/16400/PG_17_202406281/5/16401", large)
	for _, c := range []struct {
		name           string
		entries        []filemap.Entry
		exact, inPlace bool
		atLeast        int64 // on the data directory's file system, besides the spare megabyte
		atMost         int64
	}{
		{"recycled WAL of a stopped source", many, true, false, 0, little},
		{"recycled WAL of a stopped source, in place", many, true, true, 0, little},
		{"recycled WAL of a running source", many, false, false, segment, segment + little},
		{"recycled WAL of a running source, in place", many, false, true, segment, segment + little},
		{"half-written WAL of a stopped source", half, true, false, segment / 2, segment/2 + little},
		{"half-written WAL of a stopped source, in place", half, true, true, segment / 2, segment/2 + little},
		{"the index, if the data is on another file system", []filemap.Entry{link, table}, true, false, large / (96 << 10) * 32, large/(64<<10)*32 + little},
		{"no index, in place", []filemap.Entry{link, table}, true, true, 0, little},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, _ := newDirectory(t, map[string]string{"pg_wal/x": "", "pg_tblspc/x": ""})
			tgt, err := apply.Open(dir, func(d apply.Disk) apply.Disk { return twoDisks{d} })
			require.NoError(t, err)
			defer func() { require.NoError(t, tgt.Close()) }()
			spaces, err := tgt.Space(plan(c.entries...), c.exact, c.inPlace)
			require.NoError(t, err)
			require.NotEmpty(t, spaces)
			assert.Equal(t, dir, spaces[0].Dir)
			assert.GreaterOrEqual(t, spaces[0].Needed, spare+c.atLeast)
			assert.LessOrEqual(t, spaces[0].Needed, spare+c.atMost)
		})
	}
}

// smallDisk has only free bytes left.
type smallDisk struct {
	apply.Disk
	free int64
}

func (d smallDisk) Free(string) (int64, uint64, bool) { return d.free, 1, true }

func TestAFileIsRebuiltOnlyIfThereIsSpace(t *testing.T) {
	const size = 64 << 20
	dir, control := newDirectory(t, map[string]string{"base/5/16401": strings.Repeat("o", size), "pg_wal/x": ""})
	var half pgdata.BlockSet
	for b := pgdata.BlockNumber(0); b < size/8192; b += 2 {
		half.Add(b)
	}
	p := plan(filemap.Entry{Path: "base/5/16401", Type: pgdata.Regular, Blocks: &half, SourceSize: size, TargetSize: size})
	for _, c := range []struct {
		name         string
		free, needed int64 // needed is a lower limit
		rebuilt      bool
		refused      bool
	}{
		{"enough to rebuild it", 100 << 20, size, true, false},
		{"enough only for the pieces", 50 << 20, size / 2, false, false},
		{"too little for either", 20 << 20, size / 2, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tgt, err := apply.Open(dir, func(d apply.Disk) apply.Disk { return smallDisk{d, c.free} })
			require.NoError(t, err)
			defer func() { require.NoError(t, tgt.Close()) }()
			spaces, err := tgt.Space(p, true, false)
			require.NoError(t, err)
			require.Len(t, spaces, 1)
			assert.GreaterOrEqual(t, spaces[0].Needed, c.needed)
			assert.Less(t, spaces[0].Needed, c.needed+10<<20)
			s, err := tgt.Stage(t.Context(), p, control, apply.Options{Exact: true})
			if c.refused {
				var short *apply.SpaceError
				require.ErrorAs(t, err, &short)
				assert.Equal(t, spaces[0].Needed, short.Needed)
				return
			}
			require.NoError(t, err)
			defer s.Discard()
			require.NoError(t, s.WriteAt("base/5/16401", []byte(strings.Repeat("n", 8192)), 0))
			f, err := s.Open("base/5/16401") // the target's own file, unless it is staged whole
			if err == nil {
				require.NoError(t, f.Close())
			}
			assert.Equal(t, c.rebuilt, errors.Is(err, fs.ErrNotExist), "%v", err)
		})
	}
}
