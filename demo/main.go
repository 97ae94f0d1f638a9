// Command demo shows what gorewind is for, on real servers: a primary and its
// standby diverge, the old primary crashes, and gorewind makes it a standby
// of the new one while that is under load.
//
//	go run ./demo [-major 17] [-v]
//
// It needs Go and, the first time, a network from which to download PostgreSQL. The exit
// status is 0 only if both servers agree at the end. Only the download is left
// behind.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest/unprivileged"
	"github.com/gorewind/gorewind/pgdata"
)

func main() {
	major := flag.String("major", "18", "the `version` of PostgreSQL: "+majors())
	verbose := flag.Bool("v", false, "if something fails, show the end of the servers' logs")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: go run ./demo [-major 17] [-v]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 || pgdata.VersionByName(*major) == nil {
		flag.Usage()
		os.Exit(2)
	}
	if os.Geteuid() == 0 {
		fmt.Println("PostgreSQL refuses to run as root, so this runs as an unprivileged user.")
	}
	code, done, err := unprivileged.Program()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo: cannot run as an unprivileged user:", err)
		os.Exit(1)
	}
	if done {
		os.Exit(code)
	}

	signal.Ignore(syscall.SIGPIPE) // clean up even if nobody reads the output any more
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	n := newNarrator(ctx, os.Stdout, *verbose)
	n.cleanUpWhenInterrupted()
	s := prepare(ctx, n, *major)
	began := time.Now()
	agree := s.tell()
	n.finish()
	n.closing(agree, time.Since(began), s.downloads)
	if !agree {
		os.Exit(1)
	}
}

func majors() string {
	var names []string
	for _, v := range pgdata.Versions() {
		names = append(names, v.Name)
	}
	return strings.Join(names, ", ")
}
