//go:build unix

package datadir

import (
	"errors"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Most of the time of a listing goes into stat calls: for files that are not cached,
// they wait for the disk. So several goroutines make them, if there are enough
// files.
const (
	askers   = 8
	fewFiles = 64 // per goroutine
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

// ask stats a directory's entries relative to the open directory, so that no path must be
// resolved, and none can be changed in the meantime.
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

// fileMode is the mode, with the file types that listings distinguish.
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
