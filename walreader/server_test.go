package walreader_test

import (
	"flag"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *update { // who may write the golden files need not be one who may start servers
		os.Exit(m.Run())
	}
	pgtest.Main(m)
}

// TestWhatServersWriteDownIsRead lets servers of every major do things that only the
// test knows.
func TestWhatServersWriteDownIsRead(t *testing.T) {
	if *update {
		t.Skip("golden files are being written, without servers: run it without -update")
	}
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{NoChecksums: true, Conf: map[string]string{
			"wal_level": "minimal", "max_wal_senders": "0", "wal_log_hints": "off", "max_connections": "31", "archive_mode": "off",
		}})
		c.Start(t)
		space := c.TablespaceDir(t, "space")
		oid := func(catalog, column, name string) uint32 {
			n, err := strconv.ParseUint(c.QueryString(t, "SELECT oid FROM "+catalog+" WHERE "+column+" = '"+name+"'"), 10, 32)
			require.NoError(t, err)
			return uint32(n)
		}
		c.Stop(t, pgtest.Fast)
		control, err := controlfile.Read(c.Dir)
		require.NoError(t, err)
		from := control.CheckPoint

		want := walreader.Parameters{
			WALLevel: walreader.WALLevelLogical, WALLogHints: true, TrackCommitTimestamp: true, MaxConnections: 37,
			MaxWorkerProcesses: 11, MaxWALSenders: 5, MaxPreparedXacts: 13, MaxLocksPerXact: 77,
		}
		c.SetConf(t, map[string]string{
			"wal_level": "logical", "wal_log_hints": "on", "track_commit_timestamp": "on", "max_connections": "37",
			"max_worker_processes": "11", "max_wal_senders": "5", "max_prepared_transactions": "13", "max_locks_per_transaction": "77",
		})
		c.Start(t)
		if !in.Version.WAL.ParameterSenders {
			want.MaxWALSenders = 0
		}
		c.Exec(t, "CREATE TABLE t AS SELECT generate_series(1, 2000) AS x", "CHECKPOINT", "SELECT count(*) FROM t", "CHECKPOINT",
			"CREATE TABLESPACE space LOCATION '"+space+"'", "CREATE DATABASE moved", "CREATE UNLOGGED TABLE u (x int)",
			"ALTER DATABASE moved SET TABLESPACE space", "BEGIN; INSERT INTO t VALUES (0); PREPARE TRANSACTION 'one'")
		moved, spaceOID := oid("pg_database", "datname", "moved"), oid("pg_tablespace", "spcname", "space")
		c.ExecIn(t, "moved", "CREATE TABLE s AS SELECT generate_series(1, 2000) AS x", "DELETE FROM s WHERE x > 100", "VACUUM s")
		c.SetConf(t, map[string]string{"full_page_writes": "off"})
		c.Reload(t)
		c.Exec(t, "COMMIT PREPARED 'one'")
		c.Stop(t, pgtest.Fast) // its checkpoint writes the change, if nothing has yet
		c.SetConf(t, map[string]string{"full_page_writes": "on", "max_connections": "37"})
		c.Start(t)
		c.Exec(t, "DROP DATABASE moved", "DROP TABLESPACE space")
		c.Stop(t, pgtest.Fast)

		w, err := walreader.OpenDir(c.Dir)
		require.NoError(t, err)
		f := w.Format
		end, err := walreader.EndOfWAL(t.Context(), w, f, w.Control.CheckPoint)
		require.NoError(t, err)
		require.Equal(t, w.Control.CheckPoint, end.Last)
		r := walreader.NewReader(w, f)
		defer r.Close()
		var (
			parameters         []walreader.Parameters
			fullPageWrites     []bool
			levels             []int32
			copies             []walreader.DatabaseCopy
			hints, truncations int
			inits              int
			location           string
			dropped            []uint32
			droppedSpace       uint32
			prepared           walreader.Prepared
			endedPrepared      uint32
			last               time.Time
		)
		for rec, err := range r.Records(t.Context(), from, end.LSN) {
			require.NoError(t, err)
			if p, ok := f.Parameters(rec); ok {
				parameters = append(parameters, p)
			}
			if on, ok := f.FullPageWritesChange(rec); ok {
				fullPageWrites = append(fullPageWrites, on)
			}
			if c, ok := rec.Checkpoint(); ok && len(fullPageWrites) > 0 {
				fullPageWrites = append(fullPageWrites, c.FullPageWrites)
			}
			if level, ok := f.WALLevelOf(rec); ok {
				levels = append(levels, level)
			}
			if c, ok := f.DatabaseCopy(rec); ok && c.FromDatabase == c.Database {
				copies = append(copies, c)
			}
			if rec.IsHintImage() {
				hints++
			}
			if _, _, main, ok := f.StorageTruncate(rec); ok && main {
				truncations++
			}
			if _, fork, ok := f.StorageCreate(rec); ok && fork == pgdata.InitFork {
				inits++
			}
			if oid, l, ok := f.TablespaceCreate(rec); ok {
				assert.Equal(t, spaceOID, oid)
				location = l
			}
			if db, tablespaces, ok := f.DatabaseDrop(rec); ok {
				assert.Equal(t, moved, db)
				dropped = append(dropped, tablespaces...)
			}
			if oid, ok := f.TablespaceDrop(rec); ok {
				droppedSpace = oid
			}
			if p, ok := f.Prepared(rec); ok {
				prepared = p
			}
			if at, ok := f.TransactionEnd(rec); ok {
				last = at
				e, ok := f.Ended(rec)
				assert.True(t, ok)
				endedPrepared = max(endedPrepared, e.Prepared)
			}
		}
		assert.Equal(t, []walreader.Parameters{want}, parameters)
		require.NotEmpty(t, fullPageWrites)
		assert.False(t, fullPageWrites[0])
		assert.True(t, fullPageWrites[len(fullPageWrites)-1])
		require.NotEmpty(t, levels)
		if in.Version.WAL.StatesWALLevel {
			assert.Equal(t, int32(walreader.WALLevelMinimal), levels[0], "of the shutdown")
			assert.Greater(t, len(levels), 3)
		}
		assert.Equal(t, int32(walreader.WALLevelLogical), levels[len(levels)-1])
		assert.Equal(t, []walreader.DatabaseCopy{
			{Database: moved, Tablespace: spaceOID, FromDatabase: moved, FromTablespace: pgdata.DefaultTablespace},
		}, copies)
		assert.NotZero(t, hints)
		assert.Equal(t, 1, truncations)
		assert.NotZero(t, inits)
		assert.Equal(t, space, location)
		assert.Equal(t, []uint32{pgdata.DefaultTablespace, spaceOID}, dropped)
		assert.Equal(t, spaceOID, droppedSpace)
		assert.Equal(t, "one", prepared.GID)
		assert.Equal(t, prepared.XID, endedPrepared)
		assert.WithinRange(t, prepared.Time, control.Time, last)
	})
}
