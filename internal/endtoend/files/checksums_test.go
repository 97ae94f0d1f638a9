package files_test

import (
	"context"
	"iter"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// tornSource returns a torn page of a table the first few times that it is read.
type tornSource struct {
	source.Source
	path  string
	times int
	mu    sync.Mutex
}

func (s *tornSource) Fetch(ctx context.Context, ranges iter.Seq[source.Range], dst source.Sink) error {
	return s.Source.Fetch(ctx, ranges, &tornSink{dst, s})
}

type tornSink struct {
	source.Sink
	s *tornSource
}

func (t *tornSink) WriteAt(path string, data []byte, offset int64) error {
	t.s.mu.Lock()
	torn := path == t.s.path && len(data) >= 8192 && t.s.times > 0
	if torn {
		t.s.times--
	}
	t.s.mu.Unlock()
	if torn {
		data = append([]byte{}, data...)
		clear(data[4096:8192])
	}
	return t.Sink.WriteAt(path, data, offset)
}

// TestDamagedPagesOfTheSourceAreNotCopied damages a page of the source. The
// target's own version of it is good.
func TestDamagedPagesOfTheSourceAreNotCopied(t *testing.T) {
	for _, inPlace := range []bool{false, true} {
		t.Run(map[bool]string{false: "staged", true: "in place"}[inPlace], func(t *testing.T) {
			pgtest.EachOf(t, endtoend.OldestMiddleNewest, func(t *testing.T, in *pgtest.Installation) {
				l := endtoend.NewLab(t, in)
				a := l.Primary(pgtest.Options{}, "CREATE TABLE t (i int, p text)", "INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 1000) g")
				b := l.Standby(a)
				l.CatchUp(a, b)
				l.Promote(b)
				a.Exec(l, "UPDATE t SET p = repeat('y', 500)")
				a.Stop(l, pgtest.Fast)
				b.Exec(l, "INSERT INTO t VALUES (5000, 'z')")
				file, _ := blocksOf(l, b, "t")
				path := strings.TrimPrefix(file, b.Dir+"/")
				flip := func() {
					f, err := os.OpenFile(file, os.O_RDWR, 0)
					require.NoError(t, err)
					var one [1]byte
					_, err = f.ReadAt(one[:], 3*8192+8000)
					require.NoError(t, err)
					one[0] ^= 1
					_, err = f.WriteAt(one[:], 3*8192+8000)
					require.NoError(t, err)
					require.NoError(t, f.Close())
				}
				flip()
				y := &endtoend.Try{Target: a, Src: b, Asked: true, Opts: rewind.Options{InPlace: inPlace}}
				o := y.Rewind(t)
				require.ErrorIs(t, o.Err, rewind.ErrSourceDamaged)
				var failed *rewind.Error
				require.ErrorAs(t, o.Err, &failed)
				assert.Equal(t, rewind.SourceDamaged, failed.Condition)
				assert.Equal(t, !inPlace, failed.TargetUntouched)
				assert.False(t, failed.BaseBackupNeeded())
				if !inPlace {
					assert.Empty(t, o.Changed)
				}
				var damaged *rewind.DamagedPagesError
				require.ErrorAs(t, o.Err, &damaged)
				require.Len(t, damaged.Pages, 1)
				page := damaged.Pages[0]
				assert.Equal(t, "table public.t", page.Relation)
				assert.Equal(t, path, page.Path)
				assert.EqualValues(t, 3, page.Block)
				assert.NotZero(t, page.LSN)

				// A stopped source is damaged just the same.
				b.Stop(l, pgtest.Fast)
				if !inPlace {
					assert.ErrorIs(t, y.Rewind(t).Err, rewind.ErrSourceDamaged)
				}
				flip()
				b.Start(l)

				// A torn page is read again.
				ctx := context.Background()
				src, err := y.Open(ctx)
				require.NoError(t, err)
				defer func() { _ = src.Close() }()
				torn := &tornSource{Source: src, path: path, times: 3}
				r, err := rewind.Prepare(ctx, rewind.Options{
					TargetDir: a.Dir, Source: torn, NoSync: true, InPlace: inPlace, PrimaryConnInfo: b.ConnString("postgres") + " application_name=" + a.Name,
				})
				require.NoError(t, err)
				require.NoError(t, r.Apply(ctx))
				require.NoError(t, r.Close())
				assert.Zero(t, torn.times)
				require.NoError(t, y.Follow(l))
				a.Stop(l, pgtest.Fast)
				require.NoError(t, endtoend.Sound(a.Dir))
			})
		})
	}
}

// TestDamagedPagesAreCopiedOnRequest has the same damage, without the check.
func TestDamagedPagesAreCopiedOnRequest(t *testing.T) {
	pgtest.EachOf(t, []string{"18"}, func(t *testing.T, in *pgtest.Installation) {
		l := endtoend.NewLab(t, in)
		a, b := l.FailedOver(nil, "UPDATE t SET i = i + 1")
		b.Exec(l, "INSERT INTO t VALUES (5000)")
		file, _ := blocksOf(l, b, "t")
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		require.NoError(t, err)
		_, err = f.WriteAt([]byte("x"), 8000)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		y := &endtoend.Try{Target: a, Src: b, Opts: rewind.Options{NoVerifyChecksums: true}}
		require.NoError(t, y.Rewind(t).Err)
	})
}
