package rewindtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// Options describes a pair. The zero value is a pair of the newest major whose target
// must be rewound.
type Options struct {
	Major string // as in PG_VERSION: "9.6", "18"; empty: the newest
	// InStep makes a target that has done nothing of its own: it can follow as it is.
	InStep bool
	// SystemIdentifier is the identifier of both; zero means a default one.
	SystemIdentifier uint64
}

// Pair is two data directories of one cluster. The target was a primary until its
// standby, the source, was promoted. Both were stopped cleanly. The target has a commit
// that the source never had.
type Pair struct {
	Target, Source string          // the data directories
	Version        *pgdata.Version // their major
	Fork           pgdata.LSN      // where they diverge, on timeline 1
	Checkpoint     pgdata.LSN      // the last checkpoint that both have
	SourceEnd      pgdata.LSN      // where the source's WAL ends, on timeline 2
}

// systemIdentifier is the default identifier of pairs.
const systemIdentifier = 7000000000000000001

// New makes a pair that is removed when the test ends.
func New(t testing.TB, o Options) *Pair {
	t.Helper()
	p, err := Make(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Make makes a pair in a directory: the subdirectories target and source, which must
// not exist.
func Make(dir string, o Options) (*Pair, error) {
	versions := pgdata.Versions()
	v := pgdata.VersionByName(cmp.Or(o.Major, versions[len(versions)-1].Name))
	if v == nil {
		return nil, fmt.Errorf("there is no major %q: see pgdata.Versions", o.Major)
	}
	p := &Pair{Target: filepath.Join(dir, "target"), Source: filepath.Join(dir, "source"), Version: v}
	for _, side := range []string{p.Target, p.Source} {
		if err := os.Mkdir(side, 0o700); err != nil {
			return nil, err
		}
	}
	c := newCluster(v, cmp.Or(o.SystemIdentifier, systemIdentifier))
	c.create(common)
	for block := range uint32(4) {
		for n := range int32(3) {
			c.insert(common, block, int32(block)*3+n, "before the checkpoint")
		}
	}
	c.commit()
	c.stop()
	p.Checkpoint = c.at
	c.insert(common, 0, 100, "before they parted")
	c.commit()

	src := c.clone()
	p.Fork = c.wal.Pos()
	if o.InStep {
		c.stop()
		src = c.clone()
		p.Fork = c.wal.Pos()
	} else {
		c.insert(common, 1, 200, "on the target only")
		c.create(targetOnly)
		c.insert(targetOnly, 0, 201, "in a table of the target only")
		c.commit()
		c.switchSegment()
		c.stop()
	}

	src.promote()
	src.insert(common, 2, 300, "on the source only")
	src.insert(common, 4, 301, "in a new block")
	src.create(sourceOnly)
	src.insert(sourceOnly, 0, 302, "in a table of the source only")
	src.commit()
	src.switchSegment()
	src.stop()
	p.SourceEnd = src.wal.Pos()
	return p, errors.Join(c.store(p.Target, 5432), src.store(p.Source, 5433))
}

// OpenSource opens the source as the data directory of a stopped server. It is closed
// when the test ends.
func (p *Pair) OpenSource(t testing.TB) *source.Dir {
	t.Helper()
	s, err := source.OpenDir(p.Source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Interrupt begins a rewind of the target and stops it right after the commit, as a
// crash would at that moment: no server starts on the target until rewind.Resume, or
// another run, finishes it.
func (p *Pair) Interrupt(ctx context.Context) (err error) {
	s, err := source.OpenDir(p.Source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	crash := errors.New("left to be finished")
	ctx = FailAt(ctx, rewind.PhaseApply, crash)
	r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: p.Target, Source: s, NoSync: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.Apply(ctx); !errors.Is(err, crash) {
		return errors.Join(errors.New("the rewind was not interrupted"), err)
	}
	return nil
}

// LoseWAL removes the target's WAL from the fork, so that only a comparison or a new
// base backup can help.
func (p *Pair) LoseWAL() error {
	geo := pgdata.Geometry{WALSegSize: walSegSize}
	return os.Remove(filepath.Join(p.Target, p.Version.WALDir, geo.WALFileName(1, geo.SegNo(p.Fork))))
}
