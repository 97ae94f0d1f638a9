package apply

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/pgdata"
)

// readControlFile is a control file of PostgreSQL 17.
func readControlFile(t testing.TB) []byte {
	t.Helper()
	control, err := os.ReadFile("../../controlfile/testdata/17.pg_control")
	require.NoError(t, err)
	return control
}

func someJournal(t testing.TB) *Journal {
	control := readControlFile(t)
	data, err := controlfile.Parse(control)
	require.NoError(t, err)
	return &Journal{
		Format: journalFormat, Started: time.Unix(1700000000, 0).UTC(), Source: "a server", Control: control, NewControl: control,
		Files: []SmallFile{{pgdata.BackupLabelPath, []byte("label")}},
		Areas: []Area{{Dir: stagingDir}, {Dir: name("pg_tblspc/99/" + areaName(data.SystemIdentifier)), Link: "/space"}}, Records: 3, IndexCRC: 4,
		Steps: []Step{
			{Do: Symlink, Path: "pg_tblspc/99", Link: "/space"},
			{Do: Replace, Path: "two\nlines \xff", ID: 1, Size: 5, Staged: stagingDir + "/1", Mark: mark{7, 8}},
			{Do: Write, Path: `"quoted"`, ID: 2, Area: 1},
			{Do: Truncate, Path: "t", ID: 3},
			{Do: Remove, Path: "r"},
			{Do: Mkdir, Path: "m"},
		},
	}
}

func encoded(t testing.TB, j *Journal) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, j.encode(&b))
	return b.Bytes()
}

func TestJournalsAreReadAsTheyWereWritten(t *testing.T) {
	j, err := decodeJournal(bytes.NewReader(encoded(t, someJournal(t))))
	require.NoError(t, err)
	assert.Equal(t, someJournal(t), j)
}

func TestInvalidJournalsAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Journal){
		"a step outside":                    func(j *Journal) { j.Steps[1].Path = "../x" },
		"an absolute step":                  func(j *Journal) { j.Steps[1].Path = "/etc/x" },
		"a step to the directory itself":    func(j *Journal) { j.Steps[1].Path = "." },
		"a path that leads out by two dots": func(j *Journal) { j.Steps[1].Path = "base/../../x" },
		"staged outside its area":           func(j *Journal) { j.Steps[1].Staged = "base/5/1" },
		"staged outside the target":         func(j *Journal) { j.Steps[1].Staged = stagingDir + "/../../x" },
		"an unknown step":                   func(j *Journal) { j.Steps[1].Do = "chmod" },
		"a step staged nowhere":             func(j *Journal) { j.Steps[1].Area = 2 },
		"a negative size":                   func(j *Journal) { j.Steps[3].Size = -1 },
		"a file outside":                    func(j *Journal) { j.Files[0].Path = "../x" },
		"another control file":              func(j *Journal) { j.Files[0].Path = pgdata.ControlFilePath },
		"an area outside":                   func(j *Journal) { j.Areas[1].Dir = "../" + namePrefix },
		"a directory that is not an area":   func(j *Journal) { j.Areas[1].Dir = "pg_tblspc/99/base" },
		"an area under a link of its own":   func(j *Journal) { j.Areas[1].Link = "/etc" },
		"an area under a link without step": func(j *Journal) { j.Steps = j.Steps[1:] },
		"no area":                           func(j *Journal) { j.Areas, j.Steps = nil, nil },
		"another first area":                func(j *Journal) { j.Areas[0], j.Areas[1] = j.Areas[1], j.Areas[0] },
		"endless records":                   func(j *Journal) { j.Records = 1 << 60 },

		"a name that two clusters could have":    func(j *Journal) { j.Areas[1].Dir = "pg_tblspc/99/" + namePrefix },
		"two steps for one path":                 func(j *Journal) { j.Steps[3].Path = j.Steps[2].Path },
		"a file in a directory that is removed":  func(j *Journal) { j.Steps[3].Path = "r/t" },
		"a file in a file":                       func(j *Journal) { j.Steps[3].Path = j.Steps[2].Path + "/t" },
		"a directory before the one it is in":    func(j *Journal) { j.Steps[3] = Step{Do: Mkdir, Path: "m/n"} },
		"a file under a link that is no area's":  func(j *Journal) { j.Steps[0].Path, j.Areas = "base/99", j.Areas[:1]; j.Steps[3].Path = "base/99/t" },
		"a link to a zero byte":                  func(j *Journal) { j.Steps[5] = Step{Do: Symlink, Path: "m", Link: "a\x00b"} },
		"a link to 5000 bytes":                   func(j *Journal) { j.Steps[5] = Step{Do: Symlink, Path: "m", Link: name(strings.Repeat("a", 5000))} },
		"a link to nothing":                      func(j *Journal) { j.Steps[5] = Step{Do: Symlink, Path: "m"} },
		"a step for the control file":            func(j *Journal) { j.Steps[3].Path = pgdata.ControlFilePath },
		"a step for PG_VERSION":                  func(j *Journal) { j.Steps[4].Path = pgdata.VersionPath },
		"a step for the staging area":            func(j *Journal) { j.Steps[4].Path = stagingDir },
		"a step in the staging area":             func(j *Journal) { j.Steps[4].Path = stagingDir + "/index" },
		"one staged file for two":                func(j *Journal) { j.Steps[3] = Step{Do: Replace, Path: "t", Staged: j.Steps[1].Staged} },
		"a directory where a final file belongs": func(j *Journal) { j.Steps[5].Path = pgdata.BackupLabelPath },
		"a final file in a staging area":         func(j *Journal) { j.Files[0].Path = stagingDir + "/journal" },
		"no original control file":               func(j *Journal) { j.Control = nil },
		"no new control file":                    func(j *Journal) { j.NewControl = j.NewControl[:100] },
		"a poisoned new control file":            func(j *Journal) { j.NewControl = poison.Of(parsed(t, j.NewControl)) },
		"a new control file of another cluster": func(j *Journal) {
			other, err := os.ReadFile("../../controlfile/testdata/16.pg_control")
			require.NoError(t, err)
			j.NewControl = other
		},
	} {
		j := someJournal(t)
		spoil(j)
		_, err := decodeJournal(bytes.NewReader(encoded(t, j)))
		assert.ErrorIs(t, err, errDamaged, name)
	}
	whole := encoded(t, someJournal(t))
	for n := range len(whole) {
		_, err := decodeJournal(bytes.NewReader(whole[:n]))
		require.Error(t, err, "cut after %d bytes", n)
		flipped := bytes.Clone(whole)
		flipped[n] ^= 1
		_, err = decodeJournal(bytes.NewReader(flipped))
		require.Error(t, err, "byte %d changed", n)
	}
	later := someJournal(t)
	later.Format++
	_, err := decodeJournal(bytes.NewReader(encoded(t, later)))
	assert.ErrorContains(t, err, "finish with the gorewind that began")
	assert.NotErrorIs(t, err, errDamaged, "this is not a lost journal")
}

func parsed(t testing.TB, control []byte) *controlfile.Data {
	t.Helper()
	data, err := controlfile.Parse(control)
	require.NoError(t, err)
	return data
}

// FuzzDecodeJournal also repairs the checksum, so that the steps after it are
// decoded.
func FuzzDecodeJournal(f *testing.F) {
	f.Add(encoded(f, someJournal(f)), false)
	f.Add(encoded(f, &Journal{Format: journalFormat, InPlace: true, Control: readControlFile(f), Areas: []Area{{Dir: stagingDir}}}), true)
	f.Add([]byte("{}\n"), true)
	f.Fuzz(func(t *testing.T, b []byte, mend bool) {
		if mend {
			head := b
			if i := bytes.LastIndexByte(bytes.TrimSuffix(b, []byte("\n")), '\n'); i >= 0 {
				head = b[:i+1]
			}
			steps := max(0, bytes.Count(head, []byte("\n"))-1)
			b = fmt.Appendf(bytes.Clone(head), "{\"steps\":%d,\"crc32c\":%d}\n", steps, crc32.Checksum(head, castagnoli))
		}
		j, err := decodeJournal(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, s := range j.Steps {
			assert.True(t, filepath.IsLocal(filepath.FromSlash(string(s.Path))), s.Path)
		}
		again, err := decodeJournal(bytes.NewReader(encoded(t, j)))
		require.NoError(t, err)
		assert.Equal(t, encoded(t, j), encoded(t, again))
	})
}

func FuzzReadIndex(f *testing.F) {
	var b [2 * pieceSize]byte
	(&piece{id: 1, length: 8192, offset: 8192, at: 0, crc: 5}).encode(b[:])
	(&piece{id: 2, length: 1, offset: -1, at: -1, crc: 6}).encode(b[pieceSize:])
	f.Add(b[:], int64(2))
	f.Add(b[:40], int64(2))
	f.Add([]byte{}, int64(1<<62))
	f.Fuzz(func(t *testing.T, b []byte, records int64) {
		dir := t.TempDir()
		for p, data := range map[string][]byte{pgdata.ControlFilePath: nil, "index": b} {
			p = filepath.Join(dir, p)
			require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o700))
			require.NoError(t, os.WriteFile(p, data, 0o600))
		}
		in, err := datadir.Open(dir)
		require.NoError(t, err)
		defer func() { require.NoError(t, in.Close()) }()
		d := osDisk{in}
		seen := 0
		err = readIndex(d, "index", records, crc32.Checksum(b, castagnoli), func(p piece) error {
			var back [pieceSize]byte
			p.encode(back[:])
			assert.Equal(t, b[seen*pieceSize:seen*pieceSize+28], back[:28])
			assert.EqualValues(t, p.id, binary.LittleEndian.Uint32(b[seen*pieceSize:]))
			seen++
			return nil
		})
		if records == int64(len(b)/pieceSize) && len(b)%pieceSize == 0 {
			require.NoError(t, err)
			assert.EqualValues(t, records, seen)
		} else if records > int64(len(b)/pieceSize) {
			assert.ErrorIs(t, err, errDamaged)
			assert.Zero(t, seen, "nothing is used before all of it was checked")
		}
	})
}
