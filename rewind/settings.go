package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// checkSettings proves that the settings which make WAL show everything that the target
// changed were on for as long as it matters, and not only now.
func (a *analyzer) checkSettings(ctx context.Context, s sides, f fork, p *past) error {
	if at := p.events.noImages; at != 0 && at >= p.start.Redo || !p.start.FullPageWrites {
		return &Explained{
			Err:    fmt.Errorf("%w: and they were off on timeline %d at %s", ErrFullPageWrites, f.timeline, a.lsn(max(at, p.start.Redo))),
			Detail: "Recovery would start before that, and WAL from then lacks the page images that it needs.", Hint: takeBase,
		}
	}
	if s.target.Control.DataChecksumVersion != 0 {
		return nil
	}
	return a.checkHints(ctx, s, f, p.events)
}

// checkHints proves that hint bits have been logged ever since the fork. Otherwise hint
// bits about transactions that only the target has could stay in pages that nothing
// else shows as changed.
func (a *analyzer) checkHints(ctx context.Context, s sides, f fork, e *events) error {
	refused := func(format string, args ...any) error {
		return &Explained{
			Err: ErrNoPageHints, Detail: fmt.Sprintf(format, args...),
			Hint: takeBase + " That these settings are on now does not help for earlier changes.",
		}
	}
	if !s.target.Control.WALLogHints {
		return refused("Without them WAL does not show everything that the target %q changed.", a.target.Name())
	}
	known := false // as of the last record read
	for _, change := range e.parameters {
		if change.at >= f.at {
			if !change.WALLogHints {
				return refused(`"wal_log_hints" was off on the target from %s on.`, a.lsn(change.at))
			}
			if !known && !e.hintsLogged(change.at) {
				if err := a.hintsBefore(ctx, s, change.at, refused); err != nil {
					return err
				}
			}
			known = true
			continue
		}
		known = change.WALLogHints
	}
	if own, ok := a.ownHintSetting(s); ok && !own {
		return refused(`"wal_log_hints" is off in the configuration of the target, which is a standby: what its control file says is its primary's setting.`)
	}
	return nil
}

// hintsLogged reports whether a page image for a hint shows that hints were logged
// between the previous change of parameters and this one.
func (e *events) hintsLogged(before pgdata.LSN) bool {
	var since pgdata.LSN
	for _, c := range e.parameters {
		if c.at < before {
			since = c.at
		}
	}
	for _, at := range e.hints {
		if since < at && at < before {
			return true
		}
	}
	return false
}

// hintsBefore searches older WAL, newest segment first, for what shows the setting
// before a change.
func (a *analyzer) hintsBefore(ctx context.Context, s sides, change pgdata.LSN, refused func(string, ...any) error) error {
	wal := a.targetWAL(s.target.History).own()
	end := change
	for no := a.geo.SegNo(change); no > 0; no-- {
		r := walreader.NewReader(wal, a.format)
		first, err := r.FindNextRecord(ctx, a.geo.SegStart(no))
		_ = r.Close()
		if err == nil && first < end {
			var read *walreader.ReadResult
			read, err = walreader.Read(ctx, wal, a.format, walreader.ReadRequest{
				From: first, To: end, Visitor: func() walreader.Visitor { return newEvents(0).in(a.format) },
			})
			if err == nil {
				e := read.Visitor.(*events)
				if n := len(e.parameters); n > 0 && e.parameters[n-1].WALLogHints || len(e.hints) > n {
					return nil
				} else if n > 0 {
					return refused(`"wal_log_hints" was off on the target until %s.`, a.lsn(change))
				}
				end = first
			}
		}
		switch {
		case err != nil && (errors.Is(err, fs.ErrNotExist) || isDamage(err)):
			return refused(`The target's settings were changed at %s, and nothing shows that "wal_log_hints" was on before.`, a.lsn(change))
		case err != nil:
			return err
		}
	}
	return refused(`"wal_log_hints" was off on the target until %s.`, a.lsn(change))
}

// ownHintSetting returns the setting in a standby's own configuration. That decides how
// it treats hints, while its control file has the primary's setting.
func (a *analyzer) ownHintSetting(s sides) (on, known bool) {
	if c := s.target.Control; c.MinRecoveryPoint == 0 {
		return false, false // the target was a primary
	}
	conf, err := pgconf.Load(pgconf.Options{DataDir: a.target.Name(), ConfigFile: a.opts.ConfigFile, Version: a.version})
	if err != nil {
		return false, false
	}
	on, err = conf.Bool("wal_log_hints", false)
	return on, err == nil
}
