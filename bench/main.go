// Command bench compares gorewind with the genuine pg_rewind and pg_waldump on
// real servers: time, processor time and memory, side by side in one run.
//
//	go run ./bench [-scale small|full|0.1] [-major 15] [-only W1,C] [-runs 3]
//
// Every contestant's result is started as a standby of the source and compared
// with it. Without genuine programs nothing is measured and the status is 0. It
// is 1 if a contestant failed or its result is wrong or, with -strict, if a
// goal was missed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest/built"
	"github.com/gorewind/gorewind/internal/pgtest/cluster"
	"github.com/gorewind/gorewind/internal/pgtest/scratch"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/internal/pgtest/unprivileged"
	"github.com/gorewind/gorewind/pgdata"
)

// settings are the options of the command line.
type settings struct {
	scale, major, only, gorewind, json string
	runs                               int
	growth, strict                     bool
}

func main() {
	var s settings
	flag.StringVar(&s.scale, "scale", "small", "`size` of the scenarios: small, full, or a factor of small, such as 0.1")
	flag.StringVar(&s.major, "major", "15", "the `version` of PostgreSQL")
	flag.StringVar(&s.only, "only", "", "`names` of scenarios, separated by commas; all by default")
	flag.StringVar(&s.gorewind, "gorewind", "", "measure this `program` instead of one built from the sources here")
	flag.StringVar(&s.json, "json", "bench.json", "the `file` for the results; empty for none")
	flag.IntVar(&s.runs, "runs", 3, "how `often` each contestant runs")
	flag.BoolVar(&s.growth, "growth", true, "measure gorewind on smaller scenarios, too")
	flag.BoolVar(&s.strict, "strict", false, "exit with status 1 if a goal was missed")
	flag.Parse()
	if _, err := s.size(scenarios[0]); err != nil || flag.NArg() > 0 || s.runs < 1 || pgdata.VersionByName(s.major) == nil {
		flag.Usage()
		os.Exit(2)
	}
	_ = os.Setenv("GOREWIND_TEST_MAJORS", s.major) // other majors need not be downloaded
	chores := unprivileged.Chores{Genuine: true}
	if s.json != "" {
		chores.Outputs = map[string]string{"json": s.json}
	}
	code, done, err := unprivileged.ProgramWith(chores)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: cannot run as an unprivileged user:", err)
		os.Exit(1)
	}
	if !done {
		scratch.CleanUpOnSignal()
		code = s.bench()
		scratch.CleanUp()
	}
	os.Exit(code)
}

// bench measures all scenarios, and returns the exit status.
func (s *settings) bench() int {
	in, err := genuine(s.major)
	if err != nil {
		fmt.Printf("bench: nothing is measured: %v\n", err)
		return 0
	}
	tools := tools{in: in, gorewind: s.gorewind}
	if tools.gorewind == "" {
		if tools.gorewind, err = built.TryGorewind(); err != nil {
			fmt.Fprintln(os.Stderr, "bench: cannot build gorewind:", err)
			return 1
		}
	}
	report := newReport(in, s)
	report.header(os.Stdout)
	failed, begun := false, time.Now()
	for _, sc := range scenarios {
		if s.only != "" && !slices.Contains(strings.Split(s.only, ","), sc.name) {
			continue
		}
		size, _ := s.size(sc)
		fmt.Fprintf(os.Stderr, "bench: %4.0f s: %s: %s\n", time.Since(begun).Seconds(), sc.name, sc.describe(size))
		err := scoped(sc.name, func(t *scope) {
			p := sc.build(t, in, size)
			report.add(t, sc, size, newContest(t, tools, p).run(sc.contestants(p), s.runs))
		})
		for _, part := range []int64{16, 4, 2} {
			if err != nil || !s.growth || sc.grows == "" {
				break
			}
			err = scoped(sc.name, func(t *scope) {
				p := sc.build(t, in, size/part)
				report.addPoint(sc, size/part, newContest(t, tools, p).alone(sc, s.runs))
			})
		}
		report.print(os.Stdout, sc)
		if err = errors.Join(err, report.write(s.json)); err != nil {
			failed = true
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", sc.name, err)
		}
	}
	fmt.Printf("\n%d of %d goals missed\n", report.missed(), len(report.Goals))
	if failed || s.strict && report.missed() > 0 {
		return 1
	}
	return 0
}

// genuine finds an installation with all the programs of a release.
func genuine(major string) (*cluster.Installation, error) {
	found, missing := servers.Genuine(context.Background())
	if len(found) > 0 {
		return found[0], nil
	}
	reason := missing[major]
	if reason == nil {
		reason = errors.New("they cannot be downloaded; name their directory in GOREWIND_TEST_BINDIRS")
	}
	return nil, fmt.Errorf("there are no genuine programs of PostgreSQL %s: %w", major, reason)
}

// size is the size of a scenario, in its unit.
func (s *settings) size(sc *scenario) (int64, error) {
	switch s.scale {
	case "small", "":
		return sc.small, nil
	case "full":
		return sc.full, nil
	}
	factor, err := strconv.ParseFloat(s.scale, 64)
	if err == nil && (factor <= 0 || factor > 1000) {
		err = strconv.ErrRange
	}
	return max(4, int64(factor*float64(sc.small))), err
}
