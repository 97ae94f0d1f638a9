package pgconf

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gorewind/gorewind/internal/regular"
	"github.com/gorewind/gorewind/pgdata"
)

// debian is where Debian and its relatives have the configuration of a cluster, in a
// directory for its major and in there one with the cluster's name.
const debian = "/etc/postgresql"

// Locate finds the configuration file of a server whose data directory has none: the
// one that it was started with last, which postmaster.opts says, or the one in the
// place of Debian's that names the directory. It gives nothing where there is none,
// or where the directory has its own.
func Locate(dataDir string, v *pgdata.Version) string { return locateIn(debian, dataDir, v) }

func locateIn(etc, dataDir string, v *pgdata.Version) string {
	if _, err := os.Lstat(filepath.Join(dataDir, MainFile)); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if file := startedWith(dataDir); file != "" {
		return file
	}
	found, err := filepath.Glob(filepath.Join(etc, v.Name, "*", MainFile))
	if err != nil { // a pattern that is none
		return ""
	}
	for _, file := range found {
		conf, err := Load(Options{DataDir: dataDir, ConfigFile: file, Version: v})
		if err != nil {
			continue // another cluster's, perhaps
		}
		if dir, set := conf.Lookup("data_directory"); set && sameDir(dir, dataDir) {
			return file
		}
	}
	return ""
}

// startedWith is the configuration file that postmaster.opts says, if it is there.
func startedWith(dataDir string) string {
	f, err := regular.Open(filepath.Join(dataDir, optsFile))
	if err != nil {
		return ""
	}
	defer f.Close()
	opts := make([]byte, maxOpts)
	n, _ := f.Read(opts) // of what cannot be read nothing is known
	file := commandLine(opts[:n])["config_file"]
	if !filepath.IsAbs(file) {
		return ""
	}
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return file
}

// maxOpts is more than a command line has.
const maxOpts = 1 << 20

func sameDir(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
