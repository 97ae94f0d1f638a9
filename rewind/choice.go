package rewind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/regular"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/timeline"
)

// ErrOtherTimeline says that recovery would choose a timeline that does not continue
// the source's.
var ErrOtherTimeline = errors.New("the rewound server would not start: its recovery would choose a timeline that the source is not on")

// configuration is the server's main configuration file.
const configuration = "postgresql.conf"

// warn adds a warning to the plan and logs it.
func (a *analyzer) warn(p *Plan, format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}

// checkRequired warns about settings with which the rewound server would refuse to be a
// standby. The source's configuration is copied with its files, unless the target keeps
// its own.
func (a *analyzer) checkRequired(p *Plan, b *decide.Builder) {
	if _, comes := b.Source(configuration); comes && a.opts.ConfigFile == "" { // files that the target keeps are not in the listing
		return
	}
	conf, err := pgconf.Load(pgconf.Options{DataDir: a.target.Name(), ConfigFile: a.opts.ConfigFile, Version: p.Version})
	if err != nil { // it may be in a place that only the server's start script knows
		return
	}
	for _, s := range conf.Shortfalls(p.Source.Control.StandbySettings()) {
		a.warn(p, "the target keeps its configuration, and would not start as a standby with it: %s", s)
	}
}

// maxConfiguration limits how many bytes of the source's configuration files are read,
// since a file can include any number of others.
const maxConfiguration = 16 << 20

// rewoundConfig returns the configuration that the rewound server will have: the
// source's, except for what the target keeps.
func (a *analyzer) rewoundConfig(ctx context.Context, b *decide.Builder) (*pgconf.Config, error) {
	size := 0
	return pgconf.Load(pgconf.Options{
		DataDir: a.target.Name(), ConfigFile: a.opts.ConfigFile, Version: a.version,
		ReadFile: func(p string) ([]byte, error) {
			if a.keep.Match(p) {
				return readLinked(a.target, p)
			}
			if _, has := b.Source(p); !has {
				return nil, fmt.Errorf("file %q: %w", p, fs.ErrNotExist)
			}
			b, err := a.source.ReadFile(ctx, p)
			if size += len(b); size > maxConfiguration {
				return nil, fmt.Errorf("with file %q, the source's configuration files have more than %d bytes together, which is impossible: %w",
					p, maxConfiguration, ErrSourceUntrusted)
			}
			return b, err
		},
		Names: func(dir string) ([]string, error) {
			var names []string
			for f := range b.SourceIn(dir) {
				names = append(names, path.Base(f.Path))
			}
			return names, nil
		},
	})
}

// readLinked reads a small file of the target. It may be a symbolic link: a
// configuration file that is disabled may be a link to the null device.
func readLinked(t *apply.Target, p string) ([]byte, error) {
	if info, err := t.Lstat(p); err != nil || info.Mode().Type() != fs.ModeSymlink {
		return t.ReadFile(p)
	}
	f, err := regular.Open(t.Join(p))
	if err != nil {
		return nil, fmt.Errorf("could not open file %q for reading: %w", t.Join(p), datadir.Reason(err))
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxLinked))
}

// maxLinked is a size, in bytes, that no configuration file reaches.
const maxLinked = 1 << 20

// choice is what decides what recovery will do: the configuration that the rewound
// server will have, and the source's slots.
type choice struct {
	pgconf.RecoveryChoice
	foreign []string // warnings about settings that come from the source
	noSlot  bool     // the configuration names a slot that the source does not have
	err     error
	known   bool
}

// askChoice starts to determine the choice, and returns a function that waits for it.
func (a *analyzer) askChoice(ctx context.Context, b *decide.Builder) func() choice {
	answer := make(chan choice, 1)
	go func() { answer <- a.choose(ctx, b) }()
	return sync.OnceValue(func() choice { return <-answer })
}

func (a *analyzer) choose(ctx context.Context, b *decide.Builder) (c choice) {
	conf, err := a.rewoundConfig(ctx, b)
	if err != nil {
		a.log.DebugContext(ctx, fmt.Sprintf("what recovery will choose is not known: %v", err), "error", err)
		return c
	}
	var several *pgconf.SeveralTargetsError
	if c.RecoveryChoice, err = conf.RecoveryChoice(); err != nil && !errors.As(err, &several) {
		return c
	}
	c.known = true
	c.foreign = a.settingsOfSource(conf)
	lister, can := a.source.(source.SlotLister)
	if c.PrimarySlotName == "" || !can || a.version.RecoveryConf {
		return c
	}
	slots, err := lister.Slots(ctx)
	c.err = err
	c.noSlot = !slices.ContainsFunc(slots, func(s source.Slot) bool { return s.Name == c.PrimarySlotName && s.Physical })
	return c
}

// checkChoice warns about settings that would make the target something other than a
// standby of the source, and refuses those that would keep it from starting.
func (a *analyzer) checkChoice(ctx context.Context, p *Plan, c choice) error {
	if c.err != nil || !c.known {
		return c.err
	}
	for _, says := range c.foreign {
		a.warn(p, "%s", says)
		p.Foreign = append(p.Foreign, says)
	}
	becomesStandby := a.opts.PrimaryConnInfo != ""
	for _, name := range slices.Sorted(maps.Keys(c.Targets)) {
		if becomesStandby {
			a.warn(p, "%s = '%s' of the source's configuration is reset: with it, a standby would end recovery there", name, c.Targets[name])
		} else {
			a.warn(p, "the configuration that comes from the source has %s = '%s': a standby that is started with it ends recovery there, and may promote itself", name, c.Targets[name])
		}
	}
	if !c.noSlot {
		p.Slot = c.PrimarySlotName
	}
	switch {
	case a.opts.Slot != "": // it replaces the configured one
	case c.noSlot && becomesStandby:
		p.ResetSlot = true
		a.warn(p, "primary_slot_name = '%s' of the source's configuration is reset: the source has no such slot", c.PrimarySlotName)
	case c.noSlot:
		a.warn(p, "the configuration that comes from the source has primary_slot_name = '%s', and the source has no such slot: a standby of it would not stream", c.PrimarySlotName)
	}
	return a.checkNewerTimelines(ctx, p, c.RecoveryChoice)
}

// checkLeft is checkChoice for a target that needs no rewind and keeps its own
// configuration.
func (a *analyzer) checkLeft(ctx context.Context, p *Plan) error {
	conf, err := pgconf.Load(pgconf.Options{DataDir: a.target.Name(), ConfigFile: a.opts.ConfigFile, Version: a.version})
	if err != nil {
		return nil // it may be in a place that only the server's start script knows
	}
	choice, err := conf.RecoveryChoice()
	if err != nil {
		return nil
	}
	p.Slot = choice.PrimarySlotName
	return a.checkNewerTimelines(ctx, p, choice)
}

// checkNewerTimelines looks in the archive for histories of newer timelines, as
// recovery does if it follows the latest timeline. It refuses a history that does not
// continue from where the source is. What counts is the restore_command that recovery
// will use: the caller's function is called in its place, but a command from the caller
// is not run.
func (a *analyzer) checkNewerTimelines(ctx context.Context, p *Plan, choice pgconf.RecoveryChoice) error {
	latest := choice.Timeline == "latest" || choice.Timeline == "" && !a.version.RecoveryConf || a.opts.PrimaryConnInfo != ""
	command := choice.RestoreCommand
	if a.version.RecoveryConf { // the target keeps its own recovery.conf
		own, err := a.configuredCommand()
		if err != nil {
			return nil
		}
		command = own
	}
	if !latest || command == "" || p.Again {
		return nil
	}
	from := a.archiveBy(command, "")
	if a.opts.FetchWAL != nil { // it must not be called concurrently
		from = a.anyArchive().archive
	} else {
		from.Logger = nil // usually the archive has no such history
		defer from.Close()
	}
	dir, err := a.target.RestoreDir(a.version.WALDir)
	if err != nil { // for example on a read-only disk
		a.log.DebugContext(ctx, fmt.Sprintf("not searching the archive for histories of newer timelines: %v", err), "error", err)
		return nil
	}
	for tli := p.Source.Timeline + 1; tli < p.Source.Timeline+maxTimelines; tli++ {
		dst, err := a.target.Locate(dir + "/" + pgdata.HistoryFileName(tli))
		if err != nil {
			return err
		}
		text, err := from.RestoreHistory(ctx, tli, dst)
		if err != nil {
			var none *archive.NotFoundError
			certain := errors.As(err, &none) && none.Certain
			if ctx.Err() != nil || a.opts.FetchWAL != nil && !certain {
				return err
			}
			return nil // recovery stops looking here, too
		}
		if h, err := timeline.Parse(tli, text); err != nil || !continuesSource(h, p) || isAbandoned(h, p) {
			return &Explained{
				Err: ErrOtherTimeline,
				Detail: fmt.Sprintf("The archive has %s, which does not continue from timeline %d at %s.",
					pgdata.HistoryFileName(tli), p.Source.Timeline, a.lsn(max(p.ConsistentAt, p.Source.EndOfWAL))),
				Hint: "Remove that file from the archive if that timeline was abandoned, or set recovery_target_timeline.",
			}
		}
	}
	return nil
}

// isAbandoned reports whether a timeline is the one on which the target diverged, which the
// rewind abandons.
func isAbandoned(h timeline.History, p *Plan) bool {
	newest := h[len(h)-1]
	return p.Required && slices.ContainsFunc(p.Target.History, func(e timeline.Entry) bool {
		return e.TLI == newest.TLI && e.Begin == newest.Begin
	})
}

// continuesSource reports whether a history continues from where the source is.
func continuesSource(h timeline.History, p *Plan) bool {
	n := len(p.Source.History)
	if len(h) <= n {
		return false
	}
	for i, e := range p.Source.History {
		if h[i].TLI != e.TLI || h[i].Begin != e.Begin {
			return false
		}
	}
	return h[n-1].End >= max(p.ConsistentAt, p.Source.EndOfWAL)
}

// checkUnarchived lists the WAL from before the fork that the target has not archived
// yet. As a standby it will never archive it, and if the source does not have it, it is
// lost.
func (a *analyzer) checkUnarchived(p *Plan, b *decide.Builder) {
	status := a.version.WALPath("archive_status")
	var waiting []string
	for f := range b.TargetIn(status) {
		name, ready := strings.CutSuffix(path.Base(f.Path), ".ready")
		tli, s, isSegment := a.geo.ParseWALFileName(name)
		if !ready || !isSegment || p.Evidence == report.ByWAL && (s >= a.geo.SegNo(p.Divergence) || tli != p.Target.History.TimelineOf(a.geo, s)) {
			continue
		}
		_, here := b.Target(a.version.WALPath(name))
		if _, theirs := b.Source(f.Path); here && !theirs {
			waiting = append(waiting, name)
		}
	}
	n := len(waiting)
	if n == 0 {
		return
	}
	save := "save them with Options.SaveLost"
	if p.Evidence != report.ByWAL {
		// Segments from after the divergence would take the place of the source's segments
		// with the same names in the archive.
		a.warn(p, "the target has not archived %d WAL segments and will not do so any more (%s to %s), and it is not known which of them are from "+
			"before the divergence, so none is archived now: %s", n, waiting[0], waiting[n-1], save)
		return
	}
	if p.Unarchived = waiting; !a.opts.ArchiveLostWAL {
		what := "archive them with Options.ArchiveLostWAL"
		if a.opts.SaveLost == "" {
			what += ", or " + save
		}
		a.warn(p, "the target has not archived %d WAL segments from before the divergence and will not do so any more (%s to %s): %s",
			n, waiting[0], waiting[n-1], what)
	}
}
