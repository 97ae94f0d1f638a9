package apply

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/pgdata"
)

// journalFormat is incremented when an older gorewind could not finish what a newer
// one began.
const journalFormat = 2

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Journal has everything that is needed to finish a rewind. It is written and
// fsynced before the control file is poisoned: that rename is the commit record. A
// journal next to a control file that is not its own poisoned one means nothing.
type Journal struct {
	Format  int       `json:"format_version"`
	InPlace bool      `json:"in_place"` // data goes straight to the target, and is fetched again by the next run
	Started time.Time `json:"started"`
	Source  string    `json:"source"`
	// Control is the target's control file as its server left it.
	Control []byte `json:"control"`
	// The rest of a staged rewind, besides its steps.
	NewControl []byte      `json:"new_control,omitempty"`
	Files      []SmallFile `json:"files,omitempty"` // written last, before the control file
	Areas      []Area      `json:"areas"`
	Records    int64       `json:"index_records"`
	IndexCRC   uint32      `json:"index_crc32c"`
	// Sync says how changes are made durable.
	Sync SyncMode `json:"sync"`
	// Notes is data of the caller.
	Notes []byte `json:"notes,omitempty"`

	Steps []Step `json:"-"` // one document each, after the journal's own

	// Done says that the new control file is in place. It remains to make that durable
	// and to clean up.
	Done bool `json:"-"`
}

// SmallFile is a file that is written whole.
type SmallFile struct {
	Path string `json:"path"`
	Data []byte `json:"data"`
}

// SyncMode says what is made durable and how.
type SyncMode struct {
	Off        bool `json:"off,omitempty"`        // leave it to the operating system
	FileSystem bool `json:"filesystem,omitempty"` // syncfs instead of fsync for every file
	Everything bool `json:"everything,omitempty"` // also files that were not written: they may not be durable yet
}

// Do is what a step does.
type Do string

// The kinds of steps.
const (
	Mkdir    Do = "mkdir"
	Symlink  Do = "symlink"
	Replace  Do = "replace"  // rename the staged file over it
	Write    Do = "write"    // write the staged pieces to it
	Truncate Do = "truncate" // the same, and cut it to its size
	Remove   Do = "remove"
)

// Step is what happens to one file. Repeating it changes nothing.
type Step struct {
	Do   Do    `json:"do"`
	Path name  `json:"path"`
	ID   int   `json:"id"`             // identifies it in the index
	Area int   `json:"area,omitempty"` // whose blocks file has its pieces
	Size int64 `json:"size,omitempty"`
	Link name  `json:"link,omitempty"`
	// Staged is the file that is renamed over Path. Mark identifies that file after
	// the rename.
	Staged name `json:"staged,omitempty"`
	Mark   mark `json:"mark,omitzero"`
}

// name is a file name of any bytes except zero; JSON takes UTF-8 only.
type name string

func (n name) MarshalText() ([]byte, error) {
	if utf8.ValidString(string(n)) && !strings.HasPrefix(string(n), `"`) {
		return []byte(n), nil
	}
	return strconv.AppendQuote(nil, string(n)), nil
}

func (n *name) UnmarshalText(b []byte) error {
	if !bytes.HasPrefix(b, []byte(`"`)) {
		*n = name(b)
		return nil
	}
	s, err := strconv.Unquote(string(b))
	*n = name(s)
	return err
}

// trailer ends a journal. A journal without it is incomplete.
type trailer struct {
	Steps int    `json:"steps"`
	CRC   uint32 `json:"crc32c"` // of everything before it
}

// encode writes a journal.
func (j *Journal) encode(w io.Writer) error {
	crc := crc32.New(castagnoli)
	enc := json.NewEncoder(io.MultiWriter(w, crc))
	if err := enc.Encode(j); err != nil {
		return err
	}
	for i := range j.Steps {
		if err := enc.Encode(&j.Steps[i]); err != nil {
			return err
		}
	}
	return json.NewEncoder(w).Encode(trailer{len(j.Steps), crc.Sum32()})
}

// ErrLost says that a committed rewind cannot be finished, because something that
// it needs is lost.
var ErrLost = errors.New("a rewind was interrupted and cannot be finished")

// errDamaged is the error of a file that is not as gorewind wrote it.
var errDamaged = errors.New("it is damaged")

// lost returns ErrLost with the file that is missing or damaged.
func (t *Target) lost(p string, why error) error {
	return fmt.Errorf("%w: file %q: %w: take a base backup", ErrLost, t.Join(p), why)
}

// maxJournal limits what is read into memory, in bytes.
const maxJournal = 4 << 30

// decodeJournal checks all of a journal before it uses any of it.
func decodeJournal(r io.Reader) (*Journal, error) {
	raw, err := io.ReadAll(io.LimitReader(bufio.NewReader(r), maxJournal+1))
	if err != nil {
		return nil, err
	}
	if len(raw) == 0 || len(raw) > maxJournal || raw[len(raw)-1] != '\n' {
		return nil, errDamaged
	}
	last := bytes.LastIndexByte(raw[:len(raw)-1], '\n') + 1
	var end trailer
	if err := json.Unmarshal(raw[last:], &end); err != nil || crc32.Checksum(raw[:last], castagnoli) != end.CRC {
		return nil, errDamaged
	}
	dec := json.NewDecoder(bytes.NewReader(raw[:last]))
	j := new(Journal)
	if err := dec.Decode(j); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if j.Format != journalFormat {
		return nil, fmt.Errorf("it has format %d, and this gorewind knows %d: finish with the gorewind that began", j.Format, journalFormat)
	}
	for dec.More() {
		var s Step
		if err := dec.Decode(&s); err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
		j.Steps = append(j.Steps, s)
	}
	if len(j.Steps) != end.Steps {
		return nil, errDamaged
	}
	if err := j.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return j, nil
}

const (
	namePrefix  = ownfiles.Prefix
	stagingDir  = namePrefix
	journalPath = stagingDir + "/journal"
)

// rewound reports whether a rewind was completed and no server has run since.
func (t *Target) rewound(control *controlfile.Data) (bool, error) {
	if control.State != controlfile.InArchiveRecovery {
		return false, nil
	}
	label, err := t.ReadFile(pgdata.BackupLabelPath)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return bytes.Contains(label, []byte("\nBACKUP METHOD: pg_rewind\n")), err
}

// Journal reads the journal of a rewind that was committed but not completed. It is
// nil if there is no such rewind.
func (t *Target) Journal() (*Journal, error) {
	raw, data, err := t.readControl()
	if err != nil && t.found != nil {
		return nil, nil // no rewind leaves an unreadable control file
	}
	if err != nil {
		return nil, err
	}
	done := false
	if !poison.Is(data) {
		if done, err = t.rewound(data); err != nil || !done {
			return nil, err
		}
	}
	if _, err := t.findStagingDir(stagingDir); err != nil {
		return nil, err
	}
	f, err := t.disk.Open(journalPath, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) && done {
		return nil, nil
	} else if errors.Is(err, fs.ErrNotExist) {
		return nil, t.lost(journalPath, errors.New("it is gone"))
	} else if err != nil {
		return nil, t.failed("open", journalPath, err)
	}
	defer func() { _ = f.Close() }()
	j, err := decodeJournal(io.NewSectionReader(f, 0, maxJournal+1))
	if errors.Is(err, errDamaged) && done {
		return nil, nil // it is being removed
	} else if errors.Is(err, errDamaged) {
		return nil, t.lost(journalPath, err)
	} else if err != nil {
		return nil, fmt.Errorf("journal %q: %w", t.Join(journalPath), err)
	}
	if j.Done = done; done {
		return j, nil
	}
	original, err := controlfile.Parse(j.Control)
	if err != nil || !bytes.Equal(poison.Of(original), raw) {
		return nil, t.lost(journalPath, errors.New("it belongs to another state of the control file"))
	}
	return j, nil
}

// saveJournal makes a journal durable before any of its steps is done. It reads the
// journal first, as the next run would.
func (t *Target) saveJournal(j *Journal) error {
	temp := journalPath + ".new"
	f, err := t.disk.Open(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		w := bufio.NewWriterSize(&appender{f: f}, writeBuffer)
		if err = j.encode(w); err == nil {
			err = w.Flush()
		}
		if err == nil {
			_, err = decodeJournal(io.NewSectionReader(f, 0, maxJournal+1))
		}
		if err == nil && !j.Sync.Off {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close())
	}
	if err == nil {
		err = t.disk.Rename(temp, journalPath)
	}
	if err == nil && !j.Sync.Off {
		err = t.sync(stagingDir)
	}
	if err != nil {
		return t.failed("write", journalPath, err)
	}
	return nil
}
