#!/bin/sh
# Makes the files of this directory for one major, from a real cluster:
#
#   make.sh MAJOR BINDIR PSQL OUT
#
# BINDIR holds initdb, pg_ctl and postgres of that major, and pg_controldata if
# there is one; PSQL may be of any major. Run it as an unprivileged user.
#
#   MAJOR.pg_control          a running primary on timeline 2
#   MAJOR-standby.pg_control  the same cluster, stopped, then running as a standby
#   *.sql                     what the server's own pg_control_*() functions said at that moment
#   *.pg_controldata          what pg_controldata said, where there is one
set -eu
major=$1 bin=$2 psql=$3 out=$4
export LC_ALL=C TZ=UTC PGTZ=UTC
dir=$(mktemp -d)
data=$dir/data
trap '"$bin/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1 || :; rm -rf "$dir"' EXIT

segsize=
if "$bin/initdb" --help | grep -q wal-segsize; then segsize=--wal-segsize=2; fi
"$bin/initdb" -D "$data" -A trust -U postgres -k $segsize >"$dir/log"

# Every setting that the control file holds gets a value of its own.
cat >>"$data/postgresql.conf" <<EOF
listen_addresses = ''
unix_socket_directories = '$dir'
wal_level = logical
wal_log_hints = on
hot_standby = on
max_connections = 37
max_worker_processes = 11
max_wal_senders = 7
max_prepared_transactions = 5
max_locks_per_transaction = 77
track_commit_timestamp = on
EOF

start() { "$bin/pg_ctl" -D "$data" -w -l "$dir/log" start >/dev/null; }
stop() { "$bin/pg_ctl" -D "$data" -w -m fast stop >/dev/null; }
sql() { "$psql" -XAtq -h "$dir" -U postgres -d postgres -c "$1"; }

standby() {
	if [ -e "$data/recovery.done" ] || ! grep -q standby.signal "$bin/postgres"; then
		printf "standby_mode = on\nrecovery_target_timeline = 'latest'\n" >"$data/recovery.conf"
	else
		: >"$data/standby.signal"
	fi
	start
}

# snapshot waits until the control file did not change around the questions.
snapshot() {
	while :; do
		cp "$data/global/pg_control" "$dir/before"
		for f in system checkpoint recovery init; do
			"$psql" -XAtqx -h "$dir" -U postgres -d postgres -c "SELECT * FROM pg_control_$f()"
		done >"$dir/sql"
		if [ -x "$bin/pg_controldata" ]; then "$bin/pg_controldata" "$data" >"$dir/controldata"; fi
		cmp -s "$dir/before" "$data/global/pg_control" && break
		sleep 1
	done
	cp "$dir/before" "$out/$1.pg_control"
	cp "$dir/sql" "$out/$1.sql"
	if [ -e "$dir/controldata" ]; then cp "$dir/controldata" "$out/$1.pg_controldata"; fi
}

start
sql "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i"
sql "BEGIN; SELECT count(*) FROM (SELECT * FROM t FOR SHARE) x; SAVEPOINT s; UPDATE t SET i = i + 1; COMMIT" >/dev/null
stop
standby
"$bin/pg_ctl" -D "$data" promote >/dev/null
until [ "$(sql 'SELECT pg_is_in_recovery()')" = f ]; do sleep 1; done
sql "CREATE TABLE u AS SELECT generate_series(1, 1000) AS i"
sql "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'held'"
sql CHECKPOINT
snapshot "$major"
stop
standby
snapshot "$major-standby"
stop
