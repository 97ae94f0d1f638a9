package apply_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/pgdata"
)

// slowCopies is a disk that copies slowly from file to file.
type slowCopies struct{ apply.Disk }

func (d slowCopies) CopyRange(dst apply.File, to int64, src io.ReaderAt, at, length int64) (int64, error) {
	time.Sleep(50 * time.Millisecond)
	return d.Disk.CopyRange(dst, to, src, at, length)
}

// TestAFileThatTheSourceTruncatedMeanwhileIsFinishedByTheNextRun has a source that sends
// little or nothing of a file. The target's own part of it stays, and the size in the
// journal must include that part.
func TestAFileThatTheSourceTruncatedMeanwhileIsFinishedByTheNextRun(t *testing.T) {
	const page, chunk = 8192, 64
	for name, sent := range map[string]int{"to nothing": 0, "to a part of a chunk": 5 * page, "to a chunk": chunk * page} {
		t.Run(name, func(t *testing.T) {
			e := filemap.Entry{Path: "base/5/1", Type: pgdata.Regular, Action: filemap.None, SourceSize: 4 * chunk * page, TargetSize: 4 * chunk * page, Blocks: new(pgdata.BlockSet)}
			for b := range 4 * chunk {
				if b/chunk != 2 {
					e.Blocks.Add(pgdata.BlockNumber(b))
				}
			}
			old := bytes.Repeat([]byte{'o'}, 4*chunk*page)
			dir, control := newDirectory(t, map[string]string{"base/5/1": string(old)})
			tgt, err := apply.Open(dir, func(d apply.Disk) apply.Disk { return slowCopies{d} })
			require.NoError(t, err)
			t.Cleanup(func() { _ = tgt.Close() })
			s := stage(t, tgt, control, e)
			require.NoError(t, s.WriteAt("base/5/1", bytes.Repeat([]byte{'n'}, sent), 0))
			commit(t, s, control)
			j, err := tgt.Journal()
			require.NoError(t, err)
			require.NoError(t, tgt.Finish(t.Context(), j, true))
			want := make([]byte, 3*chunk*page)
			copy(want, bytes.Repeat([]byte{'n'}, sent))
			copy(want[2*chunk*page:], old[:chunk*page])
			assert.True(t, string(want) == read(t, tgt, "base/5/1"), "what was sent, and what stays")
		})
	}
}
