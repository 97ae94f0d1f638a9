package target

import "sync"

// maxIdle is how many files stay open between two writes to them.
const maxIdle = 32

// handles keeps the files open that were written to last: pieces of a file come
// one after the other, small and many. No lock is held while a file is opened,
// written to or closed.
type handles struct {
	mu   sync.Mutex
	open map[string]*handle
	err  error // the first error of a close, which may be that of a delayed write
}

type handle struct {
	sync.Once
	file  File
	err   error
	users int
}

// use calls write with the open file; open is called where it is not open yet.
func (h *handles) use(path string, open func() (File, error), write func(File) error) error {
	h.mu.Lock()
	if h.open == nil {
		h.open = map[string]*handle{}
	}
	f := h.open[path]
	if f == nil {
		f = new(handle)
		h.open[path] = f
	}
	f.users++
	h.mu.Unlock()

	f.Do(func() { f.file, f.err = open() })
	err := f.err
	if err == nil {
		err = write(f.file)
	}
	h.closeFile(h.leave(path, f))
	return err
}

// leave ends a use, and gives a file that is to be closed where too many are open.
func (h *handles) leave(path string, f *handle) (idle *handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.users--
	if f.err != nil {
		if h.open[path] == f {
			delete(h.open, path)
		}
	} else if len(h.open) > maxIdle {
		for p, o := range h.open {
			if o.users == 0 {
				delete(h.open, p)
				return o
			}
		}
	}
	return nil
}

func (h *handles) closeFile(f *handle) {
	if f == nil || f.file == nil {
		return
	}
	if err := f.file.Close(); err != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.err == nil {
			h.err = err
		}
	}
}

// close closes all files, which nobody may use any more, and returns the first
// error that any close brought.
func (h *handles) close() error {
	h.mu.Lock()
	left := h.open
	h.open = nil
	h.mu.Unlock()
	for _, f := range left {
		h.closeFile(f)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}
