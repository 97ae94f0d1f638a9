package export

import (
	"bufio"
	"container/list"
	"context"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"

	"github.com/gorewind/gorewind/lost/rows"
)

// maxOpen is how many files are open at a time; one that is needed again is opened
// again.
const maxOpen = 64

// writer writes the files.
type writer struct {
	o       Options
	files   map[*rows.Table]*file
	bySQL   map[string]*file // by database, for SQL
	used    map[string]bool  // paths, as a file system sees them that takes a for A
	dirs    map[string]string
	open    list.List // of *file, used last first
	written map[*rows.Table]int64

	batch       batch // of changes that are to be compared
	notCompared map[*rows.Table]string
	verdicts    map[string]int64
}

// file is one that is written.
type file struct {
	path    string
	f       *os.File
	w       *bufio.Writer
	element *list.Element
	begun   bool
}

func newWriter(o Options) *writer {
	return &writer{
		o: o, files: map[*rows.Table]*file{}, bySQL: map[string]*file{}, used: map[string]bool{}, dirs: map[string]string{},
		written: map[*rows.Table]int64{}, notCompared: map[*rows.Table]string{}, verdicts: map[string]int64{},
	}
}

func (w *writer) write(ctx context.Context, changes iter.Seq2[*rows.Change, error]) error {
	for c, err := range changes {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if w.o.Limit > 0 && w.written[c.Table] >= w.o.Limit {
			continue
		}
		w.written[c.Table]++
		if w.o.Lookup == nil {
			if err := w.change(c, nil); err != nil {
				return fmt.Errorf("could not write lost rows: %w", err)
			}
			continue
		}
		if w.batch.add(c) {
			if err := w.writeBatch(ctx); err != nil {
				return err
			}
		}
	}
	return w.writeBatch(ctx)
}

// writeBatch compares the changes that wait for it, and writes them.
func (w *writer) writeBatch(ctx context.Context) error {
	if len(w.batch.changes) == 0 {
		return nil
	}
	if err := w.compare(ctx, &w.batch); err != nil {
		return err
	}
	for i := range w.batch.changes {
		c := &w.batch.changes[i]
		w.verdicts[c.verdict.what]++
		if err := w.change(&c.Change, &c.verdict); err != nil {
			return fmt.Errorf("could not write lost rows: %w", err)
		}
	}
	clear(w.batch.changes)
	w.batch.changes, w.batch.size = w.batch.changes[:0], 0
	return nil
}

// change writes one, with what the server that took over says of it, if that was asked.
func (w *writer) change(c *rows.Change, v *verdict) error {
	f, err := w.file(c.Table)
	if err != nil {
		return err
	}
	switch w.o.Format {
	case JSONL:
		return writeJSON(f.w, c, v)
	case SQL:
		if !f.begun {
			writeSQLHeader(f.w, w.o.About, c.Table.Database)
		}
		f.begun = true
		writeSQL(f.w, c, v)
		return nil
	}
	if !f.begun {
		writeCSVHeader(f.w, c.Table, v != nil)
	}
	f.begun = true
	writeCSV(f.w, c, v)
	return nil
}

// file is the one of a table, open.
func (w *writer) file(t *rows.Table) (*file, error) {
	f := w.files[t]
	if f == nil {
		name := t.Schema + "." + t.Name
		if w.o.Format == SQL {
			if f = w.bySQL[t.Database]; f == nil {
				f = &file{}
				w.bySQL[t.Database] = f
			}
			name = "lost"
		}
		if f.emptyPath() {
			f = w.give(f, t.Database, name)
		}
		w.files[t] = f
	}
	if f.f != nil {
		w.open.MoveToFront(f.element)
		return f, nil
	}
	if w.open.Len() >= maxOpen {
		if err := w.closeFile(w.open.Back().Value.(*file)); err != nil {
			return nil, err
		}
	}
	if err := w.o.Dir.MkdirAll(path.Dir(f.path), 0o700); err != nil {
		return nil, err
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if !f.begun {
		flags |= os.O_EXCL
	}
	var err error
	if f.f, err = w.o.Dir.OpenFile(f.path, flags, 0o600); err != nil {
		return nil, err
	}
	if f.w == nil {
		f.w = bufio.NewWriterSize(f.f, 32<<10)
	} else {
		f.w.Reset(f.f)
	}
	f.element = w.open.PushFront(f)
	return f, nil
}

func (f *file) emptyPath() bool { return f == nil || f.path == "" }

// give names a file that no other one is named as.
func (w *writer) give(f *file, database, name string) *file {
	if f == nil {
		f = &file{}
	}
	dir, known := w.dirs[database]
	if !known {
		dir = w.unused("", fileName(database), "")
		w.dirs[database] = dir
	}
	f.path = w.unused(dir+"/", fileName(name), "."+string(w.o.Format))
	return f
}

func (w *writer) unused(dir, name, suffix string) string {
	p := dir + name + suffix
	for n := 2; w.used[strings.ToLower(p)]; n++ {
		p = fmt.Sprintf("%s%s~%d%s", dir, name, n, suffix)
	}
	w.used[strings.ToLower(p)] = true
	return p
}

// maxName is less than file systems have room for.
const maxName = 150

// fileName makes a name for files of one of a table: letters, digits, and what is
// harmless stay, all else is written as in URLs.
func fileName(s string) string {
	var b strings.Builder
	for i, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
		if b.Len() > maxName {
			return b.String() + "~"
		}
	}
	if b.Len() == 0 {
		return "%"
	}
	return b.String()
}

func (w *writer) closeFile(f *file) error {
	w.open.Remove(f.element)
	err := f.w.Flush()
	if err == nil && w.o.Sync {
		err = f.f.Sync()
	}
	if closing := f.f.Close(); err == nil {
		err = closing
	}
	f.f, f.element = nil, nil
	return err
}

func (w *writer) close() (err error) {
	for _, f := range w.bySQL {
		if !f.begun {
			continue
		}
		if f.f == nil {
			if f.f, err = w.o.Dir.OpenFile(f.path, os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
				return err
			}
			f.w.Reset(f.f)
			f.element = w.open.PushFront(f)
		}
		writeSQLEnd(f.w)
	}
	for w.open.Len() > 0 {
		if e := w.closeFile(w.open.Front().Value.(*file)); err == nil {
			err = e
		}
	}
	return err
}

// finish writes what is beside the rows.
func (w *writer) finish(s *Summary) error {
	text, err := s.encode()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"summary.json": text, "README.txt": []byte(readme(w.o.Format))} {
		if err := w.o.Dir.WriteFile(name, content, 0o600); err != nil {
			return err
		}
	}
	if !w.o.Sync {
		return nil
	}
	return fs.WalkDir(w.o.Dir.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		f, err := w.o.Dir.Open(p)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		return f.Sync()
	})
}
