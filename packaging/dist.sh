#!/usr/bin/env bash
# Creates everything that is published for a release in DIRECTORY, where it only removes what
# an earlier run created: archives for every platform, packages for Debian and Red Hat,
# a list of the program's components (SBOM), and SHA256SUMS. The same commit gives the
# same bytes.
#
#   VERSION=… COMMIT=… PLATFORMS='OS/ARCH …' LDFLAGS=… packaging/dist.sh DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/.."
export TZ=UTC LC_ALL=C CGO_ENABLED=0

NFPM=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
CYCLONEDX=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0

fetch() { # DIRECTORY
	GOBIN=$1 go install "$NFPM"
	GOBIN=$1 go install "$CYCLONEDX"
}
if [ "$1" = --fetch-tools ]; then # only, so that what follows needs no network
	tools=$(mktemp -d)
	trap 'rm -rf "$tools"' EXIT
	fetch "$tools"
	exit
fi
out=$(realpath -m "$1")

# All files get the time of the commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
release=${VERSION#v}
# Packages sort 1.2.0~rc1 before 1.2.0, and 1.2.0+3.g08a24de after it.
PACKAGE_VERSION=$(sed -E 's/-dirty$/.dirty/; s/-([0-9]+)-g/+\1.g/; s/-/~/g; /^[0-9]+\.[0-9]/!s/^/0~git/' <<<"$release")
export PACKAGE_VERSION

mkdir -p "$out"
rm -f "$out"/gorewind[-_]* "$out/SHA256SUMS"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

go build -o "$work/here" ./cmd/gorewind
go build -o "$work/archive" ./packaging/archive
fetch "$work/tools"

common=$work/common
mkdir -p "$common/completions" "$common/man"
cp LICENSE README.md CHANGELOG.md "$common/"
cp man/gorewind.1 "$common/man/"
for shell in bash zsh fish; do "$work/here" completion $shell >"$common/completions/gorewind.$shell"; done

for platform in $PLATFORMS; do
	os=${platform%/*} arch=${platform#*/}
	name=gorewind-$release-$os-$arch
	program=gorewind
	[ "$os" != windows ] || program=gorewind.exe
	mkdir "$work/$name"
	cp -r "$common/." "$work/$name/"
	GOOS=$os GOARCH=$arch go build -trimpath -buildvcs=false -ldflags "$LDFLAGS" -o "$work/$name/$program" ./cmd/gorewind
	size=$(stat -c %s "$work/$name/$program")
	echo "$platform: $((size / 1000)) kB"
	suffix=tar.gz
	[ "$os" != windows ] || suffix=zip
	"$work/archive" -time "$SOURCE_DATE_EPOCH" -o "$out/$name.$suffix" "$work/$name"
	if [ "$os" = linux ]; then
		cp packaging/nfpm.yaml packaging/gorewind-links packaging/before-removal packaging/copyright "$work/$name/"
		gzip -9n "$work/$name/man/gorewind.1"
		for kind in deb rpm; do
			(cd "$work/$name" && ARCH=$arch "$work/tools/nfpm" package -f nfpm.yaml -p $kind -t "$out/" >/dev/null)
		done
		[ "$arch" != amd64 ] || "$work/tools/cyclonedx-gomod" bin -json -noserial -version "$release" \
			-output "$work/sbom.json" "$work/$name/gorewind" 2>/dev/null
	fi
done
# The tool records when it ran, which would make the result differ each time.
sed '/^ *"timestamp": /d' "$work/sbom.json" >"$out/gorewind-$release.cdx.json"

cd "$out"
sha256sum -- gorewind[-_]* >"$work/sums"
mv "$work/sums" SHA256SUMS
