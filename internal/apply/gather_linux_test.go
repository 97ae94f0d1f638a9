package apply_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/pgtest/randomtest"
	"github.com/gorewind/gorewind/pgdata"
)

// undirected is a disk without direct I/O. It refuses at open or, if late, at the
// first write.
type undirected struct {
	apply.Disk
	late    bool
	refused atomic.Int64
}

func (d *undirected) Open(p string, flag int, mode fs.FileMode) (apply.File, error) {
	const anyDirect = syscall.O_DIRECT
	if flag&anyDirect == 0 {
		return d.Disk.Open(p, flag, mode)
	}
	if !d.late {
		d.refused.Add(1)
		return nil, &fs.PathError{Op: "open", Path: p, Err: syscall.EINVAL}
	}
	f, err := d.Disk.Open(p, flag&^anyDirect, mode)
	return &undirectedFile{f, d}, err
}

type undirectedFile struct {
	apply.File
	d *undirected
}

func (f *undirectedFile) WriteAt([]byte, int64) (int, error) {
	f.d.refused.Add(1)
	return 0, &fs.PathError{Op: "write", Path: "x", Err: syscall.EINVAL}
}

// TestFilesAreRebuiltFromPiecesInAnyOrder has several connections send the changes of
// a file in any order, some twice and some in parts.
func TestFilesAreRebuiltFromPiecesInAnyOrder(t *testing.T) {
	const page = 8192
	seed := randomtest.Seed()
	t.Logf("GOREWIND_TEST_SEED=%d", seed)
	for _, c := range []struct {
		name       string
		disk       *undirected
		local      bool
		twice      bool
		oldBlocks  int
		newBlocks  int
		tail, less int64 // bytes after the last whole block; bytes that the source no longer has
	}{
		{name: "from a server", oldBlocks: 300, newBlocks: 300},
		{name: "from a local file", local: true, oldBlocks: 300, newBlocks: 300},
		{name: "with pieces that are sent twice", twice: true, oldBlocks: 300, newBlocks: 300},
		{name: "of a file that grew and ends in a partial block", oldBlocks: 100, newBlocks: 250, tail: 100},
		{name: "of a file that becomes shorter", oldBlocks: 300, newBlocks: 200},
		{name: "of a source file that was truncated meanwhile", oldBlocks: 100, newBlocks: 250, less: 90 * page},
		{name: "where files cannot be opened for direct writes", disk: &undirected{}, oldBlocks: 300, newBlocks: 300},
		{name: "where direct writes fail", disk: &undirected{late: true}, oldBlocks: 300, newBlocks: 300},
	} {
		t.Run(c.name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			size := int64(c.newBlocks)*page + c.tail
			e := filemap.Entry{Path: "base/5/1", Type: pgdata.Regular, SourceSize: size, TargetSize: int64(c.oldBlocks) * page, Blocks: new(pgdata.BlockSet)}
			shared := min(c.oldBlocks, c.newBlocks)
			for b := range shared {
				if b < 70 || b >= 140 && rnd.IntN(10) < 8 { // one whole chunk does not change
					e.Blocks.Add(pgdata.BlockNumber(b))
				}
			}
			switch {
			case size > e.TargetSize:
				e.Action = filemap.CopyTail
			case size < e.TargetSize:
				e.Action = filemap.Truncate
			}
			content := make([]byte, size)
			for i := range content {
				content[i] = byte(rnd.Uint32())
			}
			old := bytes.Repeat([]byte{'o'}, c.oldBlocks*page)
			want := bytes.Clone(content)
			for r := range e.Unchanged(geometry, 0, size) {
				copy(want[r.Offset:][:r.Length], old[r.Offset:])
			}
			want = want[:size-c.less]

			dir, control := newDirectory(t, map[string]string{"base/5/1": string(old)})
			tgt, err := apply.Open(dir, func(d apply.Disk) apply.Disk {
				if c.disk == nil {
					return d
				}
				c.disk.Disk = d
				return c.disk
			})
			require.NoError(t, err)
			t.Cleanup(func() { _ = tgt.Close() })
			s := stage(t, tgt, control, e)

			var pieces []filemap.Span
			ask := func(offset, length int64) {
				for length > 0 {
					n := min(length, 1+rnd.Int64N(12*page))
					pieces = append(pieces, filemap.Span{Offset: offset, Length: n})
					offset, length = offset+n, length-n
				}
			}
			for r := range e.Runs(geometry) {
				ask(r.Offset, r.Length)
			}
			if e.Action == filemap.CopyTail {
				ask(e.TailStart(geometry), size-e.TailStart(geometry)-c.less)
			}
			if c.twice {
				pieces = append(pieces, pieces[:len(pieces)/2]...)
			}
			rnd.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
			from := open(t, string(content))
			var g errgroup.Group
			g.SetLimit(4)
			for _, p := range pieces {
				g.Go(func() error {
					if !c.local {
						return s.WriteAt("base/5/1", content[p.Offset:][:p.Length], p.Offset)
					}
					n, err := s.CopyFrom("base/5/1", from, p.Offset, p.Length)
					if err == nil && n != p.Length {
						err = fmt.Errorf("%d of %d bytes", n, p.Length)
					}
					return err
				})
			}
			require.NoError(t, g.Wait())
			finish(t, tgt, s, control)
			got, err := os.ReadFile(tgt.Join("base/5/1"))
			require.NoError(t, err)
			require.Len(t, got, len(want))
			assert.True(t, bytes.Equal(want, got), "the file has every piece; first difference at %d", firstDifference(want, got))
			if c.disk != nil {
				assert.Positive(t, c.disk.refused.Load(), "a direct write was tried")
			}
		})
	}
}

func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// TestChunksThatCannotBeWrittenEndTheRewind has a full disk: the rewind must fail
// before its commit, with the cause.
func TestChunksThatCannotBeWrittenEndTheRewind(t *testing.T) {
	const blocks, page = 200, 8192
	full := &fullDisk{}
	dir, control := newDirectory(t, map[string]string{"base/5/1": strings.Repeat("o", blocks*page)})
	tgt, err := apply.Open(dir, func(d apply.Disk) apply.Disk { full.Disk = d; return full })
	require.NoError(t, err)
	t.Cleanup(func() { _ = tgt.Close() })
	e := filemap.Entry{Path: "base/5/1", Type: pgdata.Regular, SourceSize: blocks * page, TargetSize: blocks * page, Blocks: new(pgdata.BlockSet)}
	for b := range pgdata.BlockNumber(blocks) {
		e.Blocks.Add(b)
	}
	s := stage(t, tgt, control, e)
	full.now.Store(true)
	err = s.WriteAt("base/5/1", bytes.Repeat([]byte{'n'}, blocks*page), 0)
	if err == nil {
		_, err = s.Commit(t.Context(), control, apply.Final{Control: newControl(t, control)})
	}
	assert.ErrorIs(t, err, syscall.ENOSPC)
	assert.True(t, strings.Repeat("o", blocks*page) == read(t, tgt, "base/5/1"), "the target is as it was")
}

// fullDisk is a disk that becomes full.
type fullDisk struct {
	apply.Disk
	now atomic.Bool
}

func (d *fullDisk) Open(p string, flag int, mode fs.FileMode) (apply.File, error) {
	f, err := d.Disk.Open(p, flag, mode)
	if err != nil || !d.now.Load() {
		return f, err
	}
	return &fullFile{f}, nil
}

func (*fullDisk) Allocate(apply.File, int64) {}

type fullFile struct{ apply.File }

func (*fullFile) WriteAt([]byte, int64) (int, error) { return 0, syscall.ENOSPC }
