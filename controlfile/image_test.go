package controlfile_test

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/pgdata"
)

// field is a member of ControlFileData as its C declaration has it. The images
// of these tests are laid out by the compiler's rules from the declarations, not
// from the offsets that the package knows.
type field struct {
	name       string
	size       int
	align      int
	since, end int // first major, first major without it; 9.6 is 9
}

const forever = 99

func u8(name string, since, end int) field  { return field{name, 1, 1, since, end} }
func u32(name string, since, end int) field { return field{name, 4, 4, since, end} }
func u64(name string, since, end int) field { return field{name, 8, 8, since, end} }

var declarations = []field{
	u64("system_identifier", 9, forever),
	u32("pg_control_version", 9, forever),
	u32("catalog_version_no", 9, forever),
	u32("state", 9, forever),
	u64("time", 9, forever),
	u64("checkPoint", 9, forever),
	u64("prevCheckPoint", 9, 11),

	u64("redo", 9, forever),
	u32("ThisTimeLineID", 9, forever),
	u32("PrevTimeLineID", 9, forever),
	u8("fullPageWrites", 9, forever),
	u32("checkpoint wal_level", 17, forever),
	u8("logicalDecodingEnabled", 19, forever),
	u32("nextXidEpoch", 9, 12),
	u32("nextXid", 9, 12),
	u64("nextFullXid", 12, forever),
	u32("nextOid", 9, forever),
	u32("nextMulti", 9, forever),
	u32("nextMultiOffset", 9, 19),
	u64("nextMultiOffset", 19, forever),
	u32("oldestXid", 9, forever),
	u32("oldestXidDB", 9, forever),
	u32("oldestMulti", 9, forever),
	u32("oldestMultiDB", 9, forever),
	u64("checkpoint time", 9, forever),
	u32("oldestCommitTsXid", 9, forever),
	u32("newestCommitTsXid", 9, forever),
	u32("oldestActiveXid", 9, forever),
	{"end of checkpoint", 0, 8, 9, forever},

	u64("unloggedLSN", 9, forever),
	u64("minRecoveryPoint", 9, forever),
	u32("minRecoveryPointTLI", 9, forever),
	u64("backupStartPoint", 9, forever),
	u64("backupEndPoint", 9, forever),
	u8("backupEndRequired", 9, forever),
	u32("wal_level", 9, forever),
	u8("wal_log_hints", 9, forever),
	u32("MaxConnections", 9, forever),
	u32("max_worker_processes", 9, forever),
	u32("max_wal_senders", 12, forever),
	u32("max_prepared_xacts", 9, forever),
	u32("max_locks_per_xact", 9, forever),
	u8("track_commit_timestamp", 9, forever),
	u32("maxAlign", 9, forever),
	u64("floatFormat", 9, forever),
	u32("blcksz", 9, forever),
	u32("relseg_size", 9, forever),
	u32("slru_pages_per_segment", 19, forever),
	u32("xlog_blcksz", 9, forever),
	u32("xlog_seg_size", 9, forever),
	u32("nameDataLen", 9, forever),
	u32("indexMaxKeys", 9, forever),
	u32("toast_max_chunk_size", 9, forever),
	u32("loblksize", 9, forever),
	u8("enableIntTimes", 9, 10),
	u8("float4ByVal", 9, 13),
	u8("float8ByVal", 9, forever),
	u32("data_checksum_version_init", 19, forever),
	u32("data_checksum_version", 9, forever),
	u8("default_char_signedness", 18, forever),
	{"mock_authentication_nonce", 32, 1, 10, forever},
	u32("crc", 9, forever),
}

// image is a control file with the given values; holes are filled with 0xEE.
// The values of fields that the version lacks are set to zero.
func image(v *pgdata.Version, values map[string]uint64) []byte {
	b := make([]byte, controlfile.Size)
	fill := func(from, to int) {
		for ; from < to; from++ {
			b[from] = 0xEE
		}
	}
	at, lacks := 0, map[string]bool{}
	for _, f := range declarations {
		if major := v.ServerNum / 100; major < f.since || major >= f.end {
			if _, seen := lacks[f.name]; !seen {
				lacks[f.name] = true
			}
			continue
		}
		lacks[f.name] = false
		start := (at + f.align - 1) / f.align * f.align
		fill(at, start)
		at = start + f.size
		switch value := values[f.name]; {
		case f.name == "crc":
			binary.LittleEndian.PutUint32(b[start:], crc(b[:start]))
		case f.size == 1:
			b[start] = byte(value)
		case f.size == 4:
			binary.LittleEndian.PutUint32(b[start:], uint32(value))
		case f.size == 8:
			binary.LittleEndian.PutUint64(b[start:], value)
		default:
			fill(start, at)
		}
	}
	for name, lack := range lacks {
		if lack {
			values[name] = 0
		}
	}
	return b
}

func crc(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// sampleValues gives every field a different value, which uses the whole width.
func sampleValues(v *pgdata.Version) map[string]uint64 {
	values := map[string]uint64{}
	for i, f := range declarations {
		n := uint64(i + 1)
		switch f.size {
		case 1:
			values[f.name] = 1
		case 4:
			values[f.name] = 0x40000000 | n<<16 | n
		case 8:
			values[f.name] = n<<48 | n<<16 | n
		}
	}
	// Three sizes, so that one value fits all majors.
	values["nextMultiOffset"] = 0x41234567
	values["pg_control_version"] = uint64(v.ControlVersion)
	values["catalog_version_no"] = uint64(v.CatalogVersion)
	values["state"] = uint64(controlfile.ShutDown)
	values["maxAlign"] = 8
	values["floatFormat"] = math.Float64bits(1234567)
	values["blcksz"], values["relseg_size"] = 16384, 2048
	values["xlog_blcksz"], values["xlog_seg_size"] = 4096, 64<<20
	return values
}

func sample(t *testing.T, v *pgdata.Version, change func(map[string]uint64)) []byte {
	t.Helper()
	values := sampleValues(v)
	if change != nil {
		change(values)
	}
	b := image(v, values)
	require.Len(t, b, controlfile.Size)
	return b
}

// flat returns the parsed values under the names of the declarations.
func flat(d *controlfile.Data) map[string]uint64 {
	c := d.CheckPointCopy
	bit := func(b bool) uint64 {
		if b {
			return 1
		}
		return 0
	}
	return map[string]uint64{
		"system_identifier": d.SystemIdentifier, "state": uint64(d.State), "time": uint64(d.Time.Unix()),
		"pg_control_version": uint64(d.Version.ControlVersion), "catalog_version_no": uint64(d.Version.CatalogVersion),
		"checkPoint": uint64(d.CheckPoint), "prevCheckPoint": uint64(d.PrevCheckPoint),
		"redo": uint64(c.Redo), "ThisTimeLineID": uint64(c.ThisTimeLineID), "PrevTimeLineID": uint64(c.PrevTimeLineID),
		"fullPageWrites": bit(c.FullPageWrites), "checkpoint wal_level": uint64(c.WALLevel),
		"logicalDecodingEnabled": bit(c.LogicalDecoding), "nextXid": c.NextXid, "nextOid": uint64(c.NextOid),
		"nextMulti": uint64(c.NextMulti), "nextMultiOffset": c.NextMultiOffset,
		"oldestXid": uint64(c.OldestXid), "oldestXidDB": uint64(c.OldestXidDB),
		"oldestMulti": uint64(c.OldestMulti), "oldestMultiDB": uint64(c.OldestMultiDB),
		"checkpoint time": uint64(c.Time.Unix()), "oldestCommitTsXid": uint64(c.OldestCommitTsXid),
		"newestCommitTsXid": uint64(c.NewestCommitTsXid), "oldestActiveXid": uint64(c.OldestActiveXid),
		"unloggedLSN": uint64(d.UnloggedLSN), "minRecoveryPoint": uint64(d.MinRecoveryPoint),
		"minRecoveryPointTLI": uint64(d.MinRecoveryPointTLI),
		"backupStartPoint":    uint64(d.BackupStartPoint), "backupEndPoint": uint64(d.BackupEndPoint),
		"backupEndRequired": bit(d.BackupEndRequired), "wal_level": uint64(d.WALLevel),
		"wal_log_hints": bit(d.WALLogHints), "MaxConnections": uint64(d.MaxConnections),
		"max_worker_processes": uint64(d.MaxWorkerProcesses), "max_wal_senders": uint64(d.MaxWALSenders),
		"max_prepared_xacts": uint64(d.MaxPreparedXacts), "max_locks_per_xact": uint64(d.MaxLocksPerXact),
		"track_commit_timestamp": bit(d.TrackCommitTimestamp),
		"blcksz":                 uint64(d.Geometry.BlockSize), "relseg_size": uint64(d.Geometry.RelSegBlocks),
		"xlog_blcksz": uint64(d.Geometry.WALBlockSize), "xlog_seg_size": uint64(d.Geometry.WALSegSize),
		"nameDataLen": uint64(d.NameDataLen), "indexMaxKeys": uint64(d.IndexMaxKeys),
		"toast_max_chunk_size": uint64(d.TOASTMaxChunkSize), "loblksize": uint64(d.LargeObjectBlock),
		"data_checksum_version": uint64(d.DataChecksumVersion), "default_char_signedness": bit(d.DefaultCharSigned),
	}
}
