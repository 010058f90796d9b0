#!/bin/sh
# Locks every requirements file of the repository anew, with hashes, for Python
# 3.10 and newer on every platform. `docker/lock.sh --upgrade` takes newer
# releases; without it the pins stay as long as they satisfy the .in file. What
# overrides-<toolchain>.txt says beats what the packages ask for.
#
# The locks are installed without looking at dependencies (uv pip sync, or
# pip install --no-deps), so what is left out here is really not installed:
#   openvino-telemetry  writes a client id and sends usage data; OpenVINO and
#                       NNCF fall back to stubs of their own without it
#   libclang, setuptools, wheel
#                       70 MB that TensorFlow names and never imports
set -eu
cd "$(dirname "$0")/.."
# A machine's own find-links and Python downloads would leak into the locks.
unset PIP_FIND_LINKS UV_FIND_LINKS
export UV_PYTHON_DOWNLOADS=never

lock() {
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
        uv pip compile --quiet --universal --python-version 3.10 \
            --generate-hashes --no-emit-index-url --no-header \
            --no-emit-package openvino-telemetry --no-emit-package libclang \
            --no-emit-package setuptools --no-emit-package wheel \
            "$@" "$name.in" -o "$name.txt"
    )
}

lock requirements.in "$@"
for in in docker/*/requirements-*.in; do
    case $in in
    *-runtime.in) ;;
    *)
        lock "$in" "$@"
        # The runtime's pins are the whole's pins.
        runtime=${in%.in}-runtime.in
        if [ -e "$runtime" ]; then
            lock "$runtime" "$@" --constraint "$(basename "${in%.in}.txt")"
        fi
        ;;
    esac
done
