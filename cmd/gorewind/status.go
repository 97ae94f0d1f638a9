package main

import (
	"fmt"
	"time"

	"github.com/gorewind/gorewind/internal/sanitize"
	"github.com/gorewind/gorewind/rewind"
)

// meaning describes a state for people.
var meaning = map[rewind.State]string{
	rewind.StateClean:      "no rewind is under way",
	rewind.StateStaged:     "a rewind was interrupted before it changed anything",
	rewind.StateUnfinished: "a rewind is committed and not finished: no server starts",
	rewind.StateInPlace:    "a rewind in place was interrupted: no server starts",
	rewind.StateRewound:    "rewound, and not started since",
}

// status shows what state a data directory is in.
func (in *invocation) status() int {
	dir, err := in.targetOrPGDATA()
	if err != nil {
		return in.misused(err)
	}
	s, err := rewind.ReadStatus(dir)
	if err != nil {
		return in.failed(err)
	}
	s.Advice = in.words().Replace(s.Advice)
	if in.opts.format == formatJSON {
		if err := in.printJSON(s); err != nil {
			return in.failed(err)
		}
	} else {
		in.describe(s)
	}
	if s.State == rewind.StateUnfinished || s.State == rewind.StateInPlace {
		return exitUnfinished
	}
	return exitDone
}

func (in *invocation) describe(s *rewind.Status) {
	row := func(what, text string) {
		fmt.Fprintf(in.stdout, "%-16s %s\n", what+":", sanitize.Text(text, sanitize.MaxMessage))
	}
	row("Data directory", s.Target)
	row("State", fmt.Sprintf("%s (%s)", meaning[s.State], s.State))
	row("Cluster state", s.ClusterState)
	if s.ServerPID != 0 {
		row("Server", fmt.Sprintf("running here, process %d", s.ServerPID))
	}
	if s.Running {
		row("Rewind", "one is running now")
	}
	if s.Source != "" {
		row("Source", s.Source)
	}
	if s.Started != nil {
		row("Begun", s.Started.Local().Format(time.DateTime))
	}
	if s.StagedBytes > 0 {
		row("Staged", fmt.Sprintf("%d kB", s.StagedBytes/1024))
	}
	row("To do", s.Advice)
}
