package main

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/spf13/pflag"
)

// options is the command line.
type options struct {
	target, sourceDir, sourceServer string
	dryRun, progress, noSync, debug bool
	help, version                   bool
}

func flags() (*pflag.FlagSet, *options) {
	o := new(options)
	f := pflag.NewFlagSet("gorewind", pflag.ContinueOnError)
	f.SortFlags = false
	f.StringVarP(&o.target, "target-pgdata", "D", "", "existing data `DIRECTORY` to modify")
	f.StringVar(&o.sourceDir, "source-pgdata", "", "source data `DIRECTORY` to synchronize with")
	f.StringVar(&o.sourceServer, "source-server", "", "source server to synchronize with (`CONNSTR`)")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "stop before modifying anything")
	f.BoolVarP(&o.noSync, "no-sync", "N", false, "do not wait for changes to be written safely to disk")
	f.BoolVarP(&o.progress, "progress", "P", false, "write progress messages")
	f.BoolVar(&o.debug, "debug", false, "write a lot of debug messages")
	f.BoolVarP(&o.version, "version", "V", false, "output version information, then exit")
	f.BoolVarP(&o.help, "help", "?", false, "show this help, then exit")
	return f, o
}

// parse reads the command line and makes pg_rewind's checks in its order.
func parse(args []string) (*options, error) {
	f, o := flags()
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case o.help || o.version:
		return o, nil
	case o.sourceDir == "" && o.sourceServer == "":
		return nil, errors.New("no source specified (--source-pgdata or --source-server)")
	case o.sourceDir != "" && o.sourceServer != "":
		return nil, errors.New("only one of --source-pgdata or --source-server can be specified")
	case o.target == "":
		return nil, errors.New("no target data directory specified (--target-pgdata)")
	case f.NArg() > 0:
		return nil, fmt.Errorf("too many command-line arguments (first is %q)", f.Arg(0))
	}
	return o, nil
}

func help(name string) string {
	f, _ := flags()
	return fmt.Sprintf(`%[1]s resynchronizes a PostgreSQL cluster with another copy of the cluster.

Usage:
  %[1]s [OPTION]... --target-pgdata=DIRECTORY --source-server=CONNSTR
  %[1]s [OPTION]... --target-pgdata=DIRECTORY --source-pgdata=DIRECTORY

Options:
%[2]s
The target's server must be shut down cleanly. A source server needs no preparation; a source
data directory is that of a server that was shut down cleanly.

Exit status: 0 done or not required; 1 failed, the target is untouched; 2 wrong command line;
3 a base backup is needed, the target is untouched; 4 interrupted while the target was being
changed: run the same command again.
`, name, f.FlagUsagesWrapped(95))
}

// version is that of the module: a release, or what the build knows of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
