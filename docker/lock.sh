#!/bin/sh
# Locks every requirements file of the repository anew, with hashes, for Python
# 3.10 and newer on every platform; one that begins with "# For Python 3.8" from
# there on. `docker/lock.sh --upgrade` takes newer releases; without it the pins
# stay as long as they satisfy the .in file.
# DOCKYARD_WORKSPACE=DIR docker/lock.sh locks those in DIR/docker instead.
#
# Beside a target's requirements-<toolchain>.in:
#   requirements-<toolchain>-runtime.in  what runs an artifact; its pins are the
#                                        whole's pins
#   overrides-<toolchain>.txt            beats what the packages ask for
#   left-out.txt                         packages that others name and that are
#                                        not installed
# What is left out is really not there: the locks are installed without looking
# at dependencies (uv pip sync, or pip install --no-deps).
set -eu
# uv is the one that `inv` installs, where there is one.
PATH=$(cd "$(dirname "$0")/.." && pwd)/.venv/bin:$PATH
cd "${DOCKYARD_WORKSPACE:-$(dirname "$0")/..}"
# A machine's own find-links and Python downloads would leak into the locks.
unset PIP_FIND_LINKS UV_FIND_LINKS
export UV_PYTHON_DOWNLOADS=never

lock() { # file.in, options of uv pip compile
    in=$1
    shift
    echo "lock: ${in%.in}.txt"
    (
        cd "$(dirname "$in")"
        name=$(basename "$in" .in)
        overrides=$(basename "overrides-${name#requirements-}" -runtime).txt
        if [ -e "$overrides" ]; then
            set -- "$@" --overrides "$overrides"
        fi
        if [ -e left-out.txt ]; then
            for package in $(sed 's/#.*//' left-out.txt); do
                set -- "$@" --no-emit-package "$package"
            done
        fi
        python=$(sed -n '1s/^# For Python \([0-9.]*[0-9]\).*/\1/p' "$name.in")
        uv pip compile --quiet --universal --python-version "${python:-3.10}" \
            --generate-hashes --no-emit-index-url --no-header \
            "$@" "$name.in" -o "$name.txt"
    )
}

for in in requirements.in requirements-docs.in docker/delivery/requirements.in docker/delivery/vendor/requirements.in; do
    if [ -e "$in" ]; then lock "$in" "$@"; fi
done
for in in docker/*/requirements-*.in; do
    case $in in
    *-runtime.in) ;;
    *)
        lock "$in" "$@"
        runtime=${in%.in}-runtime.in
        if [ -e "$runtime" ]; then
            lock "$runtime" "$@" --constraint "$(basename "${in%.in}.txt")"
        fi
        ;;
    esac
done
