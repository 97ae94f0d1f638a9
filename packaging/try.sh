#!/usr/bin/env bash
# Tests what dist.sh created in DIRECTORY: that a second run in another clone gives
# the same bytes, that the image can be built, run and copied from, and that the package
# for Debian works in a clean root, also in place of pg_rewind. It prints what cannot be
# tested here.
#
#   packaging/try.sh DIRECTORY
set -euo pipefail
out=$(realpath "$1")
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT

fail() { echo "packaging: $*" >&2; exit 1; }
skip() { echo "packaging: not tried: $*"; }

(cd "$out" && sha256sum --quiet -c SHA256SUMS)

if ! git rev-parse HEAD >/dev/null 2>&1; then
	skip "whether another clone gives the same bytes: this is no clone"
elif [ -z "$(git status --porcelain)" ]; then
	git clone -q . "$work/another-clone"
	make -s -C "$work/another-clone" dist DIST="$work/again" VERSION="$(git describe --tags --always --dirty)" PLATFORMS="linux/amd64 windows/amd64" >/dev/null
	for file in "$work"/again/*; do
		name=${file##*/}
		[ "$name" = SHA256SUMS ] || cmp "$file" "$out/$name" || fail "$name differs from run to run"
	done
	echo "reproducible: $(ls "$work/again" | grep -vc SHA256SUMS) files are the same from another clone"
else
	skip "whether another clone gives the same bytes: there are changes that are not committed"
fi

deb=$(ls "$out"/*_amd64.deb) rpm=$(ls "$out"/*.x86_64.rpm)
if command -v rpm >/dev/null; then
	[[ $'\n'$(rpm -qlp "$rpm" 2>/dev/null)$'\n' == *$'\n/usr/bin/gorewind\n'* ]] || fail "the RPM has no /usr/bin/gorewind"
	echo "rpm: $(rpm -qp --queryformat '%{NAME} %{VERSION} %{ARCH} %{LICENSE}' "$rpm" 2>/dev/null)"
else
	skip "the RPM: there is no rpm here"
fi

# The image, as docs/install.md says: run, and copied from.
builder=
for b in docker podman buildah; do # docker needs its daemon
	[ -n "$builder" ] || ! $b info >/dev/null 2>&1 || builder=$b
done
image=localhost/gorewind-try:$$ derived=localhost/gorewind-try-derived:$$
run_image() { # IMAGE PROGRAM ARGUMENT
	if [ $builder = buildah ]; then
		local container; container=$($builder from --pull-never "$1")
		$builder run --isolation chroot "$container" -- "$2" "$3"
		$builder rm "$container" >/dev/null
	else
		$builder run --rm --entrypoint "$2" "$1" "$3"
	fi
}
if [ "$(uname -m)" != x86_64 ]; then
	skip "the image: the archive for linux/amd64 does not run here"
elif [ -n "$builder" ]; then
	mkdir "$work/image"
	tar -xzf "$out"/gorewind-*-linux-amd64.tar.gz -C "$work/image" --strip-components 1
	trap '$builder rmi -f "$image" "$derived" >/dev/null 2>&1 || true; rm -rf --one-file-system "$work"' EXIT
	$builder build -q -f packaging/Dockerfile -t "$image" "$work/image" >/dev/null
	got=$(run_image "$image" /usr/bin/gorewind -V)
	[[ $got == "gorewind (gorewind) "* ]] || fail "the image's program says: $got"
	place=/usr/lib/postgresql/17/bin/pg_rewind
	printf 'FROM scratch\nCOPY --from=%s /usr/bin/gorewind %s\n' "$image" $place >"$work/image/derived"
	$builder build -q -f "$work/image/derived" -t "$derived" "$work/image" >/dev/null
	got=$(run_image "$derived" $place -V)
	[[ $got == "pg_rewind (PostgreSQL) "* ]] || fail "the program that was copied from the image says: $got"
	echo "image: built and run by $builder, and copied from as pg_rewind"
else
	skip "the image: no docker, podman or buildah works here"
fi

if [ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ]; then
	skip "the Debian package: this is no Debian of its architecture"
	exit
fi
only_unpack() {
	dpkg-deb -x "$deb" "$work/unpacked"
	"$work/unpacked/usr/bin/gorewind" -V
	skip "the Debian package in a clean root: $*; it was only unpacked"
	exit
}
[ "$(id -u)" = 0 ] || only_unpack "that takes root"
command -v debootstrap >/dev/null || only_unpack "there is no debootstrap"

root=$work/root
mirror=$(sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb +(\[[^]]*\] +)?([^ ]+).*/\2/p' /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null | sed -n '1{s,/*$,,;p}' || true)
debootstrap --variant=minbase "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" "$mirror" >"$work/debootstrap.log" 2>&1 || { tail -3 "$work/debootstrap.log"; only_unpack "debootstrap cannot make one here"; }
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"; }
cp "$deb" "$root/gorewind.deb"

# A fake PostgreSQL package in two versions.
for version in 1 2; do
	fake=$work/fake$version
	mkdir -p "$fake/DEBIAN" "$fake/usr/lib/postgresql/17/bin"
	printf '#!/bin/sh\necho pg_rewind of %s\n' $version >"$fake/usr/lib/postgresql/17/bin/pg_rewind"
	chmod 755 "$fake/usr/lib/postgresql/17/bin/pg_rewind"
	printf 'Package: postgresql-17\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: stands in\n' $version >"$fake/DEBIAN/control"
	dpkg-deb --root-owner-group -b "$fake" "$root/postgresql-$version.deb" >/dev/null
done
place=/usr/lib/postgresql/17/bin
says() { # WHAT COMMAND...
	local want=$1; shift
	local got; got=$(inside "$@" 2>&1) || fail "$*: $got"
	[[ $got == $want ]] || fail "$*: $got, not $want"
}
inside dpkg -i /postgresql-1.deb /gorewind.deb >/dev/null
says "gorewind (gorewind) *, commit $(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)" gorewind -V
says 'pg_rewind of 1' $place/pg_rewind # installing alone replaces nothing
inside gorewind-links on 17
says 'pg_rewind (PostgreSQL) *gorewind *' $place/pg_rewind -V
says 'pg_rewind of 1' $place/pg_rewind.postgresql
inside dpkg -i /postgresql-2.deb >/dev/null
says 'pg_rewind (PostgreSQL) *gorewind *' $place/pg_rewind -V
says 'pg_rewind of 2' $place/pg_rewind.postgresql
says "$place/pg_rewind: gorewind" gorewind-links status
inside gorewind-links off 17
says 'pg_rewind of 2' $place/pg_rewind
inside gorewind-links on 17
inside gorewind-links on 17 # once more changes nothing
inside dpkg -r gorewind >/dev/null
says 'pg_rewind of 2' $place/pg_rewind
[ ! -e "$root$place/pg_rewind.postgresql" ] || fail "removing the package left pg_rewind.postgresql"

# An administrator's own diversion is left alone, and causes no problems.
inside dpkg -i /gorewind.deb >/dev/null
inside dpkg-divert --quiet --local --rename --divert $place/pg_rewind.mine --add $place/pg_rewind
printf '#!/bin/sh\necho pg_rewind of mine\n' >"$root$place/pg_rewind"
chmod 755 "$root$place/pg_rewind"
inside dpkg -r gorewind >/dev/null
says 'pg_rewind of mine' $place/pg_rewind
says 'pg_rewind of 2' $place/pg_rewind.mine

# An interrupted "on", and an interrupted "off".
inside dpkg -i /gorewind.deb >/dev/null
rm "$root$place/pg_rewind"
inside dpkg-divert --quiet --local --rename --remove $place/pg_rewind
for then in on off; do
	inside dpkg-divert --quiet --local --rename --divert $place/pg_rewind.postgresql --add $place/pg_rewind
	inside gorewind-links $then 17
	[ $then = off ] || says 'pg_rewind (PostgreSQL) *gorewind *' $place/pg_rewind -V
	inside gorewind-links off 17
	says 'pg_rewind of 2' $place/pg_rewind
done
inside dpkg -r gorewind >/dev/null

# As with PGDG's RPMs, where no package manager keeps the link.
mkdir -p "$root/usr/pgsql-17/bin"
printf '#!/bin/sh\necho pg_rewind of RPM\n' >"$root/usr/pgsql-17/bin/pg_rewind"
chmod 755 "$root/usr/pgsql-17/bin/pg_rewind"
inside dpkg -i /gorewind.deb >/dev/null
inside gorewind-links on /usr/pgsql-17/bin
says 'pg_rewind (PostgreSQL) *gorewind *' /usr/pgsql-17/bin/pg_rewind -V
inside gorewind-links off
says 'pg_rewind of RPM' /usr/pgsql-17/bin/pg_rewind
inside dpkg -P gorewind >/dev/null
echo "deb: installed in a clean root, used as pg_rewind, upgraded around, removed"
