package walreader_test

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// TestSummariesSayWhatTheWALSays lets servers do all that summaries tell of, and
// compares these with a scan of the same WAL, and with what pg_walsummary prints.
func TestSummariesSayWhatTheWALSays(t *testing.T) {
	if *update {
		t.Skip("golden files are being written, without servers: run it without -update")
	}
	pgtest.EachGenuine(t, func(t *testing.T, in *pgtest.Installation) {
		if !in.SummarizesWAL() {
			t.Skipf("PostgreSQL %s has no WAL summaries: 17 and later try this", in)
		}
		c := in.InitCluster(t, pgtest.Options{NoChecksums: true, WALSegSizeMB: 1, Conf: map[string]string{"summarize_wal": "on"}})
		c.Start(t)
		c.Exec(t, "CREATE TABLE before AS SELECT generate_series(1, 20000) AS x", "CREATE TABLE hinted AS SELECT generate_series(1, 2000) AS x",
			"CREATE TABLE cut AS SELECT generate_series(1, 20000) AS x")
		c.Stop(t, pgtest.Fast)
		control, err := controlfile.Read(c.Dir)
		require.NoError(t, err)
		from := control.CheckPoint
		c.Start(t)
		c.Exec(t, "CREATE TABLESPACE space LOCATION '"+c.TablespaceDir(t, "space")+"'")
		standby := c.Standby(t)
		standby.WaitStreaming(t, c)
		c.Exec(t, "CHECKPOINT", "SELECT count(*) FROM hinted",
			"CREATE TABLE dropped AS SELECT generate_series(1, 2000) AS x",
			"UPDATE before SET x = -x WHERE x % 3000 = 0", "CHECKPOINT",
			"UPDATE before SET x = -x WHERE x % 2000 = 0", // lists of blocks out of order
			"DELETE FROM cut WHERE x > 5000", "VACUUM cut", "INSERT INTO cut SELECT generate_series(1, 9000)",
			"DROP TABLE dropped", "BEGIN; CREATE TABLE never AS SELECT generate_series(1, 2000) AS x; ROLLBACK",
			"CREATE UNLOGGED TABLE unlogged AS SELECT generate_series(1, 2000) AS x",
			"CREATE INDEX ON before (x)", "CREATE INDEX ON before USING hash (x)", "CREATE INDEX ON before USING brin (x)",
			"CREATE SEQUENCE s", "SELECT nextval('s')", "CHECKPOINT",
			"BEGIN; DROP TABLE unlogged; PREPARE TRANSACTION 'drops'", "VACUUM FULL before", "COMMIT PREPARED 'drops'",
			"CREATE TABLE large (x text STORAGE PLAIN)", "INSERT INTO large SELECT repeat('x', 5000) FROM generate_series(1, 5000)", // a bitmap
			"CREATE DATABASE copied STRATEGY file_copy", "CREATE DATABASE logged STRATEGY wal_log",
			"ALTER DATABASE copied SET TABLESPACE space")
		c.ExecIn(t, "copied", "CREATE TABLE t AS SELECT generate_series(1, 20000) AS x", "DELETE FROM t WHERE x > 900", "VACUUM t")
		c.Exec(t, "ALTER DATABASE copied SET TABLESPACE pg_default", "DROP DATABASE logged")
		standby.WaitCaughtUp(t, c)

		standby.Promote(t)
		standby.Exec(t, "INSERT INTO before SELECT generate_series(1, 4000)", "TRUNCATE hinted", "CREATE TABLE new AS SELECT 1 AS x")
		newHistory, err := os.ReadFile(filepath.Join(standby.Dir, in.Version.WALPath(pgdata.HistoryFileName(2))))
		require.NoError(t, err)
		history, err := timeline.Parse(2, newHistory)
		require.NoError(t, err)
		assertSummaries(t, standby, history, from)

		c.Kill(t)
		c.Start(t)
		c.Exec(t, "INSERT INTO before SELECT generate_series(1, 4000)")
		to := assertSummaries(t, c, timeline.First(), from)

		// Nothing is summarized where wal_level is minimal.
		c.SetConf(t, map[string]string{"wal_level": "minimal", "max_wal_senders": "0", "archive_mode": "off", "summarize_wal": "off"})
		c.Start(t)
		c.Exec(t, "INSERT INTO before VALUES (1)")
		c.Stop(t, pgtest.Fast)
		c.SetConf(t, map[string]string{"wal_level": "replica", "summarize_wal": "on"})
		c.Start(t)
		c.Exec(t, "INSERT INTO before VALUES (2)")
		end := summarized(t, c)
		_, err = walreader.CoverSummaries(summariesOf(t, c), timeline.First().Stretches(from, end))
		var gap *walreader.SummaryGapError
		require.ErrorAs(t, err, &gap)
		assert.GreaterOrEqual(t, gap.LSN, to)
	})
}

// summarized stops a server at a shutdown checkpoint up to which all WAL is summarized, and
// says where that is.
func summarized(t *testing.T, c *pgtest.Cluster) pgdata.LSN {
	t.Helper()
	c.Stop(t, pgtest.Fast)
	control, err := controlfile.Read(c.Dir)
	require.NoError(t, err)
	to := control.CheckPoint
	c.Start(t)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if c.QueryString(t, "SELECT summarized_lsn >= '"+to.String()+"' FROM pg_get_wal_summarizer_state()") == "t" {
			break
		}
		require.True(t, time.Now().Before(deadline), "WAL is not summarized: %s", c.LogTail(20))
	}
	c.Stop(t, pgtest.Fast)
	return to
}

func summariesOf(t *testing.T, c *pgtest.Cluster) (names []walreader.SummaryName) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(c.Dir, c.In.Version.WALPath(walreader.SummaryDir)))
	require.NoError(t, err)
	for _, e := range entries {
		n, ok := walreader.ParseSummaryName(e.Name())
		require.True(t, ok, e.Name())
		names = append(names, n)
	}
	return names
}

// assertSummaries compares what summaries and WAL say of all that happened since a
// shutdown checkpoint. It stops the server.
func assertSummaries(t *testing.T, c *pgtest.Cluster, history timeline.History, from pgdata.LSN) (to pgdata.LSN) {
	t.Helper()
	to = summarized(t, c)
	w, err := walreader.OpenDir(c.Dir)
	require.NoError(t, err)
	w.History = history // of which the control file knows later
	f := w.Format
	end, err := walreader.LastRecordEnd(t.Context(), w, f, to)
	require.NoError(t, err)
	r := walreader.NewReader(w, f)
	defer r.Close()
	checkpoint, err := r.ReadRecord(t.Context(), from)
	require.NoError(t, err)
	scan, err := walreader.Scan(t.Context(), w, f, walreader.ScanRequest{Fork: checkpoint.End, End: end})
	require.NoError(t, err)
	require.Equal(t, from, scan.Checkpoint.LSN)

	files, err := walreader.CoverSummaries(summariesOf(t, c), history.Stretches(from, to))
	require.NoError(t, err)
	require.Greater(t, len(files), 3)
	require.Equal(t, from, files[0].Start, "a shutdown checkpoint begins a summary")
	require.Equal(t, to, files[len(files)-1].End, "and ends one")
	// The first half by summaries and the rest by the WAL is as much as all of it.
	half := len(files) / 2
	both := readChanges(t, w, f, files[half].Start, to)
	var got pgdata.Changes
	for i, name := range files {
		path := filepath.Join(c.Dir, c.In.Version.WALPath(walreader.SummaryDir), name.String())
		file, err := os.Open(path)
		require.NoError(t, err)
		defer file.Close()
		require.NoError(t, walreader.ReadSummaryChanges(file, path, f.Geometry, nil, &got))
		if i+1 == half {
			both.Merge(got)
		}
		_, err = file.Seek(0, 0)
		require.NoError(t, err)
		text, err := summaryText(file, path)
		require.NoError(t, err)
		require.Equal(t, c.In.Output(t, "pg_walsummary", "--individual", path), text)
	}

	assert.Equal(t, scan.Changes.Limits, got.Limits)
	databases, truncated := 0, 0
	for l, limit := range got.Limits {
		if l.Relation == 0 {
			databases++
		} else if limit > 0 {
			truncated++
		}
	}
	assert.Greater(t, databases, 2)
	assert.NotZero(t, truncated)

	want := below(f.Geometry, scan.Changes)
	require.NotEmpty(t, want)
	assert.Equal(t, want, below(f.Geometry, got))
	assert.Equal(t, scan.Changes.Limits, both.Limits)
	assert.Equal(t, want, below(f.Geometry, both))
	all, forgotten := 0, 0
	for file, set := range scan.Changes.Blocks {
		for b := range set.All() {
			all++
			if got.Blocks[file] == nil || !got.Blocks[file].Has(b) {
				forgotten++
			}
		}
	}
	for file, set := range got.Blocks {
		for b := range set.All() {
			require.True(t, scan.Changes.Blocks[file] != nil && scan.Changes.Blocks[file].Has(b), "block %d of %v is in no record", b, file)
		}
	}

	hints := 0
	for rec, err := range r.Records(t.Context(), from, end) {
		require.NoError(t, err)
		if rec.IsHintImage() && rec.Blocks[0].Fork == pgdata.MainFork {
			hints++
			b := rec.Blocks[0]
			limit, limited := got.LimitOf(b.Locator)
			assert.True(t, limited && b.Block >= limit || got.Blocks[pgdata.RelSegment{Locator: b.Locator}].Has(b.Block), "hint on block %d of %s", b.Block, b.Locator)
		}
	}
	assert.NotZero(t, hints)
	assert.NotZero(t, forgotten)
	t.Logf("%d summaries, %d records: %d blocks changed, %d of them forgotten behind a limit; %d limits, %d of databases, %d truncations; %d images for hints",
		len(files), scan.Records, all, forgotten, len(got.Limits), databases, truncated, hints)
	return to
}

// below lists the blocks of files that do not count as changed anyhow: a summary
// forgets those behind a limit that changed before it.
func below(g pgdata.Geometry, c pgdata.Changes) []string {
	var list []string
	for file, set := range c.Blocks {
		limit, limited := c.LimitOf(file.Locator)
		for b := range set.All() {
			if !limited || int64(file.Segment)*int64(g.RelSegBlocks)+int64(b) < int64(limit) {
				list = append(list, strings.Join([]string{file.Locator.String(), pgdata.LSN(file.Segment).String(), pgdata.LSN(b).String()}, " "))
			}
		}
	}
	slices.SortFunc(list, cmp.Compare[string])
	return list
}
