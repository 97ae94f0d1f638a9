package apply_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/pgdata"
)

// load is what a benchmark rewinds: files in which some blocks change.
type load struct {
	name          string
	action        filemap.Step
	files, blocks int
	changed       func(block int) bool
}

func loads() []load {
	all := func(int) bool { return true }
	return []load{
		{"whole files", filemap.Copy, 4, 2048, all},
		{"many small files", filemap.Copy, 500, 1, all},
		{"rebuilt files", filemap.None, 4, 2048, func(b int) bool { return b%4 != 0 }},
		{"scattered blocks", filemap.None, 4, 2048, func(b int) bool { return b%4 == 0 }},
	}
}

const benchPage = 8192

func (l load) entries() []filemap.Entry {
	var entries []filemap.Entry
	for i := range l.files {
		size := int64(l.blocks) * benchPage
		e := filemap.Entry{Path: fmt.Sprintf("base/5/%d", i), Type: pgdata.Regular, Action: l.action, SourceSize: size, TargetSize: size}
		if l.action == filemap.None {
			e.Blocks = new(pgdata.BlockSet)
			for b := range l.blocks {
				if l.changed(b) {
					e.Blocks.Add(pgdata.BlockNumber(b))
				}
			}
		}
		entries = append(entries, e)
	}
	return entries
}

// runs yields the changed parts of a file in the pieces that a server sends.
func (l load) runs(yield func(offset, length int64) bool) {
	const most = 12 // blocks
	for from := 0; from < l.blocks; {
		to := from
		for to < l.blocks && to-from < most && l.changed(to) {
			to++
		}
		if to > from && !yield(int64(from)*benchPage, int64(to-from)*benchPage) {
			return
		}
		from = max(to, from+1)
	}
}

func (l load) bytes() (n int64) {
	for _, length := range l.runs {
		n += length
	}
	return n * int64(l.files)
}

// send sends everything to a sink, as two connections or a local source's workers
// do.
func (l load) send(b *testing.B, s *apply.Staging, from *os.File) {
	data := bytes.Repeat([]byte{'n'}, 12*benchPage)
	var g errgroup.Group
	g.SetLimit(2)
	for i := range l.files {
		g.Go(func() error {
			p := fmt.Sprintf("base/5/%d", i)
			for offset, length := range l.runs {
				var err error
				if from != nil {
					_, err = s.CopyFrom(p, from, offset, length)
				} else {
					err = s.WriteAt(p, data[:length], offset)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(b, g.Wait())
}

// newLoad makes a target with the files of a load.
func newLoad(b *testing.B, l load) (dir string, control []byte, local *os.File) {
	files := map[string]string{}
	old := string(bytes.Repeat([]byte{'o'}, l.blocks*benchPage))
	for i := range l.files {
		files[fmt.Sprintf("base/5/%d", i)] = old
	}
	dir, control = newDirectory(b, files)
	name := filepath.Join(b.TempDir(), "source")
	require.NoError(b, os.WriteFile(name, []byte(old), 0o600))
	local, err := os.Open(name)
	require.NoError(b, err)
	b.Cleanup(func() { _ = local.Close() })
	return dir, control, local
}

// rewindOnce stages, commits and applies. It times either staging and commit or
// applying.
func (l load) rewindOnce(b *testing.B, dir string, control []byte, local *os.File, staging bool) {
	b.StopTimer()
	require.NoError(b, os.WriteFile(filepath.Join(dir, pgdata.ControlFilePath), control, 0o600))
	_ = os.Remove(filepath.Join(dir, pgdata.BackupLabelPath))
	tgt, err := apply.Open(dir, nil)
	require.NoError(b, err)
	part := func(timed bool, do func()) {
		if timed {
			b.StartTimer()
			defer b.StopTimer()
		}
		do()
	}
	part(staging, func() {
		s, err := tgt.Stage(b.Context(), plan(l.entries()...), control, apply.Options{})
		require.NoError(b, err)
		l.send(b, s, local)
		commit(b, s, control)
	})
	part(!staging, func() {
		j, err := tgt.Journal()
		require.NoError(b, err)
		require.NoError(b, tgt.Finish(b.Context(), j, false))
	})
	require.NoError(b, tgt.Close())
	b.StartTimer()
}

// BenchmarkStaging stages and commits, including fsync, data from a server and from
// a local directory.
func BenchmarkStaging(b *testing.B) {
	for _, l := range loads() {
		for _, from := range []string{"server", "local"} {
			b.Run(l.name+"/"+from, func(b *testing.B) {
				dir, control, local := newLoad(b, l)
				if from == "server" {
					local = nil
				}
				b.SetBytes(l.bytes())
				for b.Loop() {
					l.rewindOnce(b, dir, control, local, true)
				}
			})
		}
	}
}

// BenchmarkApplying applies a committed rewind, including fsync.
func BenchmarkApplying(b *testing.B) {
	for _, l := range loads() {
		b.Run(l.name, func(b *testing.B) {
			dir, control, _ := newLoad(b, l)
			b.SetBytes(l.bytes())
			for b.Loop() {
				l.rewindOnce(b, dir, control, nil, false)
			}
		})
	}
}
