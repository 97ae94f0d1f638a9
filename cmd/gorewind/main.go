// Command gorewind rewinds a diverged PostgreSQL data directory so that it can
// follow the server that took over, like pg_rewind, but for all major versions.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gorewind/gorewind/internal/sanitize"
)

// Exit statuses.
const (
	exitDone       = 0 // done, or nothing to do
	exitFailed     = 1 // failed, the target is untouched
	exitUsage      = 2
	exitBaseBackup = 3 // failed, and only a resync or a base backup can help; this run did not change the target
	exitUnfinished = 4 // interrupted after the point of no return: run again
)

func main() { os.Exit(program(os.Args)) }

// program is run for this process.
func program(args []string) int {
	asked, insisted := signals()
	return run(asked, insisted, args, os.LookupEnv, os.Stdout, os.Stderr)
}

// signals returns two contexts: one ends with the first signal that asks to
// stop, the other with the second. A third signal kills the process.
func signals() (asked, insisted context.Context) {
	asked, ask := context.WithCancel(context.Background())
	insisted, insist := context.WithCancel(context.Background())
	came := make(chan os.Signal, 2)
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(sig) { // ignored under nohup, and in the background of a shell
			signal.Notify(came, sig)
		}
	}
	go func() {
		<-came
		ask()
		<-came
		insist()
		signal.Stop(came)
	}()
	return asked, insisted
}

// ignoreBrokenPipe keeps the program running when nobody reads its messages any more: a
// failing write no longer kills it.
func ignoreBrokenPipe() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// environment looks variables up, as os.LookupEnv does.
type environment func(name string) (value string, ok bool)

func (env environment) get(name string) string {
	value, _ := env(name)
	return value
}

// invocation is one run of a command.
type invocation struct {
	ctx     context.Context // ends at the first request to stop
	insist  context.Context // ends at the second
	env     environment
	command *command
	opts    *options
	path    string // the program, as it was called
	out     *messages
	log     *slog.Logger // to out
	stdout  io.Writer
}

// run is the program, independent of its process. The first context ends at the first
// request to stop, the other one at the second.
func run(ctx, insist context.Context, args []string, env environment, stdout, stderr io.Writer) int {
	name := programName(args)
	out := &messages{name: name, w: stderr, colors: colorsFor(stderr, env)}
	in := &invocation{ctx: ctx, insist: insist, env: env, command: commands[0], path: name, stdout: stdout, out: out, log: slog.New(out)}
	if len(args) > 0 {
		in.path, args = cmp.Or(args[0], name), args[1:]
	}
	if len(args) > 0 {
		for _, c := range commands[1:] {
			if args[0] == c.name {
				in.command, args = c, args[1:]
				break
			}
		}
	}
	err := in.checkCommand(args)
	if err == nil {
		in.opts, err = in.command.parse(args, env)
	}
	switch {
	case err != nil:
		return in.misused(err)
	case in.opts.help:
		fmt.Fprint(stdout, in.command.help(name))
		return exitDone
	case in.opts.version:
		fmt.Fprintln(stdout, versionLine(name))
		return exitDone
	}
	in.out.words = in.words()
	if in.opts.debug {
		in.out.level = slog.LevelDebug
	}
	switch in.opts.logFormat {
	case formatJSON:
		in.out.asJSON()
	case formatTextTime:
		in.out.stamps = time.Now
	}
	return in.command.run(in)
}

// misused reports a mistake in the command line.
func (in *invocation) misused(err error) int {
	var usage *usageError
	switch {
	case !errors.As(err, &usage):
		in.out.error(err.Error())
	case usage.noHint:
		in.out.error(err.Error())
		return exitUsage
	case !usage.getopt:
		in.out.error(err.Error())
	default:
		// In pg_rewind the C library reports this, without a level and with the path
		// by which the program was called.
		fmt.Fprintf(in.out.w, "%s: %s\n", sanitize.Text(in.path, sanitize.MaxMessage), sanitize.Text(err.Error(), sanitize.MaxMessage))
	}
	in.out.tryHelp(in.command)
	return exitUsage
}

// refuseRoot ensures that the files which this run creates belong to the
// server's user.
func (in *invocation) refuseRoot() bool {
	if os.Geteuid() != 0 {
		return false
	}
	in.out.error(`cannot be executed by "root"`)
	in.out.hint(fmt.Sprintf("You must run %s as the PostgreSQL superuser.", in.out.name))
	return true
}

// programName is what messages begin with: the name by which the program was called.
func programName(args []string) string {
	if len(args) == 0 || args[0] == "" {
		return "gorewind"
	}
	return strings.TrimSuffix(filepath.Base(args[0]), ".exe")
}
