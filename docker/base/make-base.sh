#!/bin/sh
# Makes dockyard/base:bookworm without a container registry: Debian bookworm
# with python3 and nothing that an image of ours does not need.
#
# Packages come from where this machine's own apt takes them; a machine whose
# apt knows no bookworm names a mirror with --mirror. The result is the same
# bytes for the same package versions and the same SOURCE_DATE_EPOCH.
set -eu

script=$(sha256sum "$0" | cut -d ' ' -f 1)
suite=bookworm
tag=dockyard/base:$suite
mirror=
output=
usage="usage: make-base.sh [--mirror URI] [--tag NAME:TAG] [--output FILE.tar]"

fail() { # what, what to do
    printf 'make-base: %s\n  %s\n' "$1" "$2" >&2
    exit 3
}

while [ $# -gt 0 ]; do
    case $1 in
    --mirror | --tag | --output)
        [ $# -ge 2 ] || { echo "$usage" >&2; exit 2; }
        case $1 in
        --mirror) mirror=$2 ;;
        --tag) tag=$2 ;;
        --output) output=$2 ;;
        esac
        shift 2
        ;;
    -h | --help) echo "$usage"; exit 0 ;;
    *) echo "$usage" >&2; exit 2 ;;
    esac
done

command -v mmdebstrap >/dev/null ||
    fail "mmdebstrap is not installed" "Debian and Ubuntu: apt-get install mmdebstrap"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# The suites of this release that apt is set up for, one 'deb' line each.
if [ -n "$mirror" ]; then
    echo "deb $mirror $suite main" >"$work/sources"
elif command -v apt-get >/dev/null; then
    apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) $(COMPONENT)' 'Identifier: Packages' |
        grep -E "^deb [^ ]+ $suite(-updates|-security)? main\$" | sort -u >"$work/sources" || :
else
    : >"$work/sources"
fi
[ -s "$work/sources" ] ||
    fail "this machine's apt knows no Debian $suite (or has no package lists yet)" \
        "run 'apt-get update', or name a mirror: make-base.sh --mirror URI"

# How this machine reaches its mirrors (proxies, certificates) matters while
# the base is made and must not stay in it.
: >"$work/apt.conf"
if command -v apt-config >/dev/null; then
    apt-config dump 2>/dev/null | grep '^Acquire::' | grep -v '""' | grep -v '^Acquire::Languages' >"$work/apt.conf" || :
fi

# Debian's own release date is a stable stamp for what has none of its own.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1686355200}
export SOURCE_DATE_EPOCH

# Without this hook the package usrmerge comes along, and a whole perl with it.
merged=
hook=/usr/share/mmdebstrap/hooks/merged-usr
if [ -d "$hook" ]; then merged=--hook-dir=$hook; fi

echo "make-base: Debian $suite with python3, from $(grep -c . "$work/sources") apt source(s)"
# apt: a target's image may need more of Debian's packages, as on the public
# base. libstdc++6: every vendor library needs it. python3-venv: brings the pip
# that installs the locked requirements while an image is built.
mmdebstrap \
    --variant=essential \
    --format=tar \
    $merged \
    --include=usr-is-merged,apt,python3,python3-venv,ca-certificates,libstdc++6 \
    --aptopt="$work/apt.conf" \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --customize-hook='rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/apt/sources.list' \
    --customize-hook='rm -rf "$1"/etc/apt/sources.list.d/* "$1"/etc/resolv.conf "$1"/etc/hostname' \
    --customize-hook='rm -rf "$1"/var/log/* "$1"/var/cache/* "$1"/var/lib/apt/lists' \
    "$suite" "$work/base.tar" "$work/sources"

if [ -n "$output" ]; then
    cp "$work/base.tar" "$output"
    echo "make-base: wrote $output"
    exit 0
fi

command -v docker >/dev/null || fail "docker is not installed" "install Docker Engine, or use --output FILE.tar"
# The label says which make-base.sh it was: a base of another one is not taken for this one's.
docker import \
    --change "LABEL dockyard.lock=$script" \
    --change 'ENV LANG=C.UTF-8' \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'CMD ["python3"]' \
    --message "made by docker/base/make-base.sh" \
    "$work/base.tar" "$tag" >"$work/id"
echo "make-base: $tag is $(cat "$work/id")"
