package pgsource

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// postmaster is one run of one server, from its start to its end.
type postmaster struct {
	started time.Time // by the server's own clock, in microseconds
	pid     int
	dir     string // its data directory
	socket  string // its port, and the directory of its socket
	address string // what the connection came to, as the server has it; empty for a Unix socket
}

// postmasterSQL tells the run, what the clock of the server says, and whether a lock
// is held there (see proof). All may ask that who may read files; a postmaster.pid
// that is read says what data_directory, which takes more than that, would.
const postmasterSQL = startedSQL + `, (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1e6)::int8,
		COALESCE(pg_catalog.pg_read_binary_file('postmaster.pid', 0, 4096, true), ''),
		COALESCE(pg_catalog.host(pg_catalog.inet_server_addr()) || ' port ' || pg_catalog.inet_server_port()::text, '')`

// startedSQL is when it started, in microseconds of Unix time, which float8 holds.
const startedSQL = `(pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()) * 1e6)::int8`

// readPIDFile takes from a postmaster.pid what stays as long as the postmaster does
// (LOCK_FILE_LINE_*, miscadmin.h; they are the same from 9.6 on). Lines that it does
// not have are empty.
func (m *postmaster) readPIDFile(content []byte) {
	lines := append(bytes.Split(content, []byte("\n")), nil, nil, nil, nil, nil)
	m.pid, _ = strconv.Atoi(string(lines[0]))
	m.dir, m.socket = string(lines[1]), fmt.Sprintf("%q %q", lines[3], lines[4])
}

// is tells whether it is the same run. Two postmasters that started in one
// microsecond still have, as a rule, different process IDs.
func (m *postmaster) is(other *postmaster) bool {
	return m.started.Equal(other.started) && m.pid == other.pid
}

// mayFollow tells whether it can be the run after another one, of the same server:
// it starts when that has ended, where that was. alive is a time at which the other
// one is known to have lived, by the server's clock.
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
