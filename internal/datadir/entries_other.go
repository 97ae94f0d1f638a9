//go:build !unix

package datadir

import "os"

// readEntries adds the next entries of an open directory to a batch. The error is
// io.EOF at its end. Here the type of an entry comes with its name.
func readEntries(f *os.File, batch []entry) ([]entry, error) {
	found, err := f.ReadDir(batchSize)
	for _, d := range found {
		e := entry{name: d.Name()}
		info, err := d.Info()
		if e.err = err; err == nil {
			e.mode, e.size = info.Mode(), info.Size()
		}
		batch = append(batch, e)
	}
	return batch, err
}
