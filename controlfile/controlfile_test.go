package controlfile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/pgdata"
)

// eachVersion runs a test for every major.
func eachVersion(t *testing.T, test func(*testing.T, *pgdata.Version)) {
	for _, v := range pgdata.Versions() {
		t.Run(v.Name, func(t *testing.T) { test(t, v) })
	}
}

func TestEveryFieldIsReadFromWhereTheDeclarationPutsIt(t *testing.T) {
	eachVersion(t, func(t *testing.T, v *pgdata.Version) {
		values := sampleValues(v)
		d, err := controlfile.Parse(image(v, values))
		require.NoError(t, err)

		if full := values["nextFullXid"]; full != 0 {
			values["nextXid"] = full
		} else {
			values["nextXid"] |= values["nextXidEpoch"] << 32
		}
		for name, got := range flat(d) {
			assert.Equalf(t, values[name], got, "%s: want %#x, got %#x", name, values[name], got)
		}
		assert.Same(t, v, d.Version)
	})
}

func TestOffsetsOfWideMultiXactsAreReadWhole(t *testing.T) {
	b := sample(t, pgdata.VersionByName("19"), func(m map[string]uint64) { m["nextMultiOffset"] = 1<<40 | 7 })
	d, err := controlfile.Parse(b)
	require.NoError(t, err)
	assert.Equal(t, uint64(1<<40|7), d.CheckPointCopy.NextMultiOffset)
}

func TestAFileOfAnotherSizeIsRefused(t *testing.T) {
	for _, c := range []struct {
		name, says string
		size       int
	}{
		{"empty", "unexpected control file size 0, expected 8192: the file is empty", 0},
		{"short", "unexpected control file size 8191, expected 8192: the file is cut short", 8191},
		{"long", "unexpected control file size 8193, expected 8192: the file is too long", 8193},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole := append(sample(t, pgdata.VersionByName("17"), nil), 0)
			_, err := controlfile.Parse(whole[:c.size])
			assert.ErrorIs(t, err, controlfile.ErrSize)
			assert.ErrorContains(t, err, c.says)
		})
	}
}

func TestEveryFlippedBitOfTheUsedPartIsNoticed(t *testing.T) {
	eachVersion(t, func(t *testing.T, v *pgdata.Version) {
		good := sample(t, v, nil)
		used := len(bytes.TrimRight(good, "\x00"))
		for i := range used * 8 {
			b := bytes.Clone(good)
			b[i/8] ^= 1 << (i % 8)
			_, err := controlfile.Parse(b)
			require.ErrorIsf(t, err, controlfile.ErrCRC, "bit %d of byte %d", i%8, i/8)
		}
	})
}

func TestAnIntactFileOfAnUnknownVersionIsUnsupportedNotCorrupt(t *testing.T) {
	for _, c := range []struct {
		name             string
		control, catalog uint32
	}{
		{"a beta of 19", 1902, 202604071},
		{"another catalog version of a known control version", 1700, 202406271},
		{"a future major", 2000, 202706281},
		{"9.5", 942, 201510051},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := sample(t, pgdata.VersionByName("17"), func(m map[string]uint64) {
				m["pg_control_version"], m["catalog_version_no"] = uint64(c.control), uint64(c.catalog)
			})
			_, err := controlfile.Parse(b)
			var unsupported *pgdata.UnsupportedVersionError
			require.ErrorAs(t, err, &unsupported)
			assert.Equal(t, c.control, unsupported.ControlVersion)
			assert.Equal(t, c.catalog, unsupported.CatalogVersion)
			assert.NotErrorIs(t, err, controlfile.ErrCRC)
		})
	}
}

func TestWhatIsNoControlFileIsNotCalledAnUnsupportedVersion(t *testing.T) {
	for name, b := range map[string][]byte{
		"zeros": make([]byte, controlfile.Size),
		"ones":  bytes.Repeat([]byte{0xFF}, controlfile.Size),
		"text":  bytes.Repeat([]byte("pg_wal.."), controlfile.Size/8),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := controlfile.Parse(b)
			assert.ErrorIs(t, err, controlfile.ErrCRC)
			assert.ErrorContains(t, err, "not a control file")
			var unsupported *pgdata.UnsupportedVersionError
			assert.False(t, errors.As(err, &unsupported))
		})
	}
}

func TestFilesOfOtherPlatformsAreRefused(t *testing.T) {
	v := pgdata.VersionByName("17")
	swapped := sample(t, v, nil)
	for i := 0; i < 288; i += 4 { // as a big-endian machine writes its 32-bit fields
		binary.BigEndian.PutUint32(swapped[i:], binary.LittleEndian.Uint32(swapped[i:]))
	}
	binary.BigEndian.PutUint32(swapped[288:], crc(swapped[:288]))

	narrow := sample(t, v, nil) // as a machine that aligns 64-bit fields to 4 bytes
	copy(narrow[20:], narrow[24:])
	binary.LittleEndian.PutUint32(narrow[268:], crc(narrow[:268]))

	for name, b := range map[string][]byte{
		"big-endian": swapped,
		"32-bit":     narrow,
		"alignment":  sample(t, v, func(m map[string]uint64) { m["maxAlign"] = 4 }),
		"floats":     sample(t, v, func(m map[string]uint64) { m["floatFormat"] = 0x870000000041 }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := controlfile.Parse(b)
			assert.ErrorIs(t, err, controlfile.ErrPlatform)
			assert.NotErrorIs(t, err, controlfile.ErrCRC)
		})
	}
}

func TestImpossibleGeometryIsRefused(t *testing.T) {
	for _, c := range []struct {
		field string
		value uint64
		says  string
	}{
		{"xlog_seg_size", 0, "WAL segment size must be a power of two between 1 MB and 1 GB, but the control file specifies 0 bytes"},
		{"xlog_seg_size", 3 << 20, "the control file specifies 3145728 bytes"},
		{"xlog_blcksz", 0, "impossible WAL block size 0"},
		{"blcksz", 8191, "impossible block size 8191"},
		{"relseg_size", 0, "impossible relation segment size of 0 blocks"},
	} {
		t.Run(fmt.Sprintf("%s %d", c.field, c.value), func(t *testing.T) {
			b := sample(t, pgdata.VersionByName("11"), func(m map[string]uint64) { m[c.field] = c.value })
			_, err := controlfile.Parse(b)
			assert.ErrorContains(t, err, c.says)
		})
	}
}

func TestAnErrorNamesTheFileThatTheCallerSets(t *testing.T) {
	_, err := controlfile.Parse(nil)
	var e *controlfile.Error
	require.ErrorAs(t, err, &e)
	e.File = "/data/global/pg_control"
	assert.ErrorContains(t, err, "/data/global/pg_control: unexpected control file size 0, expected 8192")
}

func TestParseDoesNotKeepItsInput(t *testing.T) {
	b := sample(t, pgdata.VersionByName("18"), nil)
	d, err := controlfile.Parse(b)
	require.NoError(t, err)
	want := d.Encode(d.Fields)
	clear(b)
	assert.Equal(t, want, d.Encode(d.Fields))
}

func TestEncodeWithoutChangesGivesTheSameBytes(t *testing.T) {
	eachVersion(t, func(t *testing.T, v *pgdata.Version) {
		b := sample(t, v, nil)
		d, err := controlfile.Parse(b)
		require.NoError(t, err)
		assert.Equal(t, b, d.Encode(d.Fields))
	})
}

func TestEncodeChangesWhatWasAskedAndNothingElse(t *testing.T) {
	f := controlfile.Fields{
		State:               controlfile.InArchiveRecovery,
		Time:                time.Unix(1790000000, 0).UTC(),
		CheckPoint:          0x1_23456789,
		MinRecoveryPoint:    0xA_98765432,
		MinRecoveryPointTLI: 0xFEDCBA98,
	}
	eachVersion(t, func(t *testing.T, v *pgdata.Version) {
		values := sampleValues(v)
		d, err := controlfile.Parse(image(v, values))
		require.NoError(t, err)
		values["state"], values["time"], values["checkPoint"] = 5, 1790000000, uint64(f.CheckPoint)
		values["minRecoveryPoint"], values["minRecoveryPointTLI"] = uint64(f.MinRecoveryPoint), uint64(f.MinRecoveryPointTLI)
		want := image(v, values)

		got := d.Encode(f)
		assert.Equal(t, want, got)
		again, err := controlfile.Parse(got)
		require.NoError(t, err)
		assert.Equal(t, f, again.Fields)
	})
}

func TestEncodeNeedsParsedData(t *testing.T) {
	assert.Nil(t, new(controlfile.Data).Encode(controlfile.Fields{}))
}

func TestTimelineIsTheNewestThatTheFileKnows(t *testing.T) {
	for _, c := range []struct {
		name                         string
		checkpoint, minRecovery, all pgdata.TimelineID
	}{
		{"primary", 3, 0, 3},
		{"standby", 3, 3, 3},
		{"promoted, no checkpoint yet", 3, 4, 4},
		{"checkpoint after promotion", 4, 3, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := controlfile.Data{
				Fields:         controlfile.Fields{MinRecoveryPointTLI: c.minRecovery},
				CheckPointCopy: controlfile.CheckPoint{ThisTimeLineID: c.checkpoint},
			}
			assert.Equal(t, c.all, d.Timeline())
		})
	}
}

func TestStatesHaveTheirNamesAndTwoAreClean(t *testing.T) {
	for state, want := range map[controlfile.State]struct {
		name  string
		clean bool
	}{
		0: {"starting up", false}, 1: {"shut down", true}, 2: {"shut down in recovery", true},
		3: {"shutting down", false}, 4: {"in crash recovery", false}, 5: {"in archive recovery", false},
		6: {"in production", false}, 7: {"unrecognized status code 7", false},
		0xFFFFFFFF: {"unrecognized status code 4294967295", false},
	} {
		d := controlfile.Data{Fields: controlfile.Fields{State: state}}
		assert.Equal(t, want.name, state.String())
		assert.Equal(t, want.clean, d.ShutDownCleanly(), want.name)
	}
}

func TestWALLevelsHaveTheNamesOfTheSetting(t *testing.T) {
	for level, name := range map[controlfile.WALLevel]string{
		0: "minimal", 1: "replica", 2: "logical", 3: "unrecognized wal_level 3", -1: "unrecognized wal_level -1",
	} {
		assert.Equal(t, name, level.String())
	}
}
