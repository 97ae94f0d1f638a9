package rewind

import (
	"fmt"
	"sync"

	"github.com/gorewind/gorewind/source"
)

// parts is a sink that keeps one part of each of several files in memory.
type parts struct {
	file map[string]*part
	all  []part
	buf  []byte // buffer for all parts; reused
}

type part struct {
	mu     sync.Mutex
	offset int64
	data   []byte
	end    int // end of the bytes received
}

// reset discards everything and makes room for ranges, each of a different file.
func (p *parts) reset(ranges []source.Range) {
	size := 0
	for _, r := range ranges {
		size += int(r.Length)
	}
	if cap(p.buf) < size {
		p.buf = make([]byte, size)
	}
	if cap(p.all) < len(ranges) {
		p.all, p.file = make([]part, len(ranges)), make(map[string]*part, len(ranges))
	}
	p.all = p.all[:len(ranges)]
	clear(p.all)
	clear(p.file)
	buf := p.buf[:size]
	for i, r := range ranges {
		f := &p.all[i]
		f.offset, f.data, buf = r.Offset, buf[:r.Length], buf[r.Length:]
		p.file[r.Path] = f
	}
}

// of returns the bytes received for a range, which are fewer if the file ends early.
func (p *parts) of(r source.Range) []byte {
	f := p.file[r.Path]
	return f.data[:f.end]
}

func (p *parts) WriteAt(path string, data []byte, offset int64) error {
	f := p.file[path]
	if f == nil || offset < f.offset || offset-f.offset > int64(len(f.data)-len(data)) {
		return fmt.Errorf("the source sent %d bytes of file %q at offset %d, which were not asked for: %w", len(data), path, offset, ErrSourceUntrusted)
	}
	if len(data) > 0 {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.end = max(f.end, int(offset-f.offset)+copy(f.data[offset-f.offset:], data))
	}
	return nil
}

func (p *parts) Vanished(string) error { return nil }
