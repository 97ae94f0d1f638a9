//go:build unix

package datadir

import (
	"errors"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Asking the kernel about a file takes most of the time of listing: of files that
// are not cached, it is waited for the disk. So several are asked about at once,
// if they are enough.
const (
	askers   = 8
	fewFiles = 64 // for one asker
)

// readEntries adds the next entries of an open directory to a batch. The error is
// io.EOF at its end.
func readEntries(f *os.File, batch []entry) ([]entry, error) {
	names, err := f.Readdirnames(batchSize)
	for _, name := range names {
		batch = append(batch, entry{name: name})
	}
	fd := int(f.Fd())
	share := max(fewFiles, (len(batch)+askers-1)/askers)
	var wg sync.WaitGroup
	for rest := batch; len(rest) > 0; {
		part := rest[:min(share, len(rest))]
		if rest = rest[len(part):]; len(rest) == 0 {
			ask(fd, part)
			break
		}
		wg.Go(func() { ask(fd, part) })
	}
	wg.Wait()
	return batch, err
}

// ask fills in what a directory's entries are, relative to the open directory, so
// that no path has to be walked, and none can be changed meanwhile.
func ask(dir int, entries []entry) {
	for i := range entries {
		e := &entries[i]
		var st unix.Stat_t
		for {
			if e.err = unix.Fstatat(dir, e.name, &st, unix.AT_SYMLINK_NOFOLLOW); !errors.Is(e.err, unix.EINTR) {
				break
			}
		}
		e.mode, e.size = fileMode(&st), st.Size
	}
}

// fileMode tells the types that are listed apart.
func fileMode(st *unix.Stat_t) fs.FileMode {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return 0
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFLNK:
		return fs.ModeSymlink
	}
	return fs.ModeIrregular
}
