package rewind_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// liar is a data directory that does not tell the truth.
type liar struct {
	source.Source
	listed []pgdata.FileInfo                        // additional files, listed last
	edit   func(f pgdata.FileInfo) *pgdata.FileInfo // what to list instead; nil: nothing
	fetch  func(ctx context.Context, honest source.Source, r source.Range, dst source.Sink) error
	read   func(path string, honest []byte) []byte
	reads  map[string]int
}

func (l *liar) Files(ctx context.Context) iter.Seq2[pgdata.FileInfo, error] {
	return func(yield func(pgdata.FileInfo, error) bool) {
		for f, err := range l.Source.Files(ctx) {
			if err == nil && l.edit != nil {
				changed := l.edit(f)
				if changed == nil {
					continue
				}
				f = *changed
			}
			if !yield(f, err) {
				return
			}
		}
		for _, f := range l.listed {
			if !yield(f, nil) {
				return
			}
		}
	}
}

func (l *liar) ReadFile(ctx context.Context, path string) ([]byte, error) {
	b, err := l.Source.ReadFile(ctx, path)
	if l.read != nil && err == nil {
		l.reads[path]++
		b = l.read(fmt.Sprintf("%s %d", path, l.reads[path]), b)
	}
	return b, err
}

// Fetch sends "evil" for files that it listed and that do not exist.
func (l *liar) Fetch(ctx context.Context, ranges iter.Seq[source.Range], dst source.Sink) error {
	invented := map[string]bool{}
	for _, f := range l.listed {
		invented[f.Path] = true
	}
	for r := range ranges {
		var err error
		switch {
		case invented[r.Path]:
			err = dst.WriteAt(r.Path, []byte("evil"), r.Offset)
		case l.fetch != nil:
			err = l.fetch(ctx, l.Source, r, dst)
		default:
			err = l.Source.Fetch(ctx, only(r), dst)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func only(r source.Range) iter.Seq[source.Range] {
	return func(yield func(source.Range) bool) { yield(r) }
}

func regularFile(path string, size int64) pgdata.FileInfo {
	return pgdata.FileInfo{Path: path, Type: pgdata.Regular, Size: size}
}

func directory(path string) pgdata.FileInfo {
	return pgdata.FileInfo{Path: path, Type: pgdata.Directory}
}

// lie is what a source does, and how that ends.
type lie struct {
	name string
	// tell sets up the liar. canary is a directory outside everything else.
	tell func(l *liar, p *pair, canary string)
	// says is what the error says. names returns the path or other thing that it must
	// name.
	names func(p *pair, canary string) string
	says  string
	// harmless lies cause no error.
	harmless bool
}

func path(s string) func(*pair, string) string { return func(*pair, string) string { return s } }

// evilPath lists a file under a path.
func evilPath(path string) func(*liar, *pair, string) {
	return func(l *liar, _ *pair, _ string) { l.listed = []pgdata.FileInfo{regularFile(path, 4)} }
}

// evilFetch replaces the fetching of the first requested range of a file.
func evilFetch(file string, do func(r source.Range, dst source.Sink) error) func(*liar, *pair, string) {
	return func(l *liar, _ *pair, _ string) {
		l.fetch = func(ctx context.Context, honest source.Source, r source.Range, dst source.Sink) error {
			if r.Path != file {
				return honest.Fetch(ctx, only(r), dst)
			}
			return do(r, dst)
		}
	}
}

// copied is a file that every rewind copies whole.
const copied = "global/pg_filenode.map"

// someBlocks is a relation whose blocks 1, 2 and 4 are requested.
const someBlocks = "base/5/16390"

// inTablespace returns a path in this version's part of a tablespace.
func (p *pair) inTablespace(spc, rest string) string {
	return "pg_tblspc/" + spc + "/" + p.version.TablespaceDir() + rest
}

var lies = []lie{
	{name: "a path that climbs out", tell: evilPath("../canary/evil"), names: path("../canary/evil")},
	{name: "a path that climbs out from below", tell: evilPath("base/../../canary/evil"), names: path("base/../../canary/evil")},
	{name: "a path that climbs out of the WAL directory", tell: evilPath("pg_wal/../../canary/evil"), names: path("pg_wal/../../canary/evil")},
	{name: "the parent itself", tell: func(l *liar, _ *pair, _ string) { l.listed = []pgdata.FileInfo{directory("..")} }, names: path(`".."`)},
	{name: "the data directory itself", tell: evilPath("."), names: path(`"."`)},
	{name: "a path of nothing", tell: evilPath(""), names: path(`""`)},
	{
		name: "an absolute path", names: func(_ *pair, canary string) string { return canary + "/evil" },
		tell: func(l *liar, _ *pair, canary string) { l.listed = []pgdata.FileInfo{regularFile(canary+"/evil", 4)} },
	},
	{name: "a path with a zero byte", tell: evilPath("base/evil\x00x"), names: path(`base/evil\x00x`)},
	{name: "a path with a double slash", tell: evilPath("base//evil"), names: path("base//evil")},
	{name: "a path with a dot", tell: evilPath("base/./evil"), names: path("base/./evil")},
	{name: "a path with a slash at its end", tell: evilPath("base/evil/"), names: path("base/evil/")},
	{name: "a path through a file", tell: evilPath("PG_VERSION/evil"), names: path("PG_VERSION/evil")},
	{name: "a path through a directory that is not listed", tell: evilPath("nowhere/evil"), names: path("nowhere/evil")},
	{
		name: "a path through a link of the target", names: path("base/link"),
		tell: func(l *liar, p *pair, canary string) {
			require.NoError(p.t, os.Symlink(canary, filepath.Join(p.target, "base", "link")))
			l.listed = []pgdata.FileInfo{directory("base/link"), regularFile("base/link/evil", 4)}
		},
	},
	{
		name: "a path through a new link", names: path("base/link"),
		tell: func(l *liar, p *pair, canary string) {
			l.listed = []pgdata.FileInfo{{Path: "base/link", Type: pgdata.Symlink, Link: canary}, regularFile("base/link/evil", 4)}
		},
	},
	{
		name: "a WAL directory that leads elsewhere", names: path("pg_wal"),
		tell: func(l *liar, p *pair, canary string) {
			l.edit = func(f pgdata.FileInfo) *pgdata.FileInfo {
				if f.Path == "pg_wal" {
					f.Type, f.Link = pgdata.Symlink, canary
				}
				return &f
			}
		},
	},
	{
		name: "a tablespace in a directory that exists", names: func(_ *pair, canary string) string { return canary },
		tell: func(l *liar, p *pair, canary string) {
			l.listed = []pgdata.FileInfo{{Path: "pg_tblspc/999", Type: pgdata.Symlink, Link: canary}, directory(p.inTablespace("999", "")), regularFile(p.inTablespace("999", "/evil"), 4)}
		},
	},
	{
		name: "a tablespace in a system directory", names: path("/etc"),
		tell: func(l *liar, p *pair, _ string) {
			l.listed = []pgdata.FileInfo{{Path: "pg_tblspc/999", Type: pgdata.Symlink, Link: "/etc"}, directory(p.inTablespace("999", "")), regularFile(p.inTablespace("999", "/evil"), 4)}
		},
	},
	{
		name: "a tablespace by a relative path", names: path("canary"),
		tell: func(l *liar, p *pair, _ string) {
			l.listed = []pgdata.FileInfo{{Path: "pg_tblspc/999", Type: pgdata.Symlink, Link: "../../canary"}, directory(p.inTablespace("999", "")), regularFile(p.inTablespace("999", "/evil"), 4)}
		},
	},
	{
		name: "a tablespace that is the data directory", names: path("pg_tblspc/999"),
		tell: func(l *liar, p *pair, _ string) {
			l.listed = []pgdata.FileInfo{{Path: "pg_tblspc/999", Type: pgdata.Symlink, Link: p.target}, directory(p.inTablespace("999", "")), regularFile(p.inTablespace("999", "/evil"), 4)}
		},
	},
	{
		name: "a tablespace with files beside the version's directory", harmless: true,
		tell: func(l *liar, p *pair, _ string) {
			spc := filepath.Join(p.home, "spc")
			require.NoError(p.t, os.Mkdir(spc, 0o700))
			l.listed = []pgdata.FileInfo{{Path: "pg_tblspc/999", Type: pgdata.Symlink, Link: spc}, regularFile("pg_tblspc/999/evil", 4), directory(p.inTablespace("999", ""))}
		},
	},
	{
		name: "gorewind's own files", harmless: true,
		tell: func(l *liar, _ *pair, _ string) {
			l.listed = []pgdata.FileInfo{directory("pgsql_tmp_gorewind"), regularFile("pgsql_tmp_gorewind/pg_control", 4), regularFile("pgsql_tmp_gorewind/../x", 4)}[:2]
		},
	},

	{
		name: "a link with a zero byte", names: path("base/link"),
		tell: func(l *liar, _ *pair, _ string) {
			l.listed = []pgdata.FileInfo{{Path: "base/link", Type: pgdata.Symlink, Link: "a\x00b"}}
		},
	},
	{
		name: "a link that is longer than any", names: path("base/link"),
		tell: func(l *liar, _ *pair, _ string) {
			l.listed = []pgdata.FileInfo{{Path: "base/link", Type: pgdata.Symlink, Link: strings.Repeat("a", 5000)}}
		},
	},
	{
		name: "a link to nothing", names: path("base/link"),
		tell: func(l *liar, _ *pair, _ string) {
			l.listed = []pgdata.FileInfo{{Path: "base/link", Type: pgdata.Symlink}}
		},
	},
	{
		name: "a directory where servers have a file", names: path("standby.signal"),
		tell: func(l *liar, _ *pair, _ string) { l.listed = []pgdata.FileInfo{directory("standby.signal")} },
	},
	{
		name: "a directory whose name no file system takes", names: path(strings.Repeat("n", 300)),
		tell: func(l *liar, _ *pair, _ string) {
			l.listed = []pgdata.FileInfo{directory(strings.Repeat("n", 300))}
		},
	},
	{
		name: "a relation that is a directory", names: path("base/5/99999"),
		tell: func(l *liar, _ *pair, _ string) { l.listed = []pgdata.FileInfo{directory("base/5/99999")} },
	},
	{
		name: "a negative size", names: path("base/5/99999"),
		tell: func(l *liar, _ *pair, _ string) { l.listed = []pgdata.FileInfo{regularFile("base/5/99999", -1)} },
	},
	{
		name: "an impossible size of a relation", names: path("base/5/99999"),
		tell: func(l *liar, _ *pair, _ string) { l.listed = []pgdata.FileInfo{regularFile("base/5/99999", 1<<62)} },
	},
	{
		name: "a size that no disk has", names: path("evil"),
		tell: func(l *liar, _ *pair, _ string) {
			l.listed = []pgdata.FileInfo{regularFile("evil", 1<<62), regularFile("evil2", 1<<62), regularFile("evil3", 1<<62)}
		},
	},
	{
		name: "nothing at all", says: "listing", names: path("base"),
		tell: func(l *liar, _ *pair, _ string) { l.edit = func(pgdata.FileInfo) *pgdata.FileInfo { return nil } },
	},
	{
		name: "no WAL directory", says: "listing", names: path("pg_wal"),
		tell: func(l *liar, _ *pair, _ string) {
			l.edit = func(f pgdata.FileInfo) *pgdata.FileInfo {
				if strings.HasPrefix(f.Path, "pg_wal") {
					return nil
				}
				return &f
			}
		},
	},

	{
		name: "more than was asked for", names: path(copied), says: "not asked for",
		tell: evilFetch(copied, func(r source.Range, dst source.Sink) error { return dst.WriteAt(r.Path, make([]byte, r.Length+1), 0) }),
	},
	{
		name: "bytes at a negative offset", names: path(copied), says: "not asked for",
		tell: evilFetch(copied, func(r source.Range, dst source.Sink) error { return dst.WriteAt(r.Path, make([]byte, 10), -5) }),
	},
	{
		name: "bytes far beyond the end", names: path(copied), says: "not asked for",
		tell: evilFetch(copied, func(r source.Range, dst source.Sink) error { return dst.WriteAt(r.Path, make([]byte, 10), 1<<62) }),
	},
	{
		name: "an offset that overflows", names: path(copied), says: "not asked for",
		tell: evilFetch(copied, func(r source.Range, dst source.Sink) error { return dst.WriteAt(r.Path, make([]byte, 10), 1<<63-5) }),
	},
	{
		name: "a block that was not asked for", names: path(someBlocks), says: "not asked for",
		tell: evilFetch(someBlocks, func(r source.Range, dst source.Sink) error { return dst.WriteAt(r.Path, make([]byte, 8192), 3*8192) }),
	},
	{
		name: "a file that was not asked for", names: path("PG_VERSION"), says: "not asked for",
		tell: evilFetch(copied, func(_ source.Range, dst source.Sink) error { return dst.WriteAt("PG_VERSION", []byte("99"), 0) }),
	},
	{
		name: "the control file", names: path("global/pg_control"), says: "not asked for",
		tell: evilFetch(copied, func(_ source.Range, dst source.Sink) error { return dst.WriteAt("global/pg_control", []byte("99"), 0) }),
	},
	{
		name: "a file outside", names: path("../canary/secret"), says: "not asked for",
		tell: evilFetch(copied, func(_ source.Range, dst source.Sink) error { return dst.WriteAt("../canary/secret", []byte("99"), 0) }),
	},
	{
		name: "that a file outside is gone", names: path("../canary/secret"), says: "not asked for",
		tell: evilFetch(copied, func(_ source.Range, dst source.Sink) error { return dst.Vanished("../canary/secret") }),
	},
	{
		name: "that a file is gone that was not asked for", names: path("PG_VERSION"), says: "not asked for",
		tell: evilFetch(copied, func(_ source.Range, dst source.Sink) error { return dst.Vanished("PG_VERSION") }),
	},
	{
		name: "that a file of a stopped server is gone", names: path(copied), says: "run gorewind again",
		tell: evilFetch(copied, func(r source.Range, dst source.Sink) error { return dst.Vanished(r.Path) }),
	},
	{
		name: "nothing of a file", names: path(copied), says: "did not send",
		tell: evilFetch(copied, func(source.Range, source.Sink) error { return nil }),
	},
	{
		name: "half of a file of a stopped server", names: path(copied), says: "run gorewind again",
		tell: evilFetch(copied, func(r source.Range, dst source.Sink) error { return dst.WriteAt(r.Path, make([]byte, 100), 0) }),
	},
	{
		name: "not all changed blocks of a stopped server", names: path(someBlocks), says: "run gorewind again",
		tell: func(l *liar, _ *pair, _ string) {
			l.fetch = func(ctx context.Context, honest source.Source, r source.Range, dst source.Sink) error {
				if r.Path == someBlocks && r.Offset > 4*8192-1 {
					return nil
				}
				return honest.Fetch(ctx, only(r), dst)
			}
		},
	},
	{
		name: "an error", names: path("cable"),
		tell: evilFetch(copied, func(source.Range, source.Sink) error { return errors.New("somebody cut the cable") }),
	},

	{
		name: "another system identifier at the end", says: "system identifier", names: path("source"),
		tell: func(l *liar, p *pair, _ string) { l.changeControl(p, func(b []byte) { b[0]++ }) },
	},
	{
		name: "another checkpoint at the end", says: "leave it stopped and run gorewind again", names: path("source"),
		tell: func(l *liar, p *pair, _ string) { l.changeControl(p, func(b []byte) { b[32]++ }) },
	},
	{
		name: "garbage as control file at the end", says: "control file", names: path("source"),
		tell: func(l *liar, p *pair, _ string) {
			l.read = func(what string, b []byte) []byte {
				if what != pgdata.ControlFilePath+" 1" && strings.HasPrefix(what, pgdata.ControlFilePath) {
					return []byte("garbage")
				}
				return b
			}
		},
	},
	{
		name: "a control file of a gigabyte", says: "control file", names: path("source"),
		tell: func(l *liar, p *pair, _ string) {
			l.read = func(what string, b []byte) []byte {
				return bytes.Repeat([]byte("x"), 20<<20)
			}
		},
	},
}

// changeControl changes every reading of the control file except the first.
func (l *liar) changeControl(p *pair, edit func([]byte)) {
	changed := restoreSmallCopy(p)
	p2 := *p
	p2.patch(changed, edit)
	other, err := os.ReadFile(p.controlFile(changed))
	require.NoError(p.t, err)
	l.read = func(what string, b []byte) []byte {
		if strings.HasPrefix(what, pgdata.ControlFilePath) && what != pgdata.ControlFilePath+" 1" {
			return other
		}
		return b
	}
}

// restoreSmallCopy returns a directory with a copy of the source's control file.
func restoreSmallCopy(p *pair) string {
	p.t.Helper()
	dir := p.t.TempDir()
	b, err := os.ReadFile(p.controlFile(p.source))
	require.NoError(p.t, err)
	p.write(p.controlFile(dir), b)
	return dir
}

// TestALyingSourceReachesNothingOutside checks invariant I5.
func TestALyingSourceReachesNothingOutside(t *testing.T) {
	for _, c := range lies {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := restorePair(t, "18", "basic")
			canary := filepath.Join(p.home, "canary")
			p.write(filepath.Join(canary, "secret"), []byte("secret"))
			honest, err := source.OpenDir(p.source)
			require.NoError(t, err)
			defer func() { _ = honest.Close() }()
			l := &liar{Source: honest, reads: map[string]int{}}
			c.tell(l, p, canary)
			outside := func() dirtree.Tree { return treeOf(t, p.home).Without(isTarget) }
			before, target := outside(), treeOf(t, p.target)

			r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, Source: l, NoSync: true})
			if err == nil {
				defer func() { _ = r.Close() }()
				require.True(t, r.Plan().Required)
				err = r.Apply(t.Context())
			}
			after := outside()
			if c.harmless {
				require.NoError(t, err)
				after = after.Without(func(p string) bool { return p == "spc/"+pgdata.VersionByName("18").TablespaceDir() })
				assert.Empty(t, before.Diff(after), "changes outside")
				assert.NoDirExists(t, filepath.Join(p.target, "pgsql_tmp_gorewind"))
				return
			}
			assert.Empty(t, before.Diff(after), "changes outside")
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.names(p, canary))
			assert.Contains(t, err.Error(), c.says)
			assert.NotContains(t, err.Error(), "\n")
			var failed *rewind.Error
			require.ErrorAs(t, err, &failed)
			assert.True(t, failed.TargetUntouched)
			assert.Empty(t, target.Diff(treeOf(t, p.target)), "changes of the target")
		})
	}
}

func isTarget(p string) bool { return p == "target" }

// TestASourceThatNeverAnswersCanBeCancelled cancels in every phase.
func TestASourceThatNeverAnswersCanBeCancelled(t *testing.T) {
	p := restorePair(t, "18", "basic")
	honest, err := source.OpenDir(p.source)
	require.NoError(t, err)
	defer func() { _ = honest.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: p.target, NoSync: true, Source: &liar{
		Source: honest,
		fetch: func(ctx context.Context, honest source.Source, r source.Range, dst source.Sink) error {
			if isWAL(r.Path) { // the analysis reads it
				return honest.Fetch(ctx, slices.Values([]source.Range{r}), dst)
			}
			cancel()
			<-ctx.Done()
			return ctx.Err()
		},
	}})
	require.NoError(t, err)
	err = r.Apply(ctx)
	require.NoError(t, r.Close())
	require.ErrorIs(t, err, context.Canceled)
	var failed *rewind.Error
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, rewind.PhaseStage, failed.Phase)
	assert.True(t, failed.TargetUntouched)
	assert.True(t, failed.Retryable())

	// The next run succeeds.
	r, err = rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, NoSync: true, Source: honest})
	require.NoError(t, err)
	require.NoError(t, r.Apply(t.Context()))
	require.NoError(t, r.Close())

	// A context that is cancelled from the start changes nothing.
	q := restorePair(t, "18", "basic")
	before := treeOf(t, q.target)
	other, err := source.OpenDir(q.source)
	require.NoError(t, err)
	defer func() { _ = other.Close() }()
	r, err = rewind.Prepare(t.Context(), rewind.Options{TargetDir: q.target, NoSync: true, Source: other})
	require.NoError(t, err)
	err = r.Apply(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorAs(t, err, &failed)
	assert.True(t, failed.TargetUntouched)
	assert.Empty(t, before.Diff(treeOf(t, q.target)))
	_, err = rewind.Prepare(t.Context(), rewind.Options{TargetDir: q.target, NoSync: true, Source: other})
	require.ErrorIs(t, err, rewind.ErrTargetLocked)
	require.NoError(t, r.Close())
	_, err = rewind.Prepare(ctx, rewind.Options{TargetDir: q.target, NoSync: true, Source: other})
	assert.ErrorIs(t, err, context.Canceled)
}

// TestATimelineThatChangesMeanwhile has a server that is promoted while it is being
// read.
func TestATimelineThatChangesMeanwhile(t *testing.T) {
	p := restorePair(t, "18", "basic")
	honest, err := source.OpenDir(p.source)
	require.NoError(t, err)
	defer func() { _ = honest.Close() }()
	l := &liar{Source: honest, reads: map[string]int{}}
	inProduction := func(b []byte) { binary.LittleEndian.PutUint32(b[16:], 6) }
	p.patch(p.source, inProduction)
	src := &promoted{liar: l}
	r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, NoSync: true, Source: src})
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	err = r.Apply(t.Context())
	require.ErrorIs(t, err, rewind.ErrSourceChanged)
	assert.ErrorContains(t, err, "from timeline 2 to 3: run gorewind again")
}

// promoted is on one more timeline every time it is asked.
type promoted struct {
	*liar
	asked pgdata.TimelineID
}

func (s *promoted) State(context.Context) (source.State, error) {
	s.asked++
	return source.State{Live: true, FullPageWrites: true, Timeline: 1 + s.asked, FlushLSN: 0xB00000}, nil
}

// farAway says, from the second time on, that its WAL ends at an absurdly high LSN, and
// that it has every segment up to there.
type farAway struct {
	*liar
	asked, fetched int
}

func (s *farAway) State(context.Context) (source.State, error) {
	state := source.State{Live: true, FullPageWrites: true, Timeline: 2, FlushLSN: 0xB00000}
	if s.asked++; s.asked > 1 {
		state.FlushLSN = 1 << 49
	}
	return state, nil
}

func TestASourceThatIsFarAheadCostsNoTime(t *testing.T) {
	p := restorePair(t, "18", "basic")
	honest, err := source.OpenDir(p.source)
	require.NoError(t, err)
	defer func() { _ = honest.Close() }()
	p.patch(p.source, func(b []byte) { binary.LittleEndian.PutUint32(b[16:], 6) }) // in production
	src := &farAway{liar: &liar{Source: honest, reads: map[string]int{}}}
	src.fetch = func(ctx context.Context, honest source.Source, r source.Range, dst source.Sink) error {
		if _, err := os.Stat(filepath.Join(p.source, r.Path)); err == nil || !isWAL(r.Path) {
			return honest.Fetch(ctx, only(r), dst)
		}
		if src.fetched++; src.fetched > 100_000 {
			return errors.New("it never ends")
		}
		return dst.WriteAt(r.Path, make([]byte, r.Length), r.Offset)
	}
	r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, NoSync: true, Source: src})
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	// Only the standby finds out whether such a source has the WAL that it claims.
	require.NoError(t, r.Apply(t.Context()))
	assert.Greater(t, src.asked, 1)
	assert.Positive(t, src.fetched)
}
