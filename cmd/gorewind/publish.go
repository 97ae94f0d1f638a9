package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/report/html"
)

// originalName is the program that gorewind replaces. Called by that
// name, it prints nothing that pg_rewind does not print, unless asked to.
const originalName = "pg_rewind"

// asOriginal reports whether the program was called as pg_rewind.
func (in *invocation) asOriginal() bool { return in.out.name == originalName }

// wantsDocument reports whether the document is printed or written as a report.
func (in *invocation) wantsDocument() bool { return in.prints() != "" || in.opts.report != "" }

// prints is the format in which the document is printed, or empty.
func (in *invocation) prints() string {
	if in.opts.format == "" && in.opts.dryRun && !in.asOriginal() {
		return formatText
	}
	return in.opts.format
}

// publish prints the document and writes the report, if they were asked for.
func (in *invocation) publish(d *report.Document) error {
	in.inWords(d)
	d.Program = "gorewind " + version()
	var err error
	switch in.prints() {
	case formatJSON:
		err = in.printJSON(d)
	case formatText:
		if d.Kind != report.Failed { // the messages already said why
			err = report.Text(in.stdout, d, in.layout(in.stdout))
		}
	}
	if in.opts.report != "" {
		err = errors.Join(err, writeFile(in.opts.report, func(w io.Writer) error { return html.Write(w, d) }))
	}
	return err
}

// checkReport checks before a rewind that its report can be written.
func (in *invocation) checkReport() error {
	if in.opts.report == "" {
		return nil
	}
	f, err := createBeside(in.opts.report)
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		return fmt.Errorf("could not create file \"%s\": %s", in.opts.report, reason(err))
	}
	return nil
}

// layout is how text is laid out on one of the outputs.
func (in *invocation) layout(w io.Writer) report.Options {
	o := report.Options{Width: report.DefaultWidth}
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		o.Width = widthOf(f)
		o.Unicode = true
		o.Color = in.env.get("NO_COLOR") == ""
	}
	return o
}

// widthOf is the width of a terminal in columns.
func widthOf(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return report.DefaultWidth
}

// writeFile writes a file that is either complete or absent. Others may read it if
// the umask allows it.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := createBeside(name)
	if err != nil {
		return fmt.Errorf("could not create file %q: %w", name, withoutPath(err))
	}
	defer func() { _ = os.Remove(f.Name()) }()
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("could not write file %q: %w", name, withoutPath(err))
	}
	return nil
}

// withoutPath leaves out the name of the unfinished file, which nobody knows.
func withoutPath(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// createBeside creates a file with a unique name in the directory of another
// one. Unlike with os.CreateTemp, others may read it.
func createBeside(name string) (*os.File, error) {
	for {
		f, err := os.OpenFile(filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+rand.Text()), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}
