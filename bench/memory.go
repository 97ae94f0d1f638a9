package main

import (
	"errors"
	"os"
	"path/filepath"
)

// touchMemory has the system use so much memory and give it back. The host of a
// virtual machine may have taken away what was free for some seconds, and whoever
// comes first waits for it: writing a new file took ten times as long then. That is
// not to be measured.
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
