package rewind

import (
	"fmt"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/pgconf"
)

// configuration is the server's main configuration file.
const configuration = "postgresql.conf"

// warn tells what the rewind leaves to others.
func (r *Rewind) warn(format string, args ...any) {
	r.plan.Warnings = append(r.plan.Warnings, fmt.Sprintf(format, args...))
}

// checkSettings warns about settings with which the rewound server would refuse to
// be a standby. The source's configuration comes with its files, unless the target
// keeps its own.
func (r *Rewind) checkSettings(b *filemap.Builder) {
	if _, comes := b.Source(configuration); comes && r.opts.ConfigFile == "" { // what is kept is not listed
		return
	}
	conf, err := pgconf.Load(pgconf.Options{DataDir: r.target.Name(), ConfigFile: r.opts.ConfigFile, Version: r.plan.Version})
	if err != nil { // it may lie where only whoever starts the server knows
		return
	}
	for _, s := range conf.Shortfalls(r.sourceControl.StandbySettings()) {
		r.warn("the target keeps its configuration, with which it would not start as a standby: %s", s)
	}
	r.lasting = r.plan.Warnings
}
