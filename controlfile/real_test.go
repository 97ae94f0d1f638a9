package controlfile_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/pgdata"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

// eachReal runs a test for every control file that testdata/make.sh took from a
// real cluster.
func eachReal(t *testing.T, test func(t *testing.T, base string, b []byte, d *controlfile.Data)) {
	for _, v := range pgdata.Versions() {
		for _, kind := range []string{"", "-standby"} {
			t.Run(v.Name+kind, func(t *testing.T) {
				base := filepath.Join("testdata", v.Name+kind)
				b, err := os.ReadFile(base + ".pg_control")
				require.NoError(t, err)
				d, err := controlfile.Parse(b)
				require.NoError(t, err)
				require.Same(t, v, d.Version)
				test(t, base, b, d)
			})
		}
	}
}

func TestRealFilesParseAsRecorded(t *testing.T) {
	eachReal(t, func(t *testing.T, base string, b []byte, d *controlfile.Data) {
		var text strings.Builder
		dump(&text, "", reflect.ValueOf(*d))
		if *update {
			require.NoError(t, os.WriteFile(base+".golden", []byte(text.String()), 0o644))
		}
		want, err := os.ReadFile(base + ".golden")
		require.NoError(t, err)
		assert.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), text.String())
		assert.Equal(t, b, d.Encode(d.Fields), "re-encoding changes nothing")
	})
}

// dump writes one line for each exported field.
func dump(w *strings.Builder, prefix string, v reflect.Value) {
	for i := range v.NumField() {
		f, x := v.Type().Field(i), v.Field(i)
		switch {
		case !f.IsExported():
		case f.Anonymous:
			dump(w, prefix, x)
		case x.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]():
			dump(w, prefix+f.Name+".", x)
		default:
			fmt.Fprintf(w, "%s%s: %v\n", prefix, f.Name, x.Interface())
		}
	}
}

func TestRealFilesAgreeWithTheirServers(t *testing.T) {
	eachReal(t, func(t *testing.T, base string, _ []byte, d *controlfile.Data) {
		const clock = "2006-01-02 15:04:05+00"
		c, g, tf := d.CheckPointCopy, d.Geometry, func(b bool) string { return fmt.Sprint(b)[:1] }
		want := map[string]any{
			"pg_control_version": d.Version.ControlVersion, "catalog_version_no": d.Version.CatalogVersion,
			"system_identifier": d.SystemIdentifier, "pg_control_last_modified": d.Time.Format(clock),
			"checkpoint_lsn": d.CheckPoint, "prior_lsn": d.PrevCheckPoint, "redo_lsn": c.Redo,
			"redo_wal_file": g.WALFileName(c.ThisTimeLineID, g.SegNo(c.Redo)),
			"timeline_id":   c.ThisTimeLineID, "prev_timeline_id": c.PrevTimeLineID, "full_page_writes": tf(c.FullPageWrites),
			"logical_decoding": tf(c.LogicalDecoding),
			"next_xid":         fmt.Sprintf("%d:%d", c.NextXid>>32, uint32(c.NextXid)), "next_oid": c.NextOid,
			"next_multixact_id": c.NextMulti, "next_multi_offset": c.NextMultiOffset,
			"oldest_xid": c.OldestXid, "oldest_xid_dbid": c.OldestXidDB, "oldest_active_xid": c.OldestActiveXid,
			"oldest_multi_xid": c.OldestMulti, "oldest_multi_dbid": c.OldestMultiDB,
			"oldest_commit_ts_xid": c.OldestCommitTsXid, "newest_commit_ts_xid": c.NewestCommitTsXid,
			"checkpoint_time":      c.Time.Format(clock),
			"min_recovery_end_lsn": d.MinRecoveryPoint, "min_recovery_end_timeline": d.MinRecoveryPointTLI,
			"backup_start_lsn": d.BackupStartPoint, "backup_end_lsn": d.BackupEndPoint,
			"end_of_backup_record_required": tf(d.BackupEndRequired),
			"max_data_alignment":            8,
			"database_block_size":           g.BlockSize, "blocks_per_segment": g.RelSegBlocks,
			"wal_block_size": g.WALBlockSize, "bytes_per_wal_segment": g.WALSegSize,
			"max_identifier_length": d.NameDataLen, "max_index_columns": d.IndexMaxKeys,
			"max_toast_chunk_size": d.TOASTMaxChunkSize, "large_object_chunk_size": d.LargeObjectBlock,
			"data_page_checksum_version": d.DataChecksumVersion, "default_char_signedness": tf(d.DefaultCharSigned),
		}
		// Not kept: they cannot differ on a platform that Parse accepts, or do not matter to a rewind.
		ignored := []string{"bigint_timestamps", "float4_pass_by_value", "float8_pass_by_value", "slru_pages_per_segment"}
		compare(t, d.Version, base+".sql", "|", want, ignored)
	})
}

func TestRealFilesAgreeWithControldata(t *testing.T) {
	tested := 0
	eachReal(t, func(t *testing.T, base string, _ []byte, d *controlfile.Data) {
		const clock = "Mon Jan _2 15:04:05 2006"
		c, g := d.CheckPointCopy, d.Geometry
		word := func(b bool, yes, no string) string {
			if b {
				return yes
			}
			return no
		}
		want := map[string]any{
			"pg_control version number": d.Version.ControlVersion, "Catalog version number": d.Version.CatalogVersion,
			"Database system identifier": d.SystemIdentifier, "Database cluster state": d.State,
			"pg_control last modified":   d.Time.Format(clock),
			"Latest checkpoint location": d.CheckPoint, "Latest checkpoint's REDO location": c.Redo,
			"Latest checkpoint's REDO WAL file": g.WALFileName(c.ThisTimeLineID, g.SegNo(c.Redo)),
			"Latest checkpoint's TimeLineID":    c.ThisTimeLineID, "Latest checkpoint's PrevTimeLineID": c.PrevTimeLineID,
			"Latest checkpoint's full_page_writes": word(c.FullPageWrites, "on", "off"),
			"Latest checkpoint's logical decoding": word(c.LogicalDecoding, "on", "off"),
			"Latest checkpoint's NextXID":          fmt.Sprintf("%d:%d", c.NextXid>>32, uint32(c.NextXid)),
			"Latest checkpoint's NextOID":          c.NextOid, "Latest checkpoint's NextMultiXactId": c.NextMulti,
			"Latest checkpoint's NextMultiOffset": c.NextMultiOffset, "Latest checkpoint's oldestXID": c.OldestXid,
			"Latest checkpoint's oldestXID's DB": c.OldestXidDB, "Latest checkpoint's oldestActiveXID": c.OldestActiveXid,
			"Latest checkpoint's oldestMultiXid": c.OldestMulti, "Latest checkpoint's oldestMulti's DB": c.OldestMultiDB,
			"Latest checkpoint's oldestCommitTsXid": c.OldestCommitTsXid,
			"Latest checkpoint's newestCommitTsXid": c.NewestCommitTsXid,
			"Time of latest checkpoint":             c.Time.Format(clock), "Fake LSN counter for unlogged rels": d.UnloggedLSN,
			"Minimum recovery ending location":     d.MinRecoveryPoint,
			"Min recovery ending loc's timeline":   d.MinRecoveryPointTLI,
			"Backup start location":                d.BackupStartPoint,
			"Backup end location":                  d.BackupEndPoint,
			"End-of-backup record required":        word(d.BackupEndRequired, "yes", "no"),
			"wal_level setting":                    d.WALLevel,
			"wal_log_hints setting":                word(d.WALLogHints, "on", "off"),
			"max_connections setting":              d.MaxConnections,
			"max_worker_processes setting":         d.MaxWorkerProcesses,
			"max_wal_senders setting":              d.MaxWALSenders,
			"max_prepared_xacts setting":           d.MaxPreparedXacts,
			"max_locks_per_xact setting":           d.MaxLocksPerXact,
			"track_commit_timestamp setting":       word(d.TrackCommitTimestamp, "on", "off"),
			"Maximum data alignment":               8,
			"Database block size":                  g.BlockSize,
			"Blocks per segment of large relation": g.RelSegBlocks, "WAL block size": g.WALBlockSize,
			"Bytes per WAL segment": g.WALSegSize, "Maximum length of identifiers": d.NameDataLen,
			"Maximum columns in an index": d.IndexMaxKeys, "Maximum size of a TOAST chunk": d.TOASTMaxChunkSize,
			"Size of a large-object chunk": d.LargeObjectBlock, "Data page checksum version": d.DataChecksumVersion,
			"Default char data signedness": word(d.DefaultCharSigned, "signed", "unsigned"),
		}
		ignored := []string{
			"Date/time type storage", "Float4 argument passing", "Float8 argument passing",
			"Mock authentication nonce", "Pages per SLRU segment",
		}
		if _, err := os.Stat(base + ".pg_controldata"); err != nil {
			return // there is no such program for this major in testdata/make.sh
		}
		tested++
		compare(t, d.Version, base+".pg_controldata", ":", want, ignored)
	})
	assert.Equal(t, 12, tested, "files with pg_controldata's output")
}

// compare checks every "name separator value" line of a file.
func compare(t *testing.T, v *pgdata.Version, file, separator string, want map[string]any, ignored []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")), "\n")
	require.Greater(t, len(lines), 30)
	for _, line := range lines {
		name, got, ok := strings.Cut(line, separator)
		require.True(t, ok, line)
		if renamed, old := strings.CutSuffix(name, "_location"); old { // 9.6
			name = renamed + "_lsn"
		}
		value, known := want[name]
		if !known {
			assert.Contains(t, ignored, name)
			continue
		}
		if lsn, is := value.(pgdata.LSN); is {
			value = v.FormatLSN(lsn)
		}
		assert.Equal(t, fmt.Sprint(value), strings.TrimSpace(got), name)
	}
}
