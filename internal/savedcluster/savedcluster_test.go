package savedcluster_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/pgdata"
)

func TestRestoreGivesBackWhatWasStoredAndZerosElsewhere(t *testing.T) {
	from, stored, to := t.TempDir(), filepath.Join(t.TempDir(), "stored"), filepath.Join(t.TempDir(), "to")
	wal := append(bytes.Repeat([]byte("wal"), 50_000), make([]byte, 300_000)...)
	sizes := map[string]int64{"kept": 1 << 30, "base/packed": 200_000, "base/cut": 3}
	require.NoError(t, os.MkdirAll(filepath.Join(from, "base", "it's empty"), 0o700))
	for name, data := range map[string][]byte{
		"kept": []byte("kept"), "base/packed": wal, "base/a relation": []byte("forgotten"), "base/cut": []byte("cut off"), "none": nil,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(from, name), data, 0o600))
	}
	require.NoError(t, savedcluster.Save(from, stored, func(path string) savedcluster.Keep {
		return savedcluster.Keep{Bytes: sizes[path], Compressed: path == "base/packed"}
	}))
	assert.NoFileExists(t, filepath.Join(stored, "base", "a relation"))

	require.NoError(t, savedcluster.Restore(stored, to))
	assert.DirExists(t, filepath.Join(to, "base", "it's empty"))
	for name, want := range map[string][]byte{
		"kept": []byte("kept"), "base/packed": wal, "base/a relation": make([]byte, len("forgotten")),
		"base/cut": []byte("cut\x00\x00\x00\x00"), "none": {},
	} {
		got, err := os.ReadFile(filepath.Join(to, name))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, got), name)
	}
}

func TestRestoreStoredLeavesTheRestOut(t *testing.T) {
	from, stored, to := t.TempDir(), filepath.Join(t.TempDir(), "stored"), filepath.Join(t.TempDir(), "to")
	for _, name := range []string{"kept", "forgotten"} {
		require.NoError(t, os.WriteFile(filepath.Join(from, name), []byte(name), 0o600))
	}
	require.NoError(t, savedcluster.Save(from, stored, func(path string) savedcluster.Keep {
		return savedcluster.Keep{Bytes: int64(len("kept")), Compressed: path == "kept"}
	}))
	require.NoError(t, os.Remove(filepath.Join(stored, "forgotten")))
	require.NoError(t, savedcluster.RestoreStored(stored, to))
	assert.FileExists(t, filepath.Join(to, "kept"))
	assert.NoFileExists(t, filepath.Join(to, "forgotten"))
}

func TestTallyOfDumpTakesWhatItShows(t *testing.T) {
	got, err := savedcluster.TallyOfDump("first record is after 0/8, at 0/28\n" +
		"rmgr: Heap        len (rec/tot):     54/  8190, tx:        739, lsn: 0/01A2B3C8, prev 0/01A2B380, desc: INSERT off 7, " +
		"blkref #0: rel 1663/5/16384 fork fsm blk 3 FPW, blkref #1: rel 1663/5/16384 blk 4\n")
	require.NoError(t, err)
	var want savedcluster.Tally
	l := pgdata.RelFileLocator{Tablespace: 1663, Database: 5, Relation: 16384}
	want.Add(savedcluster.Record{
		Rmgr: "Heap", Length: 8190, XID: 739, LSN: 0x1A2B3C8, Prev: 0x1A2B380,
		Blocks: savedcluster.BlockText(0, l, pgdata.FSMFork, 3, true) + savedcluster.BlockText(1, l, pgdata.MainFork, 4, false),
	})
	assert.Equal(t, want.String(), got.String())
	assert.Contains(t, got.String(), "Heap                    1 records     8190 bytes\n")

	want.Add(savedcluster.Record{Rmgr: "Heap"})
	assert.NotEqual(t, want.String(), got.String())
}

func TestRestoreRefusesAListingThatIsWrong(t *testing.T) {
	for line, want := range map[string]string{
		"f 3 \"kept\"": "4 bytes or more are stored, 3 are listed",
		"f \"kept\"":   "invalid syntax",
		"l \"kept\"":   "neither of a directory nor of a file",
	} {
		t.Run(line, func(t *testing.T) {
			from := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(from, "kept"), []byte("kept"), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(from, savedcluster.ListingName), []byte(line+"\n"), 0o600))
			err := savedcluster.Restore(from, filepath.Join(t.TempDir(), "to"))
			assert.ErrorContains(t, err, want)
		})
	}
}
