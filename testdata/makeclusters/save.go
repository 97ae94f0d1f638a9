package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
	"github.com/gorewind/gorewind/internal/pgtest/download"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

const (
	whole = 1 << 40
	// staleWAL is how much is kept of what a recycled segment holds behind the end
	// of WAL, in bytes.
	staleWAL = 32 << 10
)

// save writes a fixture and, where there are genuine programs of the major, what
// those say of it; with the files that lost rows are read from, and these rows, where
// that is asked for.
func save(m *maker, target, src *cluster.Cluster, dir string, withRows bool) {
	plan := prepare(m, target, src)
	if !plan.Required {
		m.Fatalf("no rewind is required: %s", plan.Reason)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		m.Fatalf("%v", err)
	}
	v, geo := plan.Version, plan.Target.Control.Geometry
	for _, side := range []struct {
		name     string
		from     *cluster.Cluster
		timeline pgdata.TimelineID // the oldest whose WAL is kept
		begin    pgdata.LSN
		end      pgdata.LSN
	}{
		{"target", target, 1, plan.Checkpoint.Redo, plan.Target.EndOfWAL},
		// Where only the end of the source's WAL matters.
		{"source", src, plan.Source.Timeline, plan.Source.Control.CheckPoint, plan.Source.Control.CheckPoint + 1},
	} {
		withRows := withRows && side.name == "target"
		err := savedcluster.Save(side.from.Dir, filepath.Join(dir, side.name), func(p string) (keep savedcluster.Keep) {
			if isRelation, has := hasRows(p); has && withRows {
				keep = savedcluster.Keep{Bytes: whole, Compressed: true}
				if isRelation {
					keep.Change = withoutHoles
				}
				return keep
			}
			name, inWAL := v.InWALDir(p)
			tli, s, isSegment := geo.ParseWALFileName(name)
			switch {
			case p == pgdata.ControlFilePath, p == pgdata.VersionPath, inWAL && path.Ext(name) == ".history":
				return savedcluster.Keep{Bytes: whole}
			case !inWAL || !isSegment || tli < side.timeline || s < geo.SegNo(side.begin):
				return savedcluster.Keep{}
			}
			return savedcluster.Keep{Bytes: int64(side.end) + staleWAL - int64(geo.SegStart(s)), Compressed: true}
		})
		if err != nil {
			m.Fatalf("%v", err)
		}
	}
	if withRows {
		saveRows(m, target, src, dir)
		return // what the programs say of a rewind, they say of the other scenarios
	}
	askGenuine(m, target, src, plan, dir)
}

func prepare(m *maker, target, src *cluster.Cluster) *rewind.Plan {
	from, err := source.OpenDir(src.Dir)
	if err != nil {
		m.Fatalf("%v", err)
	}
	defer func() { _ = from.Close() }()
	r, err := rewind.Prepare(context.Background(), rewind.Options{TargetDir: target.Dir, Source: from})
	if err != nil {
		m.Fatalf("%v", err)
	}
	defer func() { _ = r.Close() }()
	return r.Plan()
}

// saidByRewind matches the lines of pg_rewind's output that are about its plan.
var saidByRewind = regexp.MustCompile(`(?m)^pg_rewind: (?:debug: )?\s*(servers diverged.*|rewinding from.*|block \d+|.* \([A-Z_]+\)|[Nn]ot removing.*)$`)

// askGenuine lets the genuine pg_rewind plan the same rewind, and the genuine
// pg_waldump read the same WAL.
func askGenuine(m *maker, target, src *cluster.Cluster, plan *rewind.Plan, dir string) {
	in := genuine(m, plan.Version)
	if in == nil {
		return
	}
	said := in.Output(m, "pg_rewind", "-n", "--debug", "-D", target.Dir, "--source-pgdata", src.Dir)
	var b strings.Builder
	for _, line := range saidByRewind.FindAllStringSubmatch(said, -1) {
		b.WriteString(line[1] + "\n")
	}
	write(m, filepath.Join(dir, "pg_rewind.txt"), b.String())

	if len(plan.Target.History) > 1 {
		return // pg_waldump reads one timeline's files
	}
	geo, format := plan.Target.Control.Geometry, plan.Version.FormatLSN
	said = in.Output(m, "pg_waldump", "-p", filepath.Join(target.Dir, plan.Version.WALDir),
		"-s", format(geo.SegStart(geo.SegNo(plan.Checkpoint.Redo))), "-e", format(plan.Target.EndOfWAL))
	tally, err := savedcluster.TallyOfDump(said)
	if err != nil {
		m.Fatalf("%v", err)
	}
	write(m, filepath.Join(dir, "pg_waldump.txt"), tally.String())
}

func write(m *maker, name, text string) {
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		m.Fatalf("%v", err)
	}
}

// genuine finds the installation of a major that has the programs, if there is
// one.
func genuine(m *maker, v *pgdata.Version) *cluster.Installation {
	ins, missing := servers.Genuine(context.Background())
	for _, in := range ins {
		if in.Version == v {
			return in
		}
	}
	if err := missing[v.Name]; err != nil && !errors.Is(err, download.ErrUnavailable) {
		m.Fatalf("%v", err)
	}
	fmt.Printf("%s: without the words of pg_rewind and pg_waldump\n", m.name)
	return nil
}
