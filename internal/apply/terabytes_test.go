package apply_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/pgdata"
)

// bottomless is a disk on which the files of a database are as large as anybody likes,
// and forget what is written to them.
type bottomless struct{ apply.Disk }

func (d bottomless) is(p string) bool {
	_, err := strconv.Atoi(path.Base(p))
	return err == nil && (strings.HasPrefix(p, "base/5/") || strings.HasPrefix(p, ownfiles.Prefix+"/"))
}

func (d bottomless) Open(p string, flag int, mode fs.FileMode) (apply.File, error) {
	if d.is(p) {
		return zeros{}, nil
	}
	return d.Disk.Open(p, flag, mode)
}

func (d bottomless) Lstat(p string) (fs.FileInfo, error) {
	if d.is(p) {
		p = pgdata.VersionPath
	}
	return d.Disk.Lstat(p)
}

func (d bottomless) Chmod(p string, mode fs.FileMode) error {
	if d.is(p) {
		return nil
	}
	return d.Disk.Chmod(p, mode)
}

func (d bottomless) CopyAttributes(from, to string) ([]apply.Loss, error) {
	if d.is(to) {
		return nil, nil
	}
	return d.Disk.CopyAttributes(from, to)
}

func (d bottomless) CopyRange(_ apply.File, _ int64, _ io.ReaderAt, _, length int64) (int64, error) {
	return length, nil
}

func (d bottomless) Allocate(apply.File, int64) {}
func (d bottomless) Flush(apply.File)           {}

func (d bottomless) Free(string) (int64, uint64, bool) { return 1 << 60, 1, true }

// zeros is a file of that disk.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error)  { clear(p); return len(p), nil }
func (zeros) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (zeros) Truncate(int64) error                   { return nil }
func (zeros) Sync() error                            { return nil }
func (zeros) Close() error                           { return nil }

// TestStagingTenTerabytes stages parts of ten thousand segments of a gigabyte of which
// every other block changed, and has some of each wait for the rest.
func TestStagingTenTerabytes(t *testing.T) {
	const page, size, segments, chunk = 8192, 1 << 30, 10_000, 512 << 10
	const perSegment = 3 << 10 // bytes of memory, beside the bitmap of its blocks
	dir, control := newDirectory(t, map[string]string{"pg_wal/x": ""})
	tgt, err := apply.Open(dir, func(d apply.Disk) apply.Disk { return bottomless{d} })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tgt.Close()) })
	changed := new(pgdata.BlockSet)
	for b := pgdata.BlockNumber(0); b < size/page; b += 2 {
		changed.Add(b)
	}
	var entries []filemap.Entry
	for i := range segments {
		entries = append(entries, filemap.Entry{
			Path: fmt.Sprintf("base/5/%d", 20000+i), Type: pgdata.Regular, SourceSize: size, TargetSize: size, Action: filemap.None, Blocks: changed,
		})
	}
	before := heap()
	s := stage(t, tgt, control, entries...)
	block := bytes.Repeat([]byte{'n'}, page)
	for _, e := range entries {
		for at := int64(0); at < chunk; at += 2 * page { // one chunk becomes complete
			require.NoError(t, s.WriteAt(e.Path, block, at))
		}
		require.NoError(t, s.WriteAt(e.Path, block, size/2)) // and one does not
	}
	grown := heap() - before
	t.Logf("%d MB for %d GB", grown>>20, segments)
	assert.Less(t, grown, int64(100<<20+segments*perSegment))
}
