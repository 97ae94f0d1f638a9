package rewind

import (
	"fmt"
	"sync"

	"github.com/gorewind/gorewind/source"
)

// parts is a sink that keeps one part of each of some files in memory.
type parts struct {
	mu   sync.Mutex
	file map[string]*part
}

type part struct {
	offset int64
	data   []byte
	end    int // of what came
}

// newParts makes room for ranges, which are of different files.
func newParts(ranges []source.Range) *parts {
	p := &parts{file: make(map[string]*part, len(ranges))}
	for _, r := range ranges {
		p.file[r.Path] = &part{offset: r.Offset, data: make([]byte, r.Length)}
	}
	return p
}

// of gives what came of a range: fewer bytes where the file ends early.
func (p *parts) of(r source.Range) []byte {
	f := p.file[r.Path]
	return f.data[:f.end]
}

func (p *parts) WriteAt(path string, data []byte, offset int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.file[path]
	if f == nil || offset < f.offset || offset-f.offset > int64(len(f.data)-len(data)) {
		return fmt.Errorf("the source sent %d bytes of file %q at offset %d, which were not asked for: %w", len(data), path, offset, ErrSourceUntrusted)
	}
	if len(data) > 0 {
		f.end = max(f.end, int(offset-f.offset)+copy(f.data[offset-f.offset:], data))
	}
	return nil
}

func (p *parts) Vanished(string) error { return nil }
