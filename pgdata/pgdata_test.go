package pgdata_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
)

func TestLSNIsReadInBothFormsAndNoOther(t *testing.T) {
	for text, want := range map[string]pgdata.LSN{
		"0/3012710": 0x3012710, "0/03012710": 0x3012710, "16/B374D848": 0x16B374D848, "0/0": 0, "FFFFFFFF/FFFFFFFF": 1<<64 - 1, "a/b": 0xA0000000B,
	} {
		got, err := pgdata.ParseLSN(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "/", "0/", "/0", "0", "0/1/2", "0/1 ", " 0/1", "0x0/1", "+1/1", "-1/1", "100000000/0", "0/100000000", "0/G"} {
		_, err := pgdata.ParseLSN(text)
		assert.ErrorContains(t, err, fmt.Sprintf("invalid LSN %q", text))
	}
	assert.Equal(t, "16/374D848", pgdata.LSN(0x160374D848).String())
	assert.Equal(t, "16/0374D848", pgdata.LSN(0x160374D848).Padded())
}

func FuzzParseLSN(f *testing.F) {
	f.Add("0/3012710")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := pgdata.ParseLSN(text)
		if err != nil {
			return
		}
		for _, form := range []string{l.String(), l.Padded()} {
			again, err := pgdata.ParseLSN(form)
			require.NoError(t, err)
			assert.Equal(t, l, again)
		}
	})
}

func TestWALFileNameDependsOnSegmentSize(t *testing.T) {
	for _, c := range []struct {
		size uint32
		lsn  pgdata.LSN
		want string
	}{
		{16 << 20, 0, "000000010000000000000000"},
		{16 << 20, 0x1_FF000000, "0000000100000001000000FF"},
		{1 << 20, 0x1_FFF00000, "000000010000000100000FFF"},
		{1 << 30, 0x1_C0000000, "000000010000000100000003"},
	} {
		g := pgdata.Geometry{WALSegSize: c.size}
		assert.Equal(t, c.want, g.WALFileName(1, g.SegNo(c.lsn)))
		tli, s, ok := g.ParseWALFileName(c.want)
		assert.True(t, ok)
		assert.Equal(t, pgdata.TimelineID(1), tli)
		assert.Equal(t, c.lsn, g.SegStart(s))
	}
	g := pgdata.Geometry{WALSegSize: 16 << 20}
	for _, name := range []string{
		"", "00000001.history", "000000010000000000000001.partial", "00000001000000000000000g", "00000001000000000000000a",
		"000000010000000000000100", "000000000000000000000001", "+00000010000000000000001",
	} {
		_, _, ok := g.ParseWALFileName(name)
		assert.False(t, ok, name)
	}
}

func FuzzParseWALFileName(f *testing.F) {
	f.Add("000000010000000000000001", uint8(4))
	f.Fuzz(func(t *testing.T, name string, size uint8) {
		g := pgdata.Geometry{WALSegSize: 1 << (20 + size%11)}
		if tli, s, ok := g.ParseWALFileName(name); ok {
			assert.Equal(t, name, g.WALFileName(tli, s))
		}
	})
}

func TestRelationPaths(t *testing.T) {
	v := pgdata.VersionByName("9.6")
	for path, want := range map[string]pgdata.RelSegment{
		"global/1262":   {Locator: pgdata.RelFileLocator{Tablespace: 1664, Relation: 1262}},
		"base/1/1259":   {Locator: pgdata.RelFileLocator{Tablespace: 1663, Database: 1, Relation: 1259}},
		"base/1/1259.2": {Locator: pgdata.RelFileLocator{Tablespace: 1663, Database: 1, Relation: 1259}, Segment: 2},
		"pg_tblspc/16390/PG_9.6_201608131/5/16400.1": {Locator: pgdata.RelFileLocator{Tablespace: 16390, Database: 5, Relation: 16400}, Segment: 1},
	} {
		got, ok := pgdata.ParseRelPath(v, path)
		assert.True(t, ok, path)
		assert.Equal(t, want, got, path)
		assert.Equal(t, path, got.Path(v))
	}
	for _, path := range []string{
		"", "1259", "base", "base/1", "base/1/1259_fsm", "base/1/1259_vm", "base/1/1259_init", "base/1/t3_1259", "base/1/PG_VERSION",
		"base/1/01259", "base/01/1259", "base/1/1259.0", "base/1/1259.01", "base/1/1259.", "base/1/+1259", "base/1/4294967296", "base/0/1259",
		"global/pg_control", "global/1/1259", "base/1/2/3", "pg_tblspc/16390/PG_10_201707211/5/16400", "pg_tblspc/16390/5/16400", "./base/1/1259",
	} {
		_, ok := pgdata.ParseRelPath(v, path)
		assert.False(t, ok, path)
	}
}

func FuzzParseRelPath(f *testing.F) {
	f.Add("base/1/1259.2")
	f.Add("pg_tblspc/16390/PG_17_202406281/5/16400.1")
	v := pgdata.VersionByName("17")
	f.Fuzz(func(t *testing.T, path string) {
		if s, ok := pgdata.ParseRelPath(v, path); ok {
			assert.Equal(t, path, s.Path(v))
		}
	})
}

func TestEveryMajorIsFoundByAllItsNumbers(t *testing.T) {
	all := pgdata.Versions()
	require.Len(t, all, 11)
	for i, v := range all {
		assert.Same(t, v, pgdata.VersionByName(v.Name))
		found, err := pgdata.VersionByControl(v.ControlVersion, v.CatalogVersion)
		require.NoError(t, err)
		assert.Same(t, v, found)
		found, err = pgdata.VersionByServerNum(v.ServerNum*100 + 3)
		require.NoError(t, err)
		assert.Same(t, v, found)
		assert.NotEmpty(t, v.KeepWAL)
		if i > 0 {
			assert.Greater(t, v.CatalogVersion, all[i-1].CatalogVersion)
			assert.Greater(t, v.WAL.Magic, all[i-1].WAL.Magic)
			assert.Greater(t, v.ServerNum, all[i-1].ServerNum)
		}
	}
}

func TestUnknownVersionsAreRefusedByName(t *testing.T) {
	for _, c := range []struct {
		name             string
		control, catalog uint32
		want             string
	}{
		{"a beta of a released major", 1800, 202505071, "pg_control_version 1800 with catalog version 202505071 is not PostgreSQL 18 as released"},
		{"a beta of the newest major", 1902, 202604211, "pg_control_version 1902 with catalog version 202604211 is not supported: gorewind knows the releases of PostgreSQL 9.6 to 19"},
		{"one that shares its control version", 1300, 202204291, "pg_control_version 1300 with catalog version 202204291 is not PostgreSQL 13 or 14 or 15 or 16 as released"},
		{"an old one", 942, 201510051, "pg_control_version 942 with catalog version 201510051 is not supported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := pgdata.VersionByControl(c.control, c.catalog)
			var unsupported *pgdata.UnsupportedVersionError
			require.ErrorAs(t, err, &unsupported)
			assert.ErrorContains(t, err, c.want)
		})
	}
	_, err := pgdata.VersionByServerNum(90524)
	assert.ErrorContains(t, err, "server_version_num 90524 is not supported")
}

func TestImpossibleSizesAreRefused(t *testing.T) {
	good := pgdata.Geometry{BlockSize: 8192, RelSegBlocks: 131072, WALBlockSize: 8192, WALSegSize: 16 << 20}
	require.NoError(t, good.Validate())
	for want, change := range map[string]func(*pgdata.Geometry){
		"block size 0":             func(g *pgdata.Geometry) { g.BlockSize = 0 },
		"block size 8191":          func(g *pgdata.Geometry) { g.BlockSize = 8191 },
		"segment size of 0 blocks": func(g *pgdata.Geometry) { g.RelSegBlocks = 0 },
		"WAL block size 512":       func(g *pgdata.Geometry) { g.WALBlockSize = 512 },
		"WAL segment size must be a power of two between 1 MB and 1 GB, but the control file specifies 3 bytes": func(g *pgdata.Geometry) { g.WALSegSize = 3 },
	} {
		g := good
		change(&g)
		assert.ErrorContains(t, g.Validate(), want)
	}
}

func TestBlockSetKeepsOrderAndCountsOnce(t *testing.T) {
	var s, o pgdata.BlockSet
	for _, b := range []pgdata.BlockNumber{130000, 0, 64, 63, 0} {
		s.Add(b)
	}
	o.Add(1)
	o.Add(131071)
	s.Union(&o)
	assert.Equal(t, []pgdata.BlockNumber{0, 1, 63, 64, 130000, 131071}, slices.Collect(s.All()))
	assert.Equal(t, 6, s.Len())
	assert.True(t, s.Has(64))
	assert.False(t, s.Has(65))
	assert.False(t, s.Has(1<<32-1))

	s.Clear()
	s.Add(64)
	assert.Equal(t, []pgdata.BlockNumber{64}, slices.Collect(s.All()), "nothing comes back")
	s.Union(&o)
	assert.Equal(t, o.Len()+1, s.Len())
}

func TestChangedBlocksAreSplitByFile(t *testing.T) {
	g := pgdata.Geometry{RelSegBlocks: 100}
	l := pgdata.RelFileLocator{Tablespace: 1663, Database: 1, Relation: 2}
	c := pgdata.ChangedBlocks{}
	c.Add(g, l, 7)
	c.Add(g, l, 250)
	more := pgdata.ChangedBlocks{}
	more.Add(g, l, 251)
	more.Add(g, l, 100)
	c.Merge(more)
	got := map[uint32][]pgdata.BlockNumber{}
	for s, blocks := range c {
		got[s.Segment] = slices.Collect(blocks.All())
	}
	assert.Equal(t, map[uint32][]pgdata.BlockNumber{0: {7}, 1: {0}, 2: {50, 51}}, got)
	c.Add(g, l, 101)
	for s, blocks := range more {
		assert.Equal(t, 1, blocks.Len(), "what was merged is as it was: %v", s)
	}
}

func TestChangesAreMergedWithTheLowerLimit(t *testing.T) {
	g := pgdata.Geometry{RelSegBlocks: 131072}
	a, b, c := pgdata.RelFileLocator{Tablespace: 1, Database: 2, Relation: 3}, pgdata.RelFileLocator{Tablespace: 1, Database: 2, Relation: 4}, pgdata.RelFileLocator{Tablespace: 1, Database: 2, Relation: 5}
	changes := func(limits map[pgdata.RelFileLocator]pgdata.BlockNumber, blocks ...pgdata.BlockNumber) pgdata.Changes {
		c := pgdata.Changes{Blocks: pgdata.ChangedBlocks{}}
		for _, block := range blocks {
			c.Blocks.Add(g, a, block)
		}
		for l, b := range limits {
			c.Limit(l, b)
		}
		return c
	}
	one := changes(map[pgdata.RelFileLocator]pgdata.BlockNumber{a: 7, b: 3}, 1)
	other := changes(map[pgdata.RelFileLocator]pgdata.BlockNumber{a: 5, b: 4, c: 0}, 2)
	want := map[pgdata.RelFileLocator]pgdata.BlockNumber{a: 5, b: 3, c: 0}
	for _, order := range [][]pgdata.Changes{{one, other}, {other, one}, {{}, one, other, {}}} {
		var all pgdata.Changes
		for _, c := range order {
			all.Merge(c)
		}
		assert.Equal(t, want, all.Limits)
		assert.Equal(t, []pgdata.BlockNumber{1, 2}, slices.Collect(all.Blocks[pgdata.RelSegment{Locator: a}].All()))
	}
	var none pgdata.Changes
	none.Merge(pgdata.Changes{})
	assert.Empty(t, none.Limits)
	assert.Equal(t, map[pgdata.RelFileLocator]pgdata.BlockNumber{a: 7, b: 3}, one.Limits, "what was merged is as it was")
}

func TestALimitOfADatabaseIsOneOfAllItsRelations(t *testing.T) {
	rel := pgdata.RelFileLocator{Tablespace: 1663, Database: 5, Relation: 16384}
	database, shared := rel, pgdata.RelFileLocator{Tablespace: pgdata.GlobalTablespace, Relation: 1262}
	database.Relation = 0
	elsewhere, other := rel, rel
	elsewhere.Tablespace, other.Relation = 77, 16385
	for _, c := range []struct {
		name   string
		limits map[pgdata.RelFileLocator]pgdata.BlockNumber
		of     pgdata.RelFileLocator
		want   pgdata.BlockNumber
		ok     bool
	}{
		{name: "none", of: rel},
		{name: "its own", limits: map[pgdata.RelFileLocator]pgdata.BlockNumber{rel: 7}, of: rel, want: 7, ok: true},
		{name: "another relation's", limits: map[pgdata.RelFileLocator]pgdata.BlockNumber{other: 7}, of: rel},
		{name: "its database's", limits: map[pgdata.RelFileLocator]pgdata.BlockNumber{database: 0}, of: rel, ok: true},
		{name: "both", limits: map[pgdata.RelFileLocator]pgdata.BlockNumber{database: 0, rel: 7}, of: rel, ok: true},
		{name: "its database's in another tablespace", limits: map[pgdata.RelFileLocator]pgdata.BlockNumber{database: 0}, of: elsewhere},
		{name: "a shared relation has no database", limits: map[pgdata.RelFileLocator]pgdata.BlockNumber{database: 0}, of: shared},
	} {
		t.Run(c.name, func(t *testing.T) {
			changes := pgdata.Changes{Limits: c.limits}
			limit, ok := changes.LimitOf(c.of)
			assert.Equal(t, c.want, limit)
			assert.Equal(t, c.ok, ok)
		})
	}
}
