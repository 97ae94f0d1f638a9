package rewindtest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/walreader"
)

// Live is a data directory that looks like a running server: a source.Source that also
// has replication slots, retains WAL and lets standbys stream. Its files are those of a
// stopped server.
type Live struct {
	// Fail, if not nil, is called before every operation. If it returns an error, the
	// caller gets that error. call is the name of the method, and path that of the file,
	// if it has one. Fail may be called concurrently.
	Fail func(call, path string) error
	// InRecovery makes it a standby that has replayed all its WAL.
	InRecovery bool

	dir     *source.Dir
	control *controlfile.Data
	end     pgdata.LSN

	mu    sync.Mutex
	slots []source.Slot
	held  int
}

// OpenLive opens a directory whose server was stopped cleanly.
func OpenLive(ctx context.Context, name string) (*Live, error) {
	wal, err := walreader.OpenDir(name)
	if err != nil {
		return nil, err
	}
	end, err := wal.End(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := source.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &Live{dir: dir, control: wal.Control, end: end.LSN}, nil
}

func (l *Live) fails(call, path string) error {
	if l.Fail == nil {
		return nil
	}
	return l.Fail(call, path)
}

// String names the directory.
func (l *Live) String() string { return fmt.Sprintf("server of %q", l.dir) }

// Close releases what it holds open.
func (l *Live) Close() error { return l.dir.Close() }

// State returns the state of a server that has written all WAL in the directory.
func (l *Live) State(context.Context) (source.State, error) {
	if err := l.fails("State", ""); err != nil {
		return source.State{}, err
	}
	s := source.State{Live: true, InRecovery: l.InRecovery, FullPageWrites: true}
	if l.InRecovery {
		s.ReceiveLSN, s.ReplayLSN = l.end, l.end
	} else {
		s.Timeline, s.FlushLSN = l.control.Timeline(), l.end
	}
	return s, nil
}

// controlFile returns the control file of a running server.
func (l *Live) controlFile() []byte {
	f := l.control.Fields
	f.State = controlfile.InProduction
	if l.InRecovery {
		f.State, f.MinRecoveryPoint, f.MinRecoveryPointTLI = controlfile.InArchiveRecovery, l.end, l.control.Timeline()
	}
	return l.control.Encode(f)
}

// Files lists the directory.
func (l *Live) Files(ctx context.Context) iter.Seq2[pgdata.FileInfo, error] {
	if err := l.fails("Files", ""); err != nil {
		return func(yield func(pgdata.FileInfo, error) bool) { yield(pgdata.FileInfo{}, err) }
	}
	return l.dir.Files(ctx)
}

// ReadFile reads a file.
func (l *Live) ReadFile(ctx context.Context, path string) ([]byte, error) {
	if err := l.fails("ReadFile", path); err != nil {
		return nil, err
	}
	if path == pgdata.ControlFilePath {
		return l.controlFile(), nil
	}
	return l.dir.ReadFile(ctx, path)
}

// Fetch reads files. Fail is called for each.
func (l *Live) Fetch(ctx context.Context, ranges iter.Seq[source.Range], dst source.Sink) error {
	var failed error
	err := l.dir.Fetch(ctx, func(yield func(source.Range) bool) {
		for r := range ranges {
			if failed = l.fails("Fetch", r.Path); failed != nil {
				return
			}
			if r.Path == pgdata.ControlFilePath {
				b := l.controlFile()
				from := min(max(r.Offset, 0), int64(len(b)))
				if failed = dst.WriteAt(r.Path, b[from:min(from+r.Length, int64(len(b)))], r.Offset); failed != nil {
					return
				}
			} else if !yield(r) {
				return
			}
		}
	}, dst)
	return errors.Join(failed, err)
}

// HoldWAL retains WAL from the last checkpoint's redo point on.
func (l *Live) HoldWAL(context.Context) (from pgdata.LSN, release func() error, err error) {
	if err := l.fails("HoldWAL", ""); err != nil {
		return 0, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held++
	return l.control.CheckPointCopy.Redo, sync.OnceValue(func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held--
		return nil
	}), nil
}

// Held returns how many rewinds currently make it retain WAL.
func (l *Live) Held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// Slots lists the slots that MakeSlot made and that were not dropped.
func (l *Live) Slots(context.Context) ([]source.Slot, error) {
	if err := l.fails("Slots", ""); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.slots), nil
}

// MakeSlot makes a physical slot.
func (l *Live) MakeSlot(_ context.Context, name string) (pgdata.LSN, error) {
	if err := l.fails("MakeSlot", ""); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.find(name) >= 0 {
		return 0, fmt.Errorf("replication slot %q already exists", name)
	}
	l.slots = append(l.slots, source.Slot{Name: name, Physical: true})
	return l.control.CheckPointCopy.Redo, nil
}

// DropSlot removes a slot.
func (l *Live) DropSlot(_ context.Context, name string) error {
	if err := l.fails("DropSlot", ""); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.find(name)
	if i < 0 {
		return fmt.Errorf("replication slot %q does not exist", name)
	}
	l.slots = slices.Delete(l.slots, i, i+1)
	return nil
}

func (l *Live) find(name string) int {
	return slices.IndexFunc(l.slots, func(s source.Slot) bool { return s.Name == name })
}

// TryReplication lets a standby stream if it belongs to the system and its slot exists.
func (l *Live) TryReplication(_ context.Context, s source.Standby) error {
	if err := l.fails("TryReplication", ""); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case s.SystemIdentifier != l.control.SystemIdentifier:
		return &source.ReplicationError{Reason: fmt.Sprintf("its system identifier is %d, that of the standby %d", l.control.SystemIdentifier, s.SystemIdentifier)}
	case s.Slot != "" && !s.MakesSlot && l.find(s.Slot) < 0:
		return &source.ReplicationError{Reason: fmt.Sprintf("replication slot %q does not exist", s.Slot), Hint: "create it"}
	}
	return nil
}

var (
	_ source.WALHolder  = (*Live)(nil)
	_ source.SlotLister = (*Live)(nil)
	_ source.Primary    = (*Live)(nil)
)
