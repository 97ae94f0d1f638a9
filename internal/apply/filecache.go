package apply

import "sync"

// maxIdle is how many unused files stay open.
const maxIdle = 32

// fileCache keeps the files open that were used last: a file arrives in many small
// pieces, one after the other. No lock is held while a file is opened, written to
// or closed.
type fileCache struct {
	mu   sync.Mutex
	open map[string]*cachedFile
	err  error // the first error of a close: it may be a delayed write error
}

type cachedFile struct {
	sync.Once
	file  File
	err   error
	users int
}

// use calls write with the open file. It calls open if the file is not open yet.
func (c *fileCache) use(path string, open func() (File, error), write func(File) error) error {
	c.mu.Lock()
	if c.open == nil {
		c.open = map[string]*cachedFile{}
	}
	f := c.open[path]
	if f == nil {
		f = new(cachedFile)
		c.open[path] = f
	}
	f.users++
	c.mu.Unlock()

	f.Do(func() { f.file, f.err = open() })
	err := f.err
	if err == nil {
		err = write(f.file)
	}
	c.closeFile(c.leave(path, f))
	return err
}

// leave ends a use. If too many files are open, it returns one that must be closed.
func (c *fileCache) leave(path string, f *cachedFile) (idle *cachedFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.users--
	if f.err != nil {
		if c.open[path] == f {
			delete(c.open, path)
		}
	} else if len(c.open) > maxIdle {
		for p, o := range c.open {
			if o.users == 0 {
				delete(c.open, p)
				return o
			}
		}
	}
	return nil
}

func (c *fileCache) closeFile(f *cachedFile) {
	if f == nil || f.file == nil {
		return
	}
	if err := f.file.Close(); err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.err == nil {
			c.err = err
		}
	}
}

// close closes all files and returns the first error of any close. No file may be
// in use.
func (c *fileCache) close() error {
	c.mu.Lock()
	left := c.open
	c.open = nil
	c.mu.Unlock()
	for _, f := range left {
		c.closeFile(f)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
