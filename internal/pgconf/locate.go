package pgconf

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gorewind/gorewind/internal/regular"
	"github.com/gorewind/gorewind/pgdata"
)

// debian is where Debian and its derivatives keep the configuration of a cluster, in a
// directory for its major and within that in one with the cluster's name.
const debian = "/etc/postgresql"

// Locate finds the configuration file of a server whose data directory has none: the
// one that it was last started with, according to postmaster.opts, or the one in
// Debian's location that names the directory. It returns an empty string if there is none,
// or if the directory has its own.
func Locate(dataDir string, v *pgdata.Version) string { return locateIn(debian, dataDir, v) }

func locateIn(etc, dataDir string, v *pgdata.Version) string {
	if _, err := os.Lstat(filepath.Join(dataDir, MainFile)); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if file := startedWith(dataDir); file != "" {
		return file
	}
	found, err := filepath.Glob(filepath.Join(etc, v.Name, "*", MainFile))
	if err != nil { // the name makes an invalid pattern
		return ""
	}
	for _, file := range found {
		conf, err := Load(Options{DataDir: dataDir, ConfigFile: file, Version: v})
		if err != nil {
			continue // it may be another cluster's
		}
		if dir, set := conf.Lookup("data_directory"); set && sameDir(dir, dataDir) {
			return file
		}
	}
	return ""
}

// startedWith is the configuration file that postmaster.opts names, if it exists.
func startedWith(dataDir string) string {
	f, err := regular.Open(filepath.Join(dataDir, optsFile))
	if err != nil {
		return ""
	}
	defer f.Close()
	opts := make([]byte, maxOpts)
	n, _ := f.Read(opts) // an unreadable file counts as empty
	file := commandLine(opts[:n])["config_file"]
	if !filepath.IsAbs(file) {
		return ""
	}
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return file
}

// maxOpts is more bytes than a command line has.
const maxOpts = 1 << 20

func sameDir(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
