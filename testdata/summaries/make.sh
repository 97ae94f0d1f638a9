#!/bin/sh
# Makes the WAL summaries of this directory for one major (17 or later), with a real
# server:
#
#   make.sh MAJOR BINDIR
#
# BINDIR holds initdb, pg_ctl, postgres, psql and pg_walsummary of that major. Run it
# as an unprivileged user who may write here.
#
#   MAJOR/*.summary   files of pg_wal/summaries
#   MAJOR/*.txt       what pg_walsummary said of each
set -eu
major=$1 bin=$2 out=$(cd "$(dirname "$0")" && pwd)/$1
export LC_ALL=C
dir=$(mktemp -d)
data=$dir/data
trap '"$bin/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1 || :; rm -rf "$dir"' EXIT

"$bin/initdb" -D "$data" -A trust -U postgres --wal-segsize=1 >"$dir/log"
cat >>"$data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$dir'
summarize_wal = on
autovacuum = off
END
"$bin/pg_ctl" -D "$data" -w -l "$dir/log" start >/dev/null
sql() { "$bin/psql" -XAtq -h "$dir" -U postgres -d "$1" -c "$2"; }
# checkpoint ends a summary, and waits for it.
checkpoint() {
	sql postgres CHECKPOINT
	until [ "$(sql postgres "SELECT redo_lsn <= summarized_lsn FROM pg_control_checkpoint(), pg_get_wal_summarizer_state()")" = t ]; do
		sleep 0.1
	done
}

sql postgres "CREATE TABLE cut AS SELECT generate_series(1, 20000) AS x"
sql postgres "CREATE TABLE dropped AS SELECT generate_series(1, 2000) AS x"
checkpoint
mkdir -p "$out"
rm -f "$out"/*
ls "$data/pg_wal/summaries" >"$dir/before"

# Pieces that are a bitmap, and lists that are not sorted.
sql postgres "CREATE TABLE large (x text STORAGE PLAIN)"
sql postgres "INSERT INTO large SELECT repeat('x', 5000) FROM generate_series(1, 5000)"
sql postgres "UPDATE cut SET x = -x WHERE x % 3000 = 0"
checkpoint
# Limits: cut and grown again, dropped, rolled back, unlogged.
sql postgres "DELETE FROM cut WHERE x > 5000 OR x < 0"
sql postgres "VACUUM cut"
sql postgres "INSERT INTO cut SELECT generate_series(1, 3000)"
sql postgres "DROP TABLE dropped"
sql postgres "BEGIN; CREATE TABLE never AS SELECT generate_series(1, 2000) AS x; ROLLBACK"
sql postgres "CREATE UNLOGGED TABLE unlogged (x int)"
checkpoint
# Databases.
sql postgres "CREATE DATABASE copied STRATEGY file_copy"
sql copied "CREATE TABLE t AS SELECT 1 AS x"
sql postgres "DROP DATABASE copied"
checkpoint
for summary in "$data"/pg_wal/summaries/*; do
	name=$(basename "$summary")
	grep -q "$name" "$dir/before" && continue
	cp "$summary" "$out/"
	chmod a+r "$out/$name"
	"$bin/pg_walsummary" "$summary" >"$out/${name%.summary}.txt"
done
