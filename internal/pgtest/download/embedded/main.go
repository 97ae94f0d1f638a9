// Command embedded downloads a PostgreSQL build: embedded VERSION DIRECTORY. Its bin,
// lib and share are then in DIRECTORY/tree. It is a separate module so
// that importers of gorewind do not get its dependencies.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: embedded VERSION DIRECTORY")
		os.Exit(2)
	}
	if err := fetch(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// fetch downloads a build and unpacks it. The library does so only when it
// starts a server. To stop it before that, its runtime directory, which is the next thing
// that it creates, is placed below a regular file of the build, which fails.
func fetch(version, dir string) error {
	tree := filepath.Join(dir, "tree")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		return err
	}
	file := "postgres"
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	err := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(embeddedpostgres.PostgresVersion(version)).
		Port(0).
		CachePath(filepath.Join(dir, "archive")).
		BinariesPath(tree).
		RuntimePath(filepath.Join(tree, "bin", file, "not-started")).
		DataPath(filepath.Join(dir, "data")).
		Logger(io.Discard)).Start()
	switch {
	case err == nil:
		return errors.New("the download started a server")
	case !strings.HasPrefix(err.Error(), "unable to create runtime directory"):
		return err
	}
	return nil
}
