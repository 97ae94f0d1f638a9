package pgconf_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
)

func TestShortfalls(t *testing.T) {
	primary := map[string]int{"max_connections": 200, "max_worker_processes": 8, "max_locks_per_transaction": 64, "max_prepared_transactions": 10}
	connections := pgconf.Shortfall{Name: "max_connections", Own: 100, Primary: 200}
	prepared := pgconf.Shortfall{Name: "max_prepared_transactions", Own: 0, Primary: 10}
	for _, test := range []struct {
		name, major, conf string
		want              []pgconf.Shortfall
	}{
		{"defaults count", "17", "", []pgconf.Shortfall{connections, prepared}},
		{"as large is large enough", "17", "max_connections = 200\nmax_prepared_transactions = 10", nil},
		{"any notation of numbers", "17", "max_connections = '0xC8'\nmax_prepared_transactions = 012", nil},
		{"smaller than the default", "17", "max_connections = 200\nmax_prepared_transactions = 10\nmax_worker_processes = 4", []pgconf.Shortfall{{Name: "max_worker_processes", Own: 4, Primary: 8}}},
		{"what is not understood is left out", "17", "max_connections = many", []pgconf.Shortfall{prepared}},
		{"no queries, no need", "17", "hot_standby = off", nil},
		{"no queries, in short", "17", "hot_standby = F", nil},
		{"queries", "17", "hot_standby = on", []pgconf.Shortfall{connections, prepared}},
		{"9.6 takes no queries by default", "9.6", "", nil},
		{"9.6 that takes queries", "9.6", "hot_standby = yes", []pgconf.Shortfall{connections, prepared}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, pgconf.MainFile), []byte(test.conf), 0o600))
			conf, err := pgconf.Load(pgconf.Options{DataDir: dir, Version: pgdata.VersionByName(test.major)})
			require.NoError(t, err)
			assert.Equal(t, test.want, conf.Shortfalls(primary))
		})
	}
}

// What is predicted is what servers do.
func TestServersRefuseToBeSmallerStandbys(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		primary := in.InitCluster(t, pgtest.Options{})
		primary.Start(t)
		standby := primary.Standby(t)
		standby.Stop(t, pgtest.Fast)
		control, err := controlfile.Read(standby.Dir)
		require.NoError(t, err)
		settings := control.StandbySettings()
		assert.Equal(t, 40, settings["max_connections"])
		shortfalls := func() []pgconf.Shortfall {
			conf, err := pgconf.Load(pgconf.Options{DataDir: standby.Dir, Version: in.Version})
			require.NoError(t, err)
			return conf.Shortfalls(settings)
		}

		assert.Empty(t, shortfalls())
		for name, need := range settings {
			standby.SetConf(t, map[string]string{name: strconv.Itoa(need - 1)})
			assert.Equal(t, []pgconf.Shortfall{{Name: name, Own: need - 1, Primary: need}}, shortfalls())
			err := standby.TryStart()
			require.Error(t, err, name)
			assert.Regexp(t, fmt.Sprintf("%s = %d is a lower setting than on the (master|primary) server", name, need-1), err.Error())
			standby.SetConf(t, map[string]string{"hot_standby": "off"})
			assert.Empty(t, shortfalls())
			standby.SetConf(t, map[string]string{"hot_standby": "on", name: strconv.Itoa(need)})
		}
		standby.Start(t)
	})
}
