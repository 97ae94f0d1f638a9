package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gorewind/gorewind/pgdata"
)

// Installation is an installed PostgreSQL server.
type Installation struct {
	Version *pgdata.Version
	Full    string // as the server reports it: "9.6.24", "17.5", "19rc1"
	BinDir  string
	Genuine bool // has all the programs of a PostgreSQL release
}

// Program is the path of one of the installation's programs, such as
// "pg_rewind"; ok is false if the installation lacks it.
func (in *Installation) Program(name string) (path string, ok bool) {
	path = filepath.Join(in.BinDir, name)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	info, err := os.Stat(path)
	return path, err == nil && info.Mode().IsRegular()
}

// String is the installation's version, and whether it is a genuine one.
func (in *Installation) String() string {
	if in.Genuine {
		return in.Full + "-genuine"
	}
	return in.Full
}

// Inspect describes the server in a bin directory. It fails for directories
// without a working server, and for majors that gorewind does not support.
func Inspect(bindir string) (*Installation, error) {
	abs, err := filepath.Abs(bindir)
	if err != nil {
		return nil, err
	}
	in := &Installation{BinDir: abs}
	for _, name := range []string{"postgres", "initdb", "pg_ctl"} {
		if path, ok := in.Program(name); !ok {
			return nil, fmt.Errorf("%s does not exist", path)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	postgres, _ := in.Program("postgres")
	out, err := exec.CommandContext(ctx, postgres, "-V").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s does not run: %w: %s", postgres, err, strings.TrimSpace(string(out)))
	}
	_, rest, found := strings.Cut(string(out), "(PostgreSQL) ")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return nil, fmt.Errorf("%s -V says %q", postgres, out)
	}
	in.Full = fields[0]
	for _, v := range pgdata.Versions() {
		if rest, ok := strings.CutPrefix(in.Full, v.Name); ok && (rest == "" || !isDigit(rest[0])) {
			in.Version = v
		}
	}
	if in.Version == nil {
		return nil, fmt.Errorf("PostgreSQL %s in %s is of an unknown major", in.Full, abs)
	}
	_, in.Genuine = in.Program("pg_rewind")
	return in, nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
