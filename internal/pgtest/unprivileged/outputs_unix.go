//go:build unix

package unprivileged

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
)

// outputFlags are the flags of test programs that name a file or directory to
// write.
var outputFlags = map[string]bool{
	"test.coverprofile": true, "test.gocoverdir": true, "test.cpuprofile": true, "test.memprofile": true,
	"test.blockprofile": true, "test.mutexprofile": true, "test.trace": true,
}

// testArgs changes the arguments of a test program so that it writes to a permitted
// place. What it writes is copied back afterwards. The log with which go caches
// results is dropped: root's results are not cached.
func testArgs(w *rootWork, args []string) ([]string, error) {
	outputDir := ""
	if f := flag.Lookup("test.outputdir"); f != nil {
		outputDir = f.Value.String()
	}
	var adjusted []string
	for i, arg := range args {
		name, value, ok := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case arg == "--" || !strings.HasPrefix(arg, "-"):
			return append(adjusted, args[i:]...), nil // the test's own arguments
		case !ok || value == "":
		case name == "test.testlogfile" || name == "test.outputdir":
			continue
		case outputFlags[name]:
			mine := filepath.Join(w.dir, "out", name)
			if name == "test.gocoverdir" {
				if err := w.mkdir(mine); err != nil {
					return nil, err
				}
			} else if outputDir != "" && !filepath.IsAbs(value) {
				value = filepath.Join(outputDir, value)
			}
			w.copyBack = append(w.copyBack, [2]string{mine, value})
			arg = "-" + name + "=" + mine
		}
		adjusted = append(adjusted, arg)
	}
	return adjusted, nil
}

func (w *rootWork) fetchOutputs() {
	for _, c := range w.copyBack {
		from, to := c[0], c[1]
		info, err := os.Lstat(from)
		if err != nil {
			continue // not written
		}
		if !info.IsDir() {
			err = replaceFile(from, to)
		} else {
			var files []os.DirEntry
			files, err = os.ReadDir(from)
			for _, f := range files {
				err = errors.Join(err, replaceFile(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())))
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
		}
	}
}

func replaceFile(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return dirtree.CopyFile(from, to, info)
}
