package main

import (
	"errors"
	"os"
	"path/filepath"
)

// touchMemory makes the system use that much memory and give it back. The host of a
// virtual machine may reclaim memory that was free for some seconds, and the next
// program then waits for it: writing a new file took ten times as long. That
// must not be measured.
func touchMemory(dir string, bytes int64) (err error) {
	path := filepath.Join(dir, "memory")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(path)) }()
	for chunk := make([]byte, mb); bytes > 0; bytes -= mb {
		if _, err := f.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}
