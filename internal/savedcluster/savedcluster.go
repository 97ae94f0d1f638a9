// Package savedcluster keeps real clusters small enough for the repository, so that
// tests need no server. Of a data directory it stores which entries there are,
// and the bytes of only those files that matter to a rewind's decisions: control
// file, timeline histories, some of the WAL. [Restore] makes a data directory of
// that again, in which all other files have their size and read as zeros.
package savedcluster

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ListingName is the file that lists the entries of a data directory, a line
// each: "d" and the path of a directory, or "f", the size in bytes, and the path
// of a file. Paths are quoted as in Go.
const ListingName = "files.txt"

// packed ends the names of files that are stored compressed.
const packed = ".gz"

// Keep says what is stored of a file.
type Keep struct {
	Bytes      int64 // so many of its first ones, if there are as many
	Compressed bool
	Change     func([]byte) // changes what is stored, if it is not nil
}

// Save stores the data directory from in the new directory to: the listing, and of
// every file what keep says, which is given the path with slashes.
func Save(from, to string, keep func(path string) Keep) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	var listing bytes.Buffer
	err := filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == from {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case entry.IsDir():
			fmt.Fprintf(&listing, "d %q\n", rel)
			return nil
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is neither a directory nor a regular file: a fixture cannot hold it", name)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&listing, "f %d %q\n", info.Size(), rel)
		if k := keep(rel); k.Bytes > 0 {
			return store(name, filepath.Join(to, filepath.FromSlash(rel)), k)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, ListingName), listing.Bytes(), 0o644)
}

func store(from, to string, k Keep) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	data = data[:min(k.Bytes, int64(len(data)))]
	if k.Change != nil {
		k.Change(data)
	}
	if k.Compressed {
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := z.Write(data); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		data, to = b.Bytes(), to+packed
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// Restore makes the data directory to, which must not exist, of what Save stored
// in from.
func Restore(from, to string) error { return restore(from, to, true) }

// RestoreStored is Restore without the files of which nothing is stored.
func RestoreStored(from, to string) error { return restore(from, to, false) }

func restore(from, to string, all bool) error {
	listing, err := os.Open(filepath.Join(from, ListingName))
	if err != nil {
		return err
	}
	defer func() { _ = listing.Close() }()
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	lines := bufio.NewScanner(listing)
	for lines.Scan() {
		if err := restoreEntry(from, to, lines.Text(), all); err != nil {
			return fmt.Errorf("%s: line %q: %w", listing.Name(), lines.Text(), err)
		}
	}
	return lines.Err()
}

func restoreEntry(from, to, line string, all bool) error {
	kind, rest, _ := strings.Cut(line, " ")
	size := int64(0)
	if kind == "f" {
		digits, quoted, _ := strings.Cut(rest, " ")
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return err
		}
		size, rest = n, quoted
	}
	path, err := strconv.Unquote(rest)
	if err != nil {
		return err
	}
	path = filepath.FromSlash(path)
	switch kind {
	case "d":
		return os.Mkdir(filepath.Join(to, path), 0o700)
	case "f":
		in, err := openStored(filepath.Join(from, path))
		if errors.Is(err, fs.ErrNotExist) {
			if !all {
				return nil
			}
			in, err = io.NopCloser(strings.NewReader("")), nil
		}
		if err != nil {
			return err
		}
		defer func() { _ = in.Close() }()
		return restoreFile(in, filepath.Join(to, path), size)
	}
	return errors.New("the entry is neither of a directory nor of a file")
}

// openStored opens a file that Save stored, compressed or not.
func openStored(name string) (io.ReadCloser, error) {
	file, err := os.Open(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	data, err := os.ReadFile(name + packed)
	if err != nil {
		return nil, err
	}
	return gzip.NewReader(bytes.NewReader(data))
}

var zeros [64 << 10]byte

// restoreFile writes what is not zero, so that file systems that can leave the
// rest out.
func restoreFile(in io.Reader, name string, size int64) (err error) {
	out, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := out.Truncate(size); err != nil {
		return err
	}
	var buf [len(zeros)]byte
	for at := int64(0); ; {
		n, err := io.ReadFull(in, buf[:])
		if !bytes.Equal(buf[:n], zeros[:n]) {
			if _, err := out.WriteAt(buf[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		switch {
		case at > size:
			return fmt.Errorf("%d bytes or more are stored, %d are listed", at, size)
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return nil
		case err != nil:
			return err
		}
	}
}
