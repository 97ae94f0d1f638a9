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
	Length int64 // the number of bytes; a source that has fewer returns those
}

// Sink receives what Fetch reads, and only that. Its methods may be called from several
// goroutines at once, and an error from one of them ends the Fetch.
type Sink interface {
	// WriteAt receives bytes of a file. data is valid only during the call.
	WriteAt(path string, data []byte, offset int64) error
	// Vanished reports that the source no longer has the file.
	Vanished(path string) error
}

// FileSink is a Sink that can copy from a file on this machine without reading it
// into memory.
type FileSink interface {
	Sink
	// CopyFrom copies length bytes at offset of the open file, which is the source's file
	// at path, and returns the number of bytes copied: fewer if the file ends earlier. The
	// effect is that of WriteAt with the same bytes.
	CopyFrom(path string, from *os.File, offset, length int64) (int64, error)
}

// Local is a source whose files are on this machine.
type Local interface {
	// Open opens a file for reading. The error wraps fs.ErrNotExist if it does not exist.
	Open(path string) (*os.File, error)
}

// Sparing is a Source that can leave the contents of some directories out of its listing,
// for example because they are unreadable.
type Sparing interface {
	// Spare sets which ones, by path; it must be called before Files.
	Spare(spared func(dir string) bool)
}

// copyBuffer is how many bytes of a file are read at once.
const copyBuffer = 256 << 10

var buffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// CopyFrom passes a part of an open file to a sink, with FileSink.CopyFrom if the
// sink has it. It returns the number of bytes passed. If the file has none at the
// offset, it makes one WriteAt without data, as Fetch does.
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

// Source is a cluster to rewind to. Paths that it yields must not be trusted. Paths that
// it receives are ones that it yielded. All methods except Close may be
// called from several goroutines at once.
//
// This interface will not grow: whatever else a source can do is an
// optional interface, such as [Hasher], [WALHolder], [Local], [Namer] or [Primary], which a
// rewind finds with a type assertion. A wrapper hides the optional interfaces that it does
// not implement, and a rewind works without them.
type Source interface {
	// String names the source in messages, without secrets.
	String() string
	// State returns whether the source is a running server and, if so, its current position.
	State(ctx context.Context) (State, error)
	// Files lists the whole data directory, directories before their
	// contents. The first error ends the sequence. A live source can yield a file
	// again after it lost a connection. The body of the loop must not make other
	// requests to the source.
	Files(ctx context.Context) iter.Seq2[pgdata.FileInfo, error]
	// ReadFile reads a complete small file. The error wraps fs.ErrNotExist if it
	// does not exist.
	ReadFile(ctx context.Context, path string) ([]byte, error)
	// Fetch passes every range to dst, in any order, in pieces of any size. For a file
	// that ends early it passes fewer bytes, and makes one WriteAt without data if there
	// are none; for a file that is gone it calls Vanished.
	Fetch(ctx context.Context, ranges iter.Seq[Range], dst Sink) error
	Close() error
}

// Waiter is a Source that reconnects when a connection is lost.
type Waiter interface {
	// Waiting is how long there has been no progress while the source reconnects; zero as
	// long as the source answers.
	Waiting() time.Duration
}

// Errors that a source's errors wrap.
var (
	// ErrUnavailable is wrapped if the source did not answer within the timeout, and
	// trying again later may help.
	ErrUnavailable = errors.New("the source did not answer")
	// ErrChanged is wrapped if the source is no longer the same, so that data read
	// before and after do not belong together. A new rewind may succeed.
	ErrChanged = errors.New("the source changed while gorewind was running")
	// ErrPooled is wrapped if there is no session with the source of its own, because a
	// pooler in between lets other clients use it, too.
	ErrPooled = errors.New("the source is behind a connection pooler that does not keep sessions apart")
	// ErrUntrusted is wrapped if the source sent what a sound source never sends.
	ErrUntrusted = errors.New("do not trust this source")
	// ErrPrivilege is wrapped if the role of the connection lacks a necessary privilege.
	ErrPrivilege = errors.New("the role lacks privileges on the source")
)

// ReadRange reads one range into memory. It returns fewer bytes if the file is shorter;
// the error wraps fs.ErrNotExist if it does not exist.
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

// State is what only a running server knows. For a stopped one it is zero.
type State struct {
	Live           bool              // it is a running server
	InRecovery     bool              // a standby
	FullPageWrites bool              // the setting full_page_writes
	Timeline       pgdata.TimelineID // the timeline on which it writes WAL; zero in recovery
	FlushLSN       pgdata.LSN        // the end of its WAL on disk; zero in recovery
	ReceiveLSN     pgdata.LSN        // the end of streamed WAL on disk; zero unless in recovery
	ReplayLSN      pgdata.LSN        // the end of replayed WAL; zero unless in recovery
	Control        []byte            // the control file just before; nil: read it as a file
}

// WALEnd is the end of the server's WAL on disk. A standby that reads an
// archive has replayed WAL that it never received; one that streams may have received
// WAL that it has not replayed yet.
func (s State) WALEnd() pgdata.LSN { return max(s.FlushLSN, s.ReceiveLSN, s.ReplayLSN) }
