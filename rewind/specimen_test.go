package rewind_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/internal/page"
	"github.com/gorewind/gorewind/internal/pgtest/scratch"
	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// specimen is a target and a source that need every kind of action, and little else.
// The target, its WAL directory and its tablespaces are next to each other in one
// directory, so that it can be compared and restored.
type specimen struct {
	root      string // holds target, wal, old, both, new
	src       string
	untouched *faultdisk.Node       // root before the rewind
	rewound   *faultdisk.Node       // root after an undisturbed rewind
	mode      func(*rewind.Options) // options of all its rewinds; may be nil
}

func (p *specimen) target() string { return filepath.Join(p.root, "target") }

// links says where paths of the target lead to, in root.
var links = map[string]string{
	"pg_wal": "wal", "pg_tblspc/16999": "old", "pg_tblspc/17000": "both", "pg_tblspc/17001": "new",
}

const spcDir = "PG_18_202506291"

// newSpecimen makes a specimen from the control files and the WAL of a fixture. That
// WAL changed blocks 1, 2 and 4 of base/5/16390, 0 of 16412, 3 and 12 of 2608.
func newSpecimen(t testing.TB) *specimen {
	t.Helper()
	return newSpecimenIn(t, filepath.Join(scratch.MemoryDir(t), "root"))
}

// newSpecimenFor makes a specimen whose rewinds all have the same options.
func newSpecimenFor(t testing.TB, mode func(*rewind.Options)) *specimen {
	t.Helper()
	p := newSpecimen(t)
	if mode != nil {
		p.mode = mode
		p.restore(t)
		p.expect(t)
	}
	return p
}

// expect makes the result of an undisturbed rewind the expected result.
func (p *specimen) expect(t testing.TB) *rewind.Plan {
	t.Helper()
	r, err := rewind.Prepare(context.Background(), p.options(t).WithDisk(withoutSync))
	require.NoError(t, err)
	require.NoError(t, r.Apply(context.Background()))
	require.NoError(t, r.Close())
	p.rewound = p.load(t)
	require.Empty(t, p.rewound.Find("target/"+ownfiles.Prefix))
	return r.Plan()
}

// newSpecimenIn makes a specimen whose target is in root, which is created.
func newSpecimenIn(t testing.TB, root string) *specimen {
	t.Helper()
	temp := scratch.MemoryDir(t)
	p := &specimen{root: root, src: filepath.Join(temp, "source")}
	for _, side := range []string{"target", "source"} {
		from, to := filepath.Join(temp, "fixture-"+side), filepath.Join(temp, "source")
		require.NoError(t, savedcluster.RestoreStored(filepath.Join("..", "testdata", "clusters", "18-basic", side), from))
		wal := filepath.Join(to, "pg_wal")
		if side == "target" {
			to, wal = p.target(), filepath.Join(p.root, "wal")
			require.NoError(t, os.Mkdir(p.root, 0o700))
			for _, dir := range []string{"old", "both", "new"} {
				require.NoError(t, os.Mkdir(filepath.Join(p.root, dir), 0o700))
			}
		}
		require.NoError(t, os.MkdirAll(to, 0o700))
		require.NoError(t, os.CopyFS(wal, os.DirFS(filepath.Join(from, "pg_wal"))))
		require.NoError(t, os.CopyFS(filepath.Join(to, "global"), os.DirFS(filepath.Join(from, "global"))))
		if side == "target" {
			require.NoError(t, os.Symlink(wal, filepath.Join(to, "pg_wal")))
		}
	}
	p.fill(t)
	var err error
	p.untouched, err = faultdisk.Load(p.root)
	require.NoError(t, err)
	requireEveryAction(t, p.expect(t))
	return p
}

// fill creates the files of both sides.
func (p *specimen) fill(t testing.TB) {
	t.Helper()
	t1, s1 := p.target(), p.src
	const page = 8192
	for _, f := range []struct {
		path        string
		onTarget    int // bytes; -1: not there, -2: a directory
		onSource    int
		permissions os.FileMode
	}{
		{"PG_VERSION", 3, 3, 0},
		{"base", -2, -2, 0},
		{"base/5", -2, -2, 0},
		{"pg_tblspc", -2, -2, 0},
		{"base/5/16390", 5 * page, 5 * page, 0}, // blocks
		{"base/5/16412", page, 3 * page, 0},     // blocks and a tail
		{"base/5/60001", page, 3 * page, 0},     // a tail
		{"base/5/60005", page, 40 * page, 0},    // a tail so long that the file is rebuilt
		{"base/5/2608", 13 * page, 5 * page, 0}, // blocks, and cut off
		{"base/5/16395", 4 * page, page, 0},     // cut off
		{"base/5/60006", page, 0, 0},            // emptied
		{"base/5/60002", 2 * page, -1, 0},       // removed
		{"base/5/60003", -1, 2 * page, 0},       // new
		{"base/5/60004", -1, 0, 0},              // new and empty
		{"base/5/66666", page, page, 0},         // vanishes on the source
		{"base/9", -2, -1, 0},
		{"base/9/1", page, -1, 0},
		{"base/9/PG_VERSION", 3, -1, 0},
		{"base/7", -1, -2, 0},
		{"base/7/1", -1, page, 0},
		{"base/7/PG_VERSION", -1, 3, 0},
		{"postgresql.conf", 100, 50, 0o640},
		{"empty.conf", 10, 0, 0},
		{"grows.conf", 0, 10, 0},
		{"not \xff UTF-8", 5, 6, 0},
		{"two\nlines", -1, 7, 0},
		{"\"quoted", 3, -1, 0},
		{"conf.d", -1, -2, 0},
		{"conf.d/deep", -1, -2, 0},
		{"conf.d/deep/er.conf", -1, 9, 0},
		{"../old/" + spcDir, -2, -1, 0},
		{"../old/" + spcDir + "/1", page, -1, 0},
		{"../both/" + spcDir, -2, -2, 0},
		{"../both/" + spcDir + "/1", page, 2 * page, 0},
		{"../both/" + spcDir + "/2", -1, page, 0},
		{"../new/" + spcDir, -1, -2, 0},
		{"../new/" + spcDir + "/5", -1, -2, 0},
		{"../new/" + spcDir + "/5/1", -1, page, 0},
	} {
		for _, side := range []struct {
			dir, what string
			size      int
		}{{t1, "target", f.onTarget}, {s1, "source", f.onSource}} {
			name := filepath.Join(side.dir, f.path)
			if rest, ok := strings.CutPrefix(f.path, "../"); ok && side.what == "source" {
				name = filepath.Join(filepath.Dir(s1), "spaces", rest)
				require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
			}
			switch side.size {
			case -1:
			case -2:
				require.NoError(t, os.Mkdir(name, 0o700))
			default:
				text := strings.Repeat(side.what+" ", side.size/7+1)[:side.size]
				if filepath.Base(name) == "PG_VERSION" {
					text = "18\n"
				}
				require.NoError(t, os.WriteFile(name, withChecksums(text), 0o600))
				if f.permissions != 0 {
					require.NoError(t, os.Chmod(name, f.permissions))
				}
			}
		}
	}
	for oid, space := range map[string]string{"16999": "old", "17000": "both"} {
		require.NoError(t, os.Symlink(filepath.Join(p.root, space), filepath.Join(t1, "pg_tblspc", oid)))
	}
	for oid, space := range map[string]string{"17000": "both", "17001": "new"} {
		require.NoError(t, os.Symlink(filepath.Join(filepath.Dir(s1), "spaces", space), filepath.Join(s1, "pg_tblspc", oid)))
	}
}

// requireEveryAction checks that the specimen serves its purpose.
func requireEveryAction(t testing.TB, plan *rewind.Plan) {
	t.Helper()
	found := map[string]bool{}
	for i := range plan.Files.Entries {
		e := &plan.Files.Entries[i]
		what := fmt.Sprintf("%s %s", e.Action, e.Type)
		if e.Blocks != nil {
			what += " with blocks"
		}
		found[what] = true
	}
	for _, what := range []string{
		"CREATE directory", "CREATE symbolic link", "COPY regular file", "COPY_TAIL regular file", "COPY_TAIL regular file with blocks",
		"NONE regular file with blocks", "TRUNCATE regular file", "TRUNCATE regular file with blocks",
		"REMOVE regular file", "REMOVE directory", "REMOVE symbolic link",
	} {
		require.True(t, found[what], "%s: %v", what, found)
	}
}

// restore restores the directory to its initial state.
func (p *specimen) restore(t testing.TB) {
	t.Helper()
	require.NoError(t, p.untouched.Store(p.root))
}

func (p *specimen) load(t testing.TB) *faultdisk.Node {
	t.Helper()
	tree, err := faultdisk.Load(p.root, p.untouched, p.rewound)
	require.NoError(t, err)
	if label := tree.Find("target/" + pgdata.BackupLabelPath); label != nil {
		label.Data = regexp.MustCompile(`START TIME: .*`).ReplaceAll(label.Data, []byte("START TIME"))
	}
	control := tree.Find("target/" + pgdata.ControlFilePath)
	if control == nil {
		return tree
	}
	data, err := controlfile.Parse(control.Data)
	require.NoError(t, err)
	if data.State == controlfile.InArchiveRecovery { // the file contains the time of the rewind
		f := data.Fields
		f.Time = time.Unix(0, 0)
		control.Data = data.Encode(f)
	}
	return tree
}

// own reports whether a path is something that gorewind may leave in a target that it
// did not touch: its staging areas, and the file that keeps servers out.
func own(p string) bool {
	return stagingOnly(p) || p == "target/"+pgdata.PostmasterPid
}

func stagingOnly(p string) bool { return stagingName.MatchString(filepath.Base(p)) }

// stagingName matches the names of staging directories. Outside the data directory they
// have the cluster's identifier.
var stagingName = regexp.MustCompile(`^pgsql_tmp_gorewind(\.7710460244942201359)?$`)

// mustBeRewound checks the result. Anything left of staging areas in tablespaces must
// be known to the staging area in the data directory, so that the next rewind removes
// it.
func (p *specimen) mustBeRewound(t testing.TB, what string) {
	t.Helper()
	tree := p.load(t)
	assert.Empty(t, faultdisk.Diff(p.rewound, tree, stagingOnly), "the result: %s", what)
	for _, dir := range links {
		for name := range tree.Find(dir).Entries {
			if stagingOnly(name) {
				assert.NotNil(t, tree.Find("target/"+ownfiles.Prefix+"/areas"), "%s: %s", dir, what)
			}
		}
	}
}

// options returns the options of a rewind of the specimen.
func (p *specimen) options(t testing.TB) rewind.Options {
	t.Helper()
	dir, err := source.OpenDir(p.src)
	require.NoError(t, err)
	t.Cleanup(func() { _ = dir.Close() })
	opts := rewind.Options{TargetDir: p.target(), Source: &movedSource{dir, p.root}}
	if p.mode != nil {
		p.mode(&opts)
	}
	return opts
}

// movedSource is a stopped source that looks like a standby, whose new tablespace has a
// different place on the target, and which drops a file.
type movedSource struct {
	*source.Dir
	root string
}

func (s *movedSource) Files(ctx context.Context) iter.Seq2[pgdata.FileInfo, error] {
	return func(yield func(pgdata.FileInfo, error) bool) {
		for f, err := range s.Dir.Files(ctx) {
			if f.Link != "" {
				f.Link = filepath.Join(s.root, filepath.Base(f.Link))
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

func (s *movedSource) ReadFile(ctx context.Context, p string) ([]byte, error) {
	b, err := s.Dir.ReadFile(ctx, p)
	if err != nil || p != pgdata.ControlFilePath {
		return b, err
	}
	data, err := controlfile.Parse(b)
	if err != nil {
		return nil, err
	}
	f := data.Fields
	f.State, f.MinRecoveryPoint, f.MinRecoveryPointTLI = controlfile.InArchiveRecovery, data.CheckPoint, 2
	return data.Encode(f), nil
}

func (s *movedSource) State(ctx context.Context) (source.State, error) {
	b, err := s.Dir.ReadFile(ctx, pgdata.ControlFilePath)
	if err != nil {
		return source.State{}, err
	}
	data, err := controlfile.Parse(b)
	if err != nil {
		return source.State{}, err
	}
	const record = 120 // bytes of the checkpoint record, which was replayed
	return source.State{Live: true, InRecovery: true, FullPageWrites: true, ReplayLSN: data.CheckPoint + record}, nil
}

func (s *movedSource) Fetch(ctx context.Context, ranges iter.Seq[source.Range], dst source.Sink) error {
	return s.Dir.Fetch(ctx, func(yield func(source.Range) bool) {
		for r := range ranges {
			if r.Path == "base/5/66666" {
				if err := dst.Vanished(r.Path); err != nil {
					panic(err)
				}
			} else if !yield(r) {
				return
			}
		}
	}, dst)
}

// run does a whole rewind.
func run(opts rewind.Options) error {
	r, err := rewind.Prepare(context.Background(), opts)
	if err != nil {
		return err
	}
	err = r.Apply(context.Background())
	return errors.Join(err, r.Close())
}

func controlIn(t testing.TB, dir string) *controlfile.Data {
	t.Helper()
	control, err := controlfile.Read(dir)
	require.NoError(t, err)
	return control
}

// withChecksums makes pages from a text, with the checksums of a relation's first file.
func withChecksums(text string) []byte {
	b := []byte(text)
	for i := 0; i+8192 <= len(b); i += 8192 {
		binary.LittleEndian.PutUint16(b[i+8:], page.Checksum(b[i:i+8192], uint32(i/8192)))
	}
	return b
}
