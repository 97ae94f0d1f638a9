#!/bin/sh
# Makes the clusters of this directory anew, with real servers and, where they can
# be had, genuine pg_rewind and pg_waldump:
#
#   make.sh [REGEXP]    all of them, or those whose name matches
#
# The files differ each time, since OIDs, times and page images do. Look at what
# the golden files then say before you commit them.
set -eu
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
chmod 777 "$out" # root's clusters are made by another user
go run ./testdata/makeclusters -only "${1:-}" "$out"
for dir in "$out"/*; do
	rm -rf "testdata/clusters/${dir##*/}"
	cp -R "$dir" testdata/clusters/
done
go test ./rewind ./walreader -run Fixture -update
