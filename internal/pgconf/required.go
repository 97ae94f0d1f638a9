package pgconf

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// standbyDefaults are the defaults of the settings that a hot standby must not
// have smaller than its primary (utils/misc/guc_tables.c). That of max_wal_senders
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

// Shortfall is a setting that is smaller than a standby needs it.
type Shortfall struct {
	Name         string
	Own, Primary int
}

func (s Shortfall) String() string {
	return fmt.Sprintf("%s = %d is lower than on the primary, where it was %d", s.Name, s.Own, s.Primary)
}

// Shortfalls lists the settings that keep a server with this configuration from
// running as a standby of a primary (controlfile.Data.StandbySettings), sorted by
// name. It refuses to start then, on every major ("hot standby is not possible
// because ..." up to 13, "recovery aborted because of insufficient parameter
// settings" from 14). If only the primary's setting grows, later on, a standby up
// to 13 ends, and from 14 on pauses its recovery. None of that holds for a
// standby that takes no queries (hot_standby = off, the default of 9.6), nor for a
// server that is no standby. A value that only the server understands is left out.
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

// hotStandby tells whether a standby takes queries. A value that no server takes
// counts as one that does.
func (c *Config) hotStandby() bool {
	on, err := c.Bool("hot_standby", c.version.Defaults.HotStandby)
	return on || err != nil
}
