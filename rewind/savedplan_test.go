package rewind_test

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// savedPlan returns the plan of a rewind, as saved.
func savedPlan(t testing.TB, opts rewind.Options) []byte {
	t.Helper()
	r, err := rewind.Prepare(context.Background(), opts)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	var b bytes.Buffer
	require.NoError(t, r.Save(&b))
	return b.Bytes()
}

// forgery is a change that somebody made to a saved plan.
type forgery struct {
	name  string
	forge func(p *rewind.Plan)
}

func entry(p *rewind.Plan, is func(*filemap.Entry) bool) *filemap.Entry {
	i := slices.IndexFunc(p.Files.Entries, func(e filemap.Entry) bool { return is(&e) })
	return &p.Files.Entries[i]
}

func withAction(a filemap.Step) func(*filemap.Entry) bool {
	return func(e *filemap.Entry) bool { return e.Action == a }
}

func change(a filemap.Step, edit func(e *filemap.Entry)) func(*rewind.Plan) {
	return func(p *rewind.Plan) { edit(entry(p, withAction(a))) }
}

func add(e filemap.Entry) func(*rewind.Plan) {
	return func(p *rewind.Plan) { p.Files.Entries = append(p.Files.Entries, e) }
}

var forgeries = []forgery{
	{"no control file", func(p *rewind.Plan) { p.Target.Control = nil }},
	{"no control file of the source", func(p *rewind.Plan) { p.Source.Control = nil }},
	{"no major", func(p *rewind.Plan) { p.Version = nil }},
	{"another major", func(p *rewind.Plan) { p.Version = pgdata.VersionByName("9.6") }},
	{"data that is kept", func(p *rewind.Plan) { p.Kept = []string{"base/5"} }},
	{"a file outside that is kept", func(p *rewind.Plan) { p.Kept = []string{"../own"} }},
	{"no files", func(p *rewind.Plan) { p.Files = nil }},
	{"no timelines", func(p *rewind.Plan) { p.Target.History = nil }},
	{"no timelines of the source", func(p *rewind.Plan) { p.Source.History = nil }},
	{"timelines of another one", func(p *rewind.Plan) { p.Source.Timeline += 5 }},
	{"a timeline that comes before its parent", func(p *rewind.Plan) { slices.Reverse(p.Source.History) }},
	{"a timeline zero", func(p *rewind.Plan) { p.Source.History[0].TLI = 0 }},
	{"a divergence after all WAL", func(p *rewind.Plan) { p.Divergence = math.MaxUint64 }},
	{"no divergence", func(p *rewind.Plan) { p.Divergence = 0 }},
	{"recovery that starts nowhere", func(p *rewind.Plan) { p.Start.Redo = 0 }},
	{"recovery that starts after its checkpoint", func(p *rewind.Plan) { p.Start.Redo = p.Start.LSN + 8 }},
	{"the rest of another rewind", func(p *rewind.Plan) { p.Resumes = true }},
	{"a rewind in place that was interrupted", func(p *rewind.Plan) { p.Again = true }},
	{"WAL that is no segment", func(p *rewind.Plan) { p.NeededWAL[0].Name = "../../etc/passwd" }},
	{"WAL from nowhere", func(p *rewind.Plan) { p.NeededWAL[0].Origin = "moon" }},
	{"WAL to archive that is no segment", func(p *rewind.Plan) { p.Unarchived = []string{"../x"} }},
	{"a file outside that may be half written", func(p *rewind.Plan) { rewind.CarriedBy(p).Suspect = map[string]bool{"../x": true} }},
	{"another file that makes a standby", func(p *rewind.Plan) { rewind.CarriedBy(p).Recovery = map[string][]byte{"PG_VERSION": nil} }},
	{"a relation without changed blocks", func(p *rewind.Plan) {
		for s := range rewind.CarriedBy(p).Changed.Blocks {
			rewind.CarriedBy(p).Changed.Blocks[s] = nil
		}
	}},

	{"another block size", func(p *rewind.Plan) { p.Files.Geometry.BlockSize = 0 }},
	{"another WAL segment size", func(p *rewind.Plan) { p.Files.Geometry.WALSegSize = 3 }},
	{"another WAL directory", func(p *rewind.Plan) { p.Files.WALDir = "base" }},
	{"no WAL directory", func(p *rewind.Plan) { p.Files.WALDir = "" }},
	{"an absolute path", change(filemap.Copy, func(e *filemap.Entry) { e.Path = "/etc/passwd" })},
	{"a path outside", change(filemap.Copy, func(e *filemap.Entry) { e.Path = "../x" })},
	{"no path", change(filemap.Copy, func(e *filemap.Entry) { e.Path = "" })},
	{"the data directory", change(filemap.Remove, func(e *filemap.Entry) { e.Path = "." })},
	{"a path with a zero byte", change(filemap.Copy, func(e *filemap.Entry) { e.Path = "a\x00b" })},
	{"a path of 5000 bytes", change(filemap.Copy, func(e *filemap.Entry) { e.Path = strings.Repeat("a", 5000) })},
	{"the control file", add(filemap.Entry{Path: pgdata.ControlFilePath, Type: pgdata.Regular, Action: filemap.Remove, Reason: filemap.OnlyOnTarget})},
	{"the staging area", add(filemap.Entry{Path: ownfiles.Prefix, Type: pgdata.Directory, Action: filemap.Remove, Reason: filemap.OnlyOnTarget})},
	{"a file in the staging area", add(filemap.Entry{Path: ownfiles.Prefix + "/journal", Type: pgdata.Regular, Action: filemap.Copy, Reason: filemap.OnlyOnSource})},
	{"postmaster.pid", add(filemap.Entry{Path: pgdata.PostmasterPid, Type: pgdata.Regular, Action: filemap.Copy, Reason: filemap.OnlyOnSource})},
	{"a path twice", func(p *rewind.Plan) { p.Files.Entries = append(p.Files.Entries, p.Files.Entries[0]) }},
	{"a path twice, in two ways", func(p *rewind.Plan) {
		add(filemap.Entry{Path: entry(p, withAction(filemap.Copy)).Path, Type: pgdata.Regular, Action: filemap.Remove, Reason: filemap.OnlyOnTarget})(p)
	}},
	{"an action that does not exist", change(filemap.Copy, func(e *filemap.Entry) { e.Action = 99 })},
	{"no action", change(filemap.Copy, func(e *filemap.Entry) { e.Action = 0 })},
	{"a type that does not exist", change(filemap.Copy, func(e *filemap.Entry) { e.Type = 9 })},
	{"a reason that does not exist", change(filemap.Copy, func(e *filemap.Entry) { e.Reason = "\x1b[2J" })},
	{"a file made like a directory", add(filemap.Entry{Path: "x", Type: pgdata.Regular, Action: filemap.Create, Reason: filemap.OnlyOnSource})},
	{"a directory that is copied", add(filemap.Entry{Path: "x", Type: pgdata.Directory, Action: filemap.Copy, Reason: filemap.OnlyOnSource})},
	{"a directory where servers have a file", add(filemap.Entry{Path: "standby.signal", Type: pgdata.Directory, Action: filemap.Create, Reason: filemap.OnlyOnSource})},
	{"a link with a zero byte", add(filemap.Entry{Path: "x", Type: pgdata.Symlink, Action: filemap.Create, Reason: filemap.OnlyOnSource, Link: "a\x00b"})},
	{"a link of 5000 bytes", add(filemap.Entry{Path: "x", Type: pgdata.Symlink, Action: filemap.Create, Reason: filemap.OnlyOnSource, Link: strings.Repeat("a", 5000)})},
	{"a link to nothing", add(filemap.Entry{Path: "x", Type: pgdata.Symlink, Action: filemap.Create, Reason: filemap.OnlyOnSource})},
	{"a negative size", change(filemap.Copy, func(e *filemap.Entry) { e.SourceSize = -1 })},
	{"a size that no disk has", change(filemap.Copy, func(e *filemap.Entry) { e.SourceSize = math.MaxInt64 })},
	{"a negative size of the target's", change(filemap.Copy, func(e *filemap.Entry) { e.TargetSize = math.MinInt64 })},
	{"more WAL unwritten than there is", change(filemap.Copy, func(e *filemap.Entry) { e.Unwritten = e.SourceSize + 1 })},
	{"unwritten WAL of no segment", change(filemap.Copy, func(e *filemap.Entry) { e.Path, e.Unwritten = "x", 1 })},
	{"WAL from a file outside", func(p *rewind.Plan) {
		e := entry(p, func(e *filemap.Entry) bool { return e.Action == filemap.Copy && p.Files.IsSegment(e) })
		e.Unwritten, e.Local, e.LocalBytes = 0, "../x", 1
	}},
	{"a tail that is shorter than nothing", change(filemap.CopyTail, func(e *filemap.Entry) { e.SourceSize = 0 })},
	{"cut to more than there is", change(filemap.Truncate, func(e *filemap.Entry) { e.SourceSize = e.TargetSize + 8192 })},
	{"a relation that is larger than any", change(filemap.CopyTail, func(e *filemap.Entry) { e.SourceSize = 1 << 40 })},
	{"blocks after the end", func(p *rewind.Plan) {
		entry(p, func(e *filemap.Entry) bool { return e.Blocks != nil }).Blocks.Add(1 << 20)
	}},
	{"blocks of a file that is copied", change(filemap.Copy, func(e *filemap.Entry) { e.Blocks = new(pgdata.BlockSet) })},
	{"blocks of no relation", add(filemap.Entry{Path: "x", Type: pgdata.Regular, Action: filemap.None, Reason: filemap.ChangedBlocks, Blocks: new(pgdata.BlockSet)})},
	{"a segment to be restored that recovery does not need", add(filemap.Entry{Path: "pg_wal/0000000200000000000000FF", Type: pgdata.Regular, Action: filemap.Restore, Reason: filemap.NeededRecovery, SourceSize: 1 << 20})},
	{"a file to be restored that is not a segment", add(filemap.Entry{Path: "x", Type: pgdata.Regular, Action: filemap.Restore, Reason: filemap.NeededRecovery, SourceSize: 1 << 20})},
}

// TestAForgedPlanIsRefused has complete plans that no analysis made.
func TestAForgedPlanIsRefused(t *testing.T) {
	s := newSpecimen(t)
	s.restore(t)
	saved := savedPlan(t, s.options(t))
	_, err := rewind.ReadPlan(rewind.PlanBody(saved))
	require.NoError(t, err)
	for _, f := range forgeries {
		p, err := rewind.ReadPlan(rewind.PlanBody(saved))
		require.NoError(t, err)
		f.forge(p)
		var b bytes.Buffer
		require.NoError(t, rewind.WritePlan(&b, nil, p), f.name)
		opts := s.options(t)
		opts.Plan = &b
		_, err = rewind.Prepare(t.Context(), opts)
		require.ErrorIs(t, err, rewind.ErrOptions, f.name)
		assert.ErrorContains(t, err, "plan again", f.name)
		assert.NotContains(t, err.Error(), "\x1b", f.name)
		assert.Less(t, len(err.Error()), 1000, f.name)
	}
}

// TestADamagedPlanIsRefused truncates a plan and changes its bytes.
func TestADamagedPlanIsRefused(t *testing.T) {
	s := newSpecimen(t)
	s.restore(t)
	saved := savedPlan(t, s.options(t))
	refused := func(b []byte) {
		opts := s.options(t)
		opts.Plan = bytes.NewReader(b)
		_, err := rewind.Prepare(t.Context(), opts)
		require.ErrorIs(t, err, rewind.ErrOptions)
	}
	for n := 0; n < len(saved); n += len(saved)/50 + 1 {
		refused(saved[:n])
		flipped := bytes.Clone(saved)
		flipped[n] ^= 1
		refused(flipped)
	}
	refused(append(bytes.Clone(saved), 0))
	body := rewind.PlanBody(saved)
	for n := range body { // with a correct checksum
		_, err := rewind.ReadPlan(body[:n])
		require.Error(t, err)
	}
	_, err := rewind.ReadPlan(append(bytes.Clone(body), 0))
	require.Error(t, err)
}

// FuzzReadSavedPlan reads any bytes as a plan, and then does what is done with a plan
// before the two sides are compared with it.
func FuzzReadSavedPlan(f *testing.F) {
	p := newSpecimen(f)
	require.NoError(f, p.untouched.Store(p.root))
	saved := savedPlan(f, p.options(f))
	f.Add(rewind.PlanBody(saved))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := rewind.ReadPlan(body)
		if err != nil {
			return
		}
		var again bytes.Buffer
		require.NoError(t, rewind.WritePlan(&again, nil, p))
		_, err = rewind.ReadPlan(rewind.PlanBody(again.Bytes()))
		require.NoError(t, err)
		if p.Required {
			p.Files.FetchBytes()
			p.Files.FetchFiles()
			p.Files.SavedBytes()
			rewind.BackupLabel(p)
			_, err := rewind.Notes(p)
			require.NoError(t, err)
		}
	})
}

// The parts that callers do not see are saved, too.
func TestNothingOfAPlanIsForgotten(t *testing.T) {
	p := newSpecimen(t)
	p.restore(t)
	plan, err := rewind.ReadPlan(rewind.PlanBody(savedPlan(t, p.options(t))))
	require.NoError(t, err)
	carried := rewind.CarriedBy(plan)
	require.NotEmpty(t, carried.Changed.Blocks)
	carried.Suspect = map[string]bool{"base/5/1": true}
	carried.Recovery = map[string][]byte{"recovery.conf": []byte("x")}

	var saved bytes.Buffer
	require.NoError(t, rewind.WritePlan(&saved, nil, plan))
	again, err := rewind.ReadPlan(rewind.PlanBody(saved.Bytes()))
	require.NoError(t, err)
	assert.Equal(t, plan, again, "in a file")

	notes, err := rewind.Notes(plan)
	require.NoError(t, err)
	again, err = rewind.ReadNotes(notes)
	require.NoError(t, err)
	assert.Equal(t, carried.Recovery, rewind.CarriedBy(again).Recovery, "in the journal")
	assert.True(t, rewind.CarriedBy(again).Suspect["base/5/1"])
	for segment := range carried.Changed.Blocks {
		assert.Contains(t, rewind.CarriedBy(again).Changed.Blocks, segment)
	}
}

func TestValuesAreReadAsTheyWereWritten(t *testing.T) {
	type inner struct {
		Text string
		List []int64
	}
	type outer struct {
		Set      map[string]bool
		By       map[uint32][]byte
		Next     *inner
		None     *inner
		Version  *pgdata.Version
		When     time.Time
		Blocks   *pgdata.BlockSet
		Small    int8
		Unsigned uint64
		Control  *controlfile.Data
		hidden   int
	}
	blocks := new(pgdata.BlockSet)
	blocks.Add(77)
	in := outer{
		Set: map[string]bool{"a": true, "\xff": false}, By: map[uint32][]byte{7: []byte("x")}, Next: &inner{"text", []int64{-1, math.MaxInt64}},
		Version: pgdata.VersionByName("17"), When: time.Unix(1, 2).UTC(), Blocks: blocks, Small: -8, Unsigned: math.MaxUint64, hidden: 1,
	}
	b, err := rewind.EncodeValue(in)
	require.NoError(t, err)
	var out outer
	require.NoError(t, rewind.DecodeValue(b, &out))
	in.hidden = 0
	assert.Equal(t, in, out)
	for n := range b {
		require.Error(t, rewind.DecodeValue(b[:n], new(outer)), "%d bytes", n)
	}
	require.Error(t, rewind.DecodeValue(append(b, 0), new(outer)))

	huge := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}
	for name, to := range map[string]any{
		"a map": new(map[string]bool), "a list": new([]string), "bytes": new([]byte), "a text": new(string), "a small number": new(uint8), "a pointer": new(*int),
	} {
		require.Error(t, rewind.DecodeValue(huge, to), name)
	}
	require.Error(t, rewind.DecodeValue([]byte{2, 1, 'a', 1, 1, 'a', 1}, new(map[string]bool)), "a key twice")
}
