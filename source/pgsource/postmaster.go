package pgsource

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// postmaster is one run of a server, from its start to its end.
type postmaster struct {
	started time.Time // by the server's own clock, in microseconds
	pid     int
	dir     string // its data directory
	socket  string // its port, and the directory of its socket
	address string // the server's address of the connection, as the server reports it; empty for a Unix socket
}

// postmasterSQL reads the run, the server's clock, and whether a lock is held there (see
// proof). Every role that may read files may run it: it reads postmaster.pid, which has
// data_directory, because showing the setting requires more privileges.
const postmasterSQL = startedSQL + `, (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1e6)::int8,
		COALESCE(pg_catalog.pg_read_binary_file('postmaster.pid', 0, 4096, true), ''),
		COALESCE(pg_catalog.host(pg_catalog.inet_server_addr()) || ' port ' || pg_catalog.inet_server_port()::text, '')`

// startedSQL is the start time in microseconds of Unix time, which float8 can hold.
const startedSQL = `(pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()) * 1e6)::int8`

// readPIDFile reads from a postmaster.pid the lines that do not change while the postmaster
// runs (LOCK_FILE_LINE_*, miscadmin.h; they are the same from 9.6 on). Missing lines
// are empty.
func (m *postmaster) readPIDFile(content []byte) {
	lines := append(bytes.Split(content, []byte("\n")), nil, nil, nil, nil, nil)
	m.pid, _ = strconv.Atoi(string(lines[0]))
	m.dir, m.socket = string(lines[1]), fmt.Sprintf("%q %q", lines[3], lines[4])
}

// is reports whether it is the same run. Two postmasters that started in the same
// microsecond usually still have different process IDs.
func (m *postmaster) is(other *postmaster) bool {
	return m.started.Equal(other.started) && m.pid == other.pid
}

// mayFollow reports whether it can be a later run of the same server: it must start
// after the other run ended, in the same place. alive is a time at which the other
// run is known to have been alive, by the server's clock.
func (m *postmaster) mayFollow(other *postmaster, alive time.Time) bool {
	return m.started.After(alive) && m.dir == other.dir && m.socket == other.socket && m.address == other.address
}

func (m *postmaster) String() string {
	text := fmt.Sprintf("the one that started at %s as process %d in %.200q", m.started.UTC().Format("2006-01-02 15:04:05.000000 MST"), m.pid, m.dir)
	if m.address != "" {
		text += fmt.Sprintf(" on %.80q", m.address)
	}
	return text
}
