package pgconf

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// standbyDefaults are the defaults of the settings for which a hot standby must not
// have smaller values than its primary (utils/misc/guc_tables.c). That of max_wal_senders
// in 9.6 does not matter: the setting counts from 12 on.
func (c *Config) standbyDefaults() map[string]int {
	return map[string]int{
		"max_connections":           100,
		"max_worker_processes":      8,
		"max_wal_senders":           10,
		"max_prepared_transactions": 0,
		"max_locks_per_transaction": c.version.Defaults.MaxLocksPerTransaction,
	}
}

// Shortfall is a setting whose value is too small for a standby.
type Shortfall struct {
	Name         string
	Own, Primary int
}

func (s Shortfall) String() string {
	return fmt.Sprintf("%s = %d is lower than on the primary, where it was %d", s.Name, s.Own, s.Primary)
}

// Shortfalls lists the settings that prevent a server with this configuration from
// running as a standby of a primary (controlfile.Data.StandbySettings), sorted by
// name. It then refuses to start, on every major ("hot standby is not possible
// because ..." up to 13, "recovery aborted because of insufficient parameter
// settings" from 14). If the primary's setting is increased later, a standby up
// to 13 shuts down, and from 14 on it pauses its recovery. None of that applies to a
// standby that accepts no queries (hot_standby = off, the default of 9.6), nor to a
// server that is not a standby. A value that only the server understands is left out.
func (c *Config) Shortfalls(primary map[string]int) []Shortfall {
	if !c.hotStandby() {
		return nil
	}
	defaults := c.standbyDefaults()
	var found []Shortfall
	for name, need := range primary {
		own, known := defaults[name]
		if value, set := c.Lookup(name); set {
			n, err := strconv.ParseInt(value, 0, 32)
			own, known = int(n), known && err == nil
		}
		if known && own < need {
			found = append(found, Shortfall{name, own, need})
		}
	}
	slices.SortFunc(found, func(a, b Shortfall) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

// hotStandby reports whether a standby accepts queries. An invalid value
// counts as on.
func (c *Config) hotStandby() bool {
	on, err := c.Bool("hot_standby", c.version.Defaults.HotStandby)
	return on || err != nil
}
