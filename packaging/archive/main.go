// Command archive packs a directory so that the same files give the same bytes
// everywhere: sorted, with the same time, no owners, and only two modes.
//
//	archive -time SECONDS -o NAME.tar.gz|NAME.zip DIRECTORY
package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	seconds := flag.Int64("time", 0, "the time of all files, in seconds since 1970")
	out := flag.String("o", "", "the archive")
	flag.Parse()
	if flag.NArg() != 1 || *out == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := create(*out, flag.Arg(0), time.Unix(*seconds, 0).UTC()); err != nil {
		fmt.Fprintln(os.Stderr, "archive:", err)
		os.Exit(1)
	}
}

// packer adds files one after the other, with the directory's name as a prefix.
type packer interface {
	file(name string, mode fs.FileMode, content []byte) error
	io.Closer
}

func create(out, dir string, at time.Time) (err error) {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var p packer
	switch {
	case strings.HasSuffix(out, ".tar.gz"):
		p = newTarball(f, at)
	case strings.HasSuffix(out, ".zip"):
		p = &zipped{zip.NewWriter(f), at}
	default:
		return fmt.Errorf("%s: neither .tar.gz nor .zip", out)
	}
	return errors.Join(pack(p, dir), p.Close())
}

// pack adds the regular files of a directory, in the order of their names.
func pack(p packer, dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file", name)
		}
		mode := fs.FileMode(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		within, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		return p.file(path.Join(filepath.Base(dir), filepath.ToSlash(within)), mode, content)
	})
}

type tarball struct {
	gz *gzip.Writer
	*tar.Writer
	at time.Time
}

func newTarball(w io.Writer, at time.Time) *tarball {
	gz, _ := gzip.NewWriterLevel(w, gzip.BestCompression) // fails only for an invalid level
	return &tarball{gz, tar.NewWriter(gz), at}
}

func (t *tarball) file(name string, mode fs.FileMode, content []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(mode), Size: int64(len(content)), ModTime: t.at, Format: tar.FormatUSTAR}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	_, err := t.Write(content)
	return err
}

func (t *tarball) Close() error { return errors.Join(t.Writer.Close(), t.gz.Close()) }

type zipped struct {
	*zip.Writer
	at time.Time
}

func (z *zipped) file(name string, mode fs.FileMode, content []byte) error {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: z.at}
	h.SetMode(mode)
	w, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}
