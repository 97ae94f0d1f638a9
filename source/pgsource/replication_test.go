package pgsource_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/rogueserver"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// standbyOf is a standby that goes on from where a server's last checkpoint is.
func standbyOf(t *testing.T, c *pgtest.Cluster) source.Standby {
	t.Helper()
	control, err := controlfile.Read(c.Dir)
	require.NoError(t, err)
	redo := control.CheckPointCopy.Redo
	return source.Standby{
		SystemIdentifier: control.SystemIdentifier, Primary: control.Timeline(), Timeline: control.Timeline(),
		Start: control.Geometry.SegStart(control.Geometry.SegNo(redo)),
	}
}

// forkOf is where a server on timeline 2 left timeline 1.
func forkOf(t *testing.T, v *pgdata.Version, c *pgtest.Cluster) pgdata.LSN {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(c.Dir, v.WALPath("00000002.history")))
	require.NoError(t, err)
	l, err := pgdata.ParseLSN(strings.Fields(string(b))[1])
	require.NoError(t, err)
	return l
}

func TestTheConnectionOfAStandbyIsTriedAndLeavesNothingBehind(t *testing.T) {
	t.Parallel() // others run while it waits
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		primary := in.InitCluster(t, pgtest.Options{Conf: map[string]string{"max_wal_senders": "3", "max_replication_slots": "4", "log_connections": "on"}})
		primary.Start(t)
		c := primary.Standby(t)
		c.WaitStreaming(t, primary)
		c.Promote(t)
		primary.Stop(t, pgtest.Fast)
		c.Exec(t, "CREATE TABLE written ()", "CREATE ROLE plain LOGIN", "CREATE ROLE shut LOGIN REPLICATION")
		c.Checkpoint(t)
		c.Exec(t, "SELECT pg_create_physical_replication_slot('idle', true)", "SELECT pg_create_physical_replication_slot('used')")
		_, noLogical := c.TryQuery(t.Context(), "postgres", "SELECT pg_create_logical_replication_slot('logical', 'test_decoding')")
		hba := filepath.Join(c.Dir, "pg_hba.conf")
		rules, err := os.ReadFile(hba)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(hba, append([]byte("local replication shut reject\n"), rules...), 0o600))
		c.Reload(t)
		src := open(t, c.ConnString("postgres"))
		want := standbyOf(t, c)
		require.NoError(t, src.TryReplication(t.Context(), want))

		slots := c.QueryString(t, "SELECT string_agg(slot_name || COALESCE(restart_lsn::text, ''), ',' ORDER BY slot_name) FROM pg_replication_slots")
		as := func(role string) func(*source.Standby) {
			return func(s *source.Standby) { s.ConnInfo = c.ConnStringAs(role, "postgres") }
		}
		slot := func(name string, made bool) func(*source.Standby) {
			return func(s *source.Standby) { s.Slot, s.MakesSlot = name, made }
		}
		for _, try := range []struct {
			name   string
			change func(*source.Standby)
			reason string // part of; empty: it would follow
			hint   string
		}{
			{"with a slot that nobody uses", slot("idle", false), "", ""},
			{"with a slot that is to be made", slot("new", true), "", ""},
			{"from where the source has not come to yet", func(s *source.Standby) { s.Start += 64 << 20 }, "", ""},
			{"on a timeline that ends right there", func(s *source.Standby) { s.Timeline, s.Start = 1, forkOf(t, in.Version, c) }, "", ""},
			{"as a role without REPLICATION", as("plain"), "to start wal", `ALTER ROLE "plain" REPLICATION`},
			{"as a role that pg_hba.conf rejects", as("shut"), "pg_hba.conf rejects", `host replication "shut" ADDRESS METHOD`},
			{"as a role that does not exist", as("nobody"), `role "nobody" does not exist`, "pg_hba.conf"},
			{"where nobody listens", func(s *source.Standby) { s.ConnInfo = "host=127.0.0.1 port=1 user=postgres" }, "connection refused", ""},
			{"with a connection string that is none", func(s *source.Standby) { s.ConnInfo = "colour=red" }, "cannot be understood", ""},
			{"of another system", func(s *source.Standby) { s.SystemIdentifier++ }, "another system identifier", "connection string"},
			{"of another timeline", func(s *source.Standby) { s.Primary++ }, "is on timeline 2, not on timeline 3", "connection string"},
			{"with a slot that does not exist", slot("none", false), "does not exist", "create it"},
			{"with a slot that is to be made and is there", slot("idle", true), "already exists", "name another one"},
			{"with WAL that is gone", func(s *source.Standby) { s.Start, s.Timeline = 0, 1 }, "already been removed", "restore_command"},
		} {
			t.Run(try.name, func(t *testing.T) {
				s := want
				try.change(&s)
				err := src.TryReplication(t.Context(), s)
				if try.reason == "" {
					assert.NoError(t, err)
					return
				}
				var not *source.ReplicationError
				require.ErrorAs(t, err, &not)
				assert.ErrorIs(t, err, source.ErrNoReplication)
				assert.Contains(t, strings.ToLower(not.Reason), strings.ToLower(try.reason))
				assert.Contains(t, not.Hint, try.hint)
			})
		}
		if noLogical == nil {
			s := want
			s.Slot = "logical"
			assert.ErrorContains(t, src.TryReplication(t.Context(), s), "is a logical slot")
		}
		assert.Equal(t, slots, c.QueryString(t, "SELECT string_agg(slot_name || COALESCE(restart_lsn::text, ''), ',' ORDER BY slot_name) FROM pg_replication_slots"), "slots are as they were")
		assert.NotContains(t, c.Log(), "unexpected EOF on standby connection")

		// A slot is made, and in use.
		from, err := src.MakeSlot(t.Context(), "made")
		require.NoError(t, err)
		assert.Equal(t, in.Version.FormatLSN(from), c.QueryString(t, "SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = 'made'"))
		_, err = src.MakeSlot(t.Context(), "made")
		assert.ErrorContains(t, err, "already exists")
		if noLogical == nil {
			s := want
			s.Slot, s.MakesSlot = "fifth", true
			assert.ErrorContains(t, src.TryReplication(t.Context(), s), "max_replication_slots")
		}
		require.NoError(t, src.DropSlot(t.Context(), "made"))
		assert.Equal(t, "0", c.QueryString(t, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'made'"))
		assert.Error(t, src.DropSlot(t.Context(), "made"))

		if in.Version.SQL.TemporarySlots { // as a standby would be streaming with it
			_, release, err := src.HoldWAL(t.Context())
			require.NoError(t, err)
			s := want
			s.Slot = c.QueryString(t, "SELECT slot_name FROM pg_replication_slots WHERE active")
			var busy *source.ReplicationError
			require.ErrorAs(t, src.TryReplication(t.Context(), s), &busy)
			assert.Contains(t, busy.Reason, "is in use by another standby")
			assert.True(t, busy.Temporary, "that can end")
			require.NoError(t, release())
		}

		// Standbys take all that max_wal_senders has.
		var standbys []*pgtest.Cluster
		for range 3 {
			s := c.Standby(t)
			s.WaitStreaming(t, c)
			standbys = append(standbys, s)
		}
		var not *source.ReplicationError
		require.Eventually(t, func() bool { return errors.As(src.TryReplication(t.Context(), want), &not) }, time.Minute, 20*time.Millisecond,
			"a standby may just be connecting again")
		assert.Contains(t, not.Hint, "max_wal_senders")
		assert.True(t, not.Temporary)
		for _, s := range standbys {
			s.Stop(t, pgtest.Immediate)
		}
	})
}

// TestASourceThatAttacksAStandby has a source lie while the connection of a standby is
// tried.
func TestASourceThatAttacksAStandby(t *testing.T) {
	in, err := servers.Major(t.Context(), "18")
	if err != nil {
		t.Skip(err)
	}
	c := in.InitCluster(t, pgtest.Options{TCP: true})
	c.Start(t)
	want := standbyOf(t, c)
	const identify, stream = "IDENTIFY_SYSTEM", "START_REPLICATION"
	keepalive := rogueserver.Bytes(&pgproto3.CopyData{Data: append([]byte{'k'}, make([]byte, 17)...)})
	for _, a := range []struct {
		name string
		rogueserver.Attack
		want string
	}{
		{"keepalives for ever", rogueserver.Attack{SQL: stream, Kind: 'd', Do: forever(keepalive)}, "more of a stream than it was asked for"},
		{"a large piece that is no WAL", rogueserver.Attack{SQL: stream, Kind: 'd', Do: func(v *rogueserver.Victim) bool {
			return v.Raw(rogueserver.Bytes(&pgproto3.CopyData{Data: append([]byte{'k'}, make([]byte, 1000)...)}))
		}}, "a message of 1001 bytes that is no WAL"},
		{"a piece of 900 MB", rogueserver.Attack{SQL: stream, Kind: 'd', Do: huge('d')}, "943718400 bytes of a stream at once"},
		{"a stream that begins again and again", rogueserver.Attack{SQL: stream, Kind: 'W', Do: again}, "a stream that it was not asked for"},
		{"a stream instead of who it is", rogueserver.Attack{SQL: identify, Kind: 'T', Do: first(rogueserver.Bytes(&pgproto3.CopyBothResponse{}))}, "a stream that it was not asked for"},
		{"a stream that has not begun", rogueserver.Attack{SQL: stream, Kind: 'W', Do: func(v *rogueserver.Victim) bool { return v.Raw(keepalive) }}, "a piece of a stream that it was not asked for"},
		{"silence instead of WAL", rogueserver.Attack{SQL: stream, Kind: 'd', Do: (*rogueserver.Victim).Wait}, "nothing came from the server for"},
		{"WAL byte by byte", rogueserver.Attack{SQL: stream, Kind: 'd', Do: func(v *rogueserver.Victim) bool { return v.Drip(v.Message, 20*time.Millisecond) }}, "nothing came from the server for"},
		{"rows for ever", rogueserver.Attack{SQL: identify, Kind: 'D', Do: again}, "more rows than it was asked for"},
	} {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			r, err := rogueserver.Start("127.0.0.1:"+strconv.Itoa(c.Port()), a.Attack)
			require.NoError(t, err)
			defer r.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			src := open(t, c.TCPConnString("postgres", "postgres"), pgsource.Options{Timeout: 4 * time.Second})
			s := want
			s.ConnInfo = fmt.Sprintf("host=127.0.0.1 port=%d user=postgres sslmode=disable", r.Port())
			err = src.TryReplication(ctx, s)
			assert.ErrorContains(t, err, a.want)
			assert.NoError(t, ctx.Err())
			assert.NotZero(t, r.Began())
		})
	}
}

// TestASlotOfWhichNobodyHeardIsSpokenOf loses the connection right when the slot was made.
func TestASlotOfWhichNobodyHeardIsSpokenOf(t *testing.T) {
	pgtest.EachOf(t, []string{"9.6", "18"}, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{TCP: true})
		c.Start(t)
		r, err := rogueserver.Start("127.0.0.1:"+strconv.Itoa(c.Port()), rogueserver.Attack{SQL: "pg_create_physical_replication_slot", Kind: 'D', Do: func(*rogueserver.Victim) bool { return false }})
		require.NoError(t, err)
		src := open(t, fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable", r.Port()))
		_, err = src.MakeSlot(t.Context(), "made")
		assert.ErrorContains(t, err, "may exist nevertheless")
		assert.Equal(t, "1", c.QueryString(t, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'made'"))
		r.Close()
		_, err = src.MakeSlot(t.Context(), "other")
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "may be there", "nobody asked for it")
	})
}
