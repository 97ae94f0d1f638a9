package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gorewind/gorewind/internal/getopt"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// usageError is a mistake in the command line.
type usageError struct {
	err    error
	getopt bool // an unknown or malformed option, which in pg_rewind the C library reports
	noHint bool
}

func (e *usageError) Error() string { return e.err.Error() }

// parse reads a command's options and operands.
func (c *command) parse(args []string, env environment) (*options, error) {
	o := new(options)
	list := c.options()
	_, posix := env("POSIXLY_CORRECT")
	p := getopt.New(args, getoptOptions(list), posix)
	for {
		i, value, ok, err := p.Next()
		switch {
		case err != nil:
			return o, &usageError{err: err, getopt: true}
		case !ok:
			o.operands = p.Operands()
			return o, nil
		}
		if err := list[i].set(o, value); err != nil {
			return o, &usageError{err: err, noHint: true}
		}
		if o.help || o.version { // pg_rewind accepts these as its first argument only
			return o, nil
		}
	}
}

// checkRewind makes pg_rewind's checks, in its order.
func (o *options) checkRewind() error {
	switch {
	case o.sourceServer == nil && o.sourceDir == nil:
		return errors.New("no source specified (--source-pgdata or --source-server)")
	case o.sourceServer != nil && o.sourceDir != nil:
		return errors.New("only one of --source-pgdata or --source-server can be specified")
	case o.target == nil:
		return errors.New("no target data directory specified (--target-pgdata)")
	case o.recoveryConf && o.sourceServer == nil:
		return errors.New("no source server information (--source-server) specified for --write-recovery-conf")
	case o.slot != "" && !o.recoveryConf:
		return errors.New("a replication slot (--slot) requires --write-recovery-conf")
	case o.makeSlot && o.slot == "":
		return errors.New("no slot name (--slot) specified for --create-slot")
	case o.checkReplication && o.sourceServer == nil:
		return errors.New("no source server information (--source-server) specified for --check-replication")
	case o.system != 0 && o.resync != rewind.ResyncCompare:
		return errors.New("--system-identifier requires --resync=compare")
	case o.savePlan != "" && !o.dryRun:
		return errors.New("--save-plan requires --dry-run")
	case o.plan != "" && o.dryRun:
		return errors.New("--plan cannot be used with --dry-run")
	}
	return o.checkOperands(0)
}

func (o *options) checkOperands(most int) error {
	if len(o.operands) > most {
		return fmt.Errorf("too many command-line arguments (first is \"%s\")", o.operands[most])
	}
	return nil
}

// targetOrPGDATA is the directory for the commands that pg_rewind does not have.
// pg_rewind itself does not use PGDATA.
func (in *invocation) targetOrPGDATA() (string, error) {
	if err := in.opts.checkOperands(0); err != nil {
		return "", err
	}
	if in.opts.target != nil {
		return *in.opts.target, nil
	}
	if dir := in.env.get("PGDATA"); dir != "" {
		return dir, nil
	}
	return "", errors.New("no target data directory specified (--target-pgdata)")
}

// maxJobs is more connections than any practical server accepts.
const maxJobs = 1000

func parseJobs(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxJobs {
		return 0, fmt.Errorf("invalid value \"%s\" for option --jobs: give a number from 1 to %d", s, maxJobs)
	}
	return n, nil
}

func parseLimit(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("invalid value \"%s\" for option --limit: give a number of at least 1", s)
	}
	return n, nil
}

func parseSystemIdentifier(s string) (uint64, error) {
	id, err := strconv.ParseUint(s, 10, 64)
	if err != nil || id == 0 {
		return 0, fmt.Errorf("invalid value \"%s\" for option --system-identifier: give the number that pg_controldata shows", s)
	}
	return id, nil
}

// parseSince parses an LSN and, after another slash, a timeline.
func parseSince(s string) (rewind.Since, error) {
	invalid := fmt.Errorf("invalid value \"%s\" for option --since: give an LSN and a timeline, as in 0/3000060/1", s)
	at := strings.LastIndexByte(s, '/')
	if at < 0 {
		return rewind.Since{}, invalid
	}
	lsn, err := pgdata.ParseLSN(s[:at])
	if err != nil || lsn == 0 {
		return rewind.Since{}, invalid
	}
	tli, err := strconv.ParseUint(s[at+1:], 10, 32)
	if err != nil || tli == 0 {
		return rewind.Since{}, invalid
	}
	return rewind.Since{LSN: lsn, Timeline: pgdata.TimelineID(tli)}, nil
}

func oneOf(what, value string, choices ...string) error {
	for _, c := range choices {
		if value == c {
			return nil
		}
	}
	return fmt.Errorf("unrecognized %s: %s (choose from: %s)", what, value, strings.Join(choices, ", "))
}

// units are the time units of PostgreSQL's settings.
var units = []struct {
	suffix string
	unit   time.Duration
}{
	{"ms", time.Millisecond},
	{"min", time.Minute},
	{"s", time.Second},
	{"h", time.Hour},
	{"d", 24 * time.Hour},
	{"", time.Second},
}

// parseDuration parses a positive number, of seconds or of the unit that
// follows it.
func parseDuration(s string) (time.Duration, error) {
	invalid := fmt.Errorf("invalid value \"%s\" for option --source-timeout: give a number of seconds, or one with a unit (ms, s, min, h, d)", s)
	number := strings.TrimSpace(s)
	unit := time.Second
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = strings.TrimSpace(rest), u.unit
			break
		}
	}
	if strings.Trim(number, "0123456789.") != "" {
		return 0, invalid // a sign, an exponent or an infinity
	}
	n, err := strconv.ParseFloat(number, 64)
	if d := n * float64(unit); err == nil && d >= float64(time.Millisecond) && d <= float64(365*24*time.Hour) {
		return time.Duration(d), nil
	}
	return 0, invalid
}
