// Package source is where a rewind reads from: a stopped data directory (this
// package) or a live server (package pgsource).
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"sync"
	"time"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
)

// Range is a piece of a file to fetch.
type Range struct {
	Path   string // relative to the data directory
	Offset int64
	Length int64 // bytes wanted; a source that has fewer gives those
}

// Sink takes what Fetch reads, and only what was asked for. Its methods may be called from several
// goroutines at once, and an error from one of them ends the Fetch.
type Sink interface {
	// WriteAt takes bytes of a file. data is valid during the call only.
	WriteAt(path string, data []byte, offset int64) error
	// Vanished says that the source no longer has the file.
	Vanished(path string) error
}

// FileSink is a Sink that can take bytes from a file on this machine without their
// coming into memory.
type FileSink interface {
	Sink
	// CopyFrom takes length bytes at offset of the open file, which is what the
	// source has at path, and gives how many there were: fewer where the file ends
	// before. What of it was taken is as if WriteAt had brought it.
	CopyFrom(path string, from *os.File, offset, length int64) (int64, error)
}

// Local is a source whose files lie on this machine.
type Local interface {
	// Open opens a file to be read. The error wraps fs.ErrNotExist where there is none.
	Open(path string) (*os.File, error)
}

// Sparing is a Source that can leave out of its listing what is in some directories,
// for example because nobody may read it.
type Sparing interface {
	// Spare says which, by their paths; it is to be called before Files.
	Spare(spared func(dir string) bool)
}

// copyBuffer is how much of a file is read at once.
const copyBuffer = 256 << 10

var buffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// CopyFrom gives a part of an open file to a sink, by FileSink.CopyFrom where the
// sink has that. It returns how many bytes there were; a file that has none at the
// offset is one WriteAt without data, as of Fetch.
func CopyFrom(dst Sink, path string, from *os.File, offset, length int64) (int64, error) {
	if direct, ok := dst.(FileSink); ok && length > 0 {
		return direct.CopyFrom(path, from, offset, length)
	}
	buf := buffers.Get().(*[copyBuffer]byte)
	defer buffers.Put(buf)
	for done := int64(0); ; {
		n, err := from.ReadAt(buf[:min(copyBuffer, length-done)], offset+done)
		if err != nil && err != io.EOF {
			return done, fmt.Errorf("could not read file %q at offset %d: %w", from.Name(), offset+done, datadir.Reason(err))
		}
		if werr := dst.WriteAt(path, buf[:n], offset+done); werr != nil {
			return done, werr
		}
		done += int64(n)
		if err == io.EOF || n == 0 || done == length {
			return done, nil
		}
	}
}

// Source is a cluster to rewind to. Paths that it yields are not to be trusted;
// paths that it is given are those that it yielded. Its methods but Close may be
// called from several goroutines at once.
//
// These methods are all that there will ever be: what a source can do besides is an
// optional interface, such as [Hasher], [WALHolder], [Local], [Namer] or [Primary], for
// which a rewind asks by type. Whoever wraps a source hides what it does not pass on,
// and a rewind does without it.
type Source interface {
	// String names the source for messages, without secrets.
	String() string
	// State tells whether the source is a running server and, of one, where it is now.
	State(ctx context.Context) (State, error)
	// Files lists the whole data directory, directories before what they
	// contain. The first error ends the sequence. A live source can yield a file
	// again after it lost a connection. Nothing else may be asked of the source
	// from within the loop.
	Files(ctx context.Context) iter.Seq2[pgdata.FileInfo, error]
	// ReadFile reads a small file whole. The error wraps fs.ErrNotExist where
	// there is none.
	ReadFile(ctx context.Context, path string) ([]byte, error)
	// Fetch gives every range to dst, in any order, in pieces of any size. A
	// file that ends early gives fewer bytes, and one WriteAt without data where
	// it has none; a file that is gone is Vanished.
	Fetch(ctx context.Context, ranges iter.Seq[Range], dst Sink) error
	Close() error
}

// Waiter is what a Source can be that connects again when a connection is lost.
type Waiter interface {
	// Waiting tells for how long nothing came and connections are tried again; it is
	// zero as long as the source answers.
	Waiting() time.Duration
}

// What the errors of a source wrap.
var (
	// ErrUnavailable is wrapped where the source gave no answer for as long as it
	// was waited for, and trying again later may help.
	ErrUnavailable = errors.New("the source did not answer")
	// ErrChanged is wrapped where the source is not what it was, so that what was
	// read of it before and after do not belong together. A new rewind may succeed.
	ErrChanged = errors.New("the source changed while gorewind was running")
	// ErrPooled is wrapped where there is no session with the source, because what is
	// in between has others use it, too.
	ErrPooled = errors.New("the source is behind a connection pooler that does not keep sessions apart")
	// ErrUntrusted is wrapped where the source sent what no sound source sends.
	ErrUntrusted = errors.New("do not trust this source")
	// ErrPrivilege is wrapped where the role that connected may not do what is needed.
	ErrPrivilege = errors.New("the role lacks privileges on the source")
)

// ReadRange reads one range into memory, for those who need bytes and not a
// copy. It returns fewer bytes where the file is shorter; the error wraps
// fs.ErrNotExist where it does not exist.
func ReadRange(ctx context.Context, src Source, r Range) ([]byte, error) {
	m := memory{r: r, data: make([]byte, r.Length)}
	err := src.Fetch(ctx, func(yield func(Range) bool) { yield(r) }, &m)
	if err == nil && m.gone {
		err = fmt.Errorf("file %q does not exist on the source: %w", r.Path, fs.ErrNotExist)
	}
	return m.data[:m.end], err
}

type memory struct {
	r    Range
	mu   sync.Mutex
	data []byte
	end  int
	gone bool
}

func (m *memory) WriteAt(path string, data []byte, offset int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := offset - m.r.Offset
	if path != m.r.Path || at < 0 || at > m.r.Length-int64(len(data)) {
		return fmt.Errorf("the source answered with %d bytes of %q at offset %d, which were not asked for", len(data), path, offset)
	}
	if len(data) > 0 {
		m.end = max(m.end, int(at)+copy(m.data[at:], data))
	}
	return nil
}

func (m *memory) Vanished(string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone = true
	return nil
}

// State is what only a running server knows. That of a stopped one is zero.
type State struct {
	Live           bool              // it is a running server
	InRecovery     bool              // a standby
	FullPageWrites bool              // the setting full_page_writes
	Timeline       pgdata.TimelineID // where it writes WAL; zero in recovery
	FlushLSN       pgdata.LSN        // up to where its WAL is on disk; zero in recovery
	ReceiveLSN     pgdata.LSN        // up to where WAL that was streamed is on disk; zero unless in recovery
	ReplayLSN      pgdata.LSN        // up to where WAL was replayed; zero unless in recovery
	Control        []byte            // the control file of the moment before; nil: it is to be read as a file
}

// WALEnd is up to where the server's WAL is on disk. A standby that reads an
// archive has replayed what it never received; one that streams may have received
// what it has not replayed yet.
func (s State) WALEnd() pgdata.LSN { return max(s.FlushLSN, s.ReceiveLSN, s.ReplayLSN) }
