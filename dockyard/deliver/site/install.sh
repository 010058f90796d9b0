#!/bin/sh
# Installs this delivery as a service of this machine's Docker engine, beside the version that runs, and
# switches over when it is healthy.
#
#   ./install.sh [--key KEY.pub] [--port 8080] [--name NAME] [--cpus N] [--memory 2g] [--api-key-file FILE]
#   ./install.sh rollback [--name NAME]     back to the version before
#   ./install.sh uninstall [--name NAME]    both versions and their images
#   ./install.sh status [--name NAME]
#
# Interrupted at any moment it leaves the version that ran. Killed while it switches, which takes a second or
# two, the next call of any kind puts that version back.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# Of what is built on its device at the first start; empty for what is not.
RUNTIME='' CACHE='' START_S=120 L4T_FROM='' L4T_BEFORE=''
. "$here/site.conf" # NAME, IMAGE, IMAGE_ID, BASE_ID, ARCHITECTURE, and those
port=8080 cpus='' memory='' key='' api_key='' command=install name=$NAME wait_s=${DOCKYARD_WAIT_S:-$START_S}
usage="usage: install.sh [install|rollback|uninstall|status] [--key KEY.pub] [--port N] [--name NAME] [--cpus N] [--memory SIZE] [--api-key-file FILE]"

say() { printf 'install: %s\n' "$1"; }
fail() { # what, what to do
    printf 'install: %s\n  %s\n' "$1" "$2" >&2
    exit "${3:-1}"
}

case ${1:-} in install | rollback | uninstall | status) command=$1; shift ;; esac
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || { echo "$usage" >&2; exit 2; }
    case $1 in
    --key) key=$2 ;;
    --port) port=$2 ;;
    --name) name=$2 ;;
    --cpus) cpus=$2 ;;
    --memory) memory=$2 ;;
    --api-key-file) api_key=$2 ;;
    *) echo "$usage" >&2; exit 2 ;;
    esac
    shift 2
done
case $name in *[!a-zA-Z0-9_.-]* | '' | -*) fail "'$name' is no name" "letters, digits, '_', '.', '-'" 2 ;; esac
case $port in *[!0-9]* | '') fail "'$port' is no port" "a number from 1 to 65535" 2 ;; esac
if [ -n "$api_key" ]; then
    [ -r "$api_key" ] || fail "the file $api_key cannot be read" "name the file with the API key" 2
    api_key=$(cd "$(dirname "$api_key")" && pwd)/$(basename "$api_key")
fi

command -v docker >/dev/null || fail "docker is not installed" "install Docker Engine 20.10 or newer" 3
docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
    fail "no Docker engine answers" "start it, or run this as somebody in the group docker" 3

# Containers: NAME serves, NAME-before is the version before, stopped; NAME-next is tried beside them;
# NAME-back is what a rollback leaves, for a moment.
has() { docker container inspect "$1" >/dev/null 2>&1; }
runs() { [ "$(docker container inspect --format '{{.State.Running}}' "$1" 2>/dev/null)" = true ]; }

# The options by which a container has the device, and the volume that keeps what is built there.
device_options() {
    [ -n "$CACHE" ] || return 0
    printf ' --volume %s:%s' "$name-built" "$CACHE"
    [ -n "$RUNTIME" ] || return 0
    printf ' --runtime %s' "$RUNTIME"
    for file in /dev/nvmap /dev/nvhost-ctrl /dev/nvhost-ctrl-gpu; do
        if [ -e "$file" ]; then printf ' --group-add %s' "$(stat -c %g "$file")"; fi
    done
}

start() { # container, port on this machine, or 0 for any
    # --init: the first process of a container is not ended by a signal that it does not handle yet.
    set -- "$1" "$2" --init --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --pids-limit 256
    container=$1 published=$2
    shift 2
    # shellcheck disable=SC2046  # they are several words, none of which has a space
    set -- "$@" $(device_options)
    [ -z "$cpus" ] || set -- "$@" --cpus "$cpus"
    [ -z "$memory" ] || set -- "$@" --memory "$memory" --memory-swap "$memory"
    [ -z "$api_key" ] || set -- "$@" --volume "$api_key:/run/api-key:ro"
    docker create --name "$container" "$@" --label dockyard.port="$published" --restart unless-stopped \
        --publish "$published:8080" "$IMAGE_ID" serve ${api_key:+--api-key-file /run/api-key} >/dev/null
    docker start "$container" >/dev/null
}

is_healthy() { # container: waits until it says so itself
    end=$(($(date +%s) + wait_s))
    while [ "$(date +%s)" -lt $end ]; do
        runs "$1" || return 1
        case $(docker container inspect --format '{{.State.Health.Status}}' "$1") in
        healthy) return 0 ;;
        unhealthy) return 1 ;;
        esac
        sleep 1
    done
    return 1
}

# What a call that was cut off while it switched has left is put in order. The engine may still be stopping
# what that call told it to stop: so it is stopped, which waits for that, before it is started.
mend() {
    cut=no
    if has "$name-back"; then
        cut=yes
        if has "$name"; then docker rename "$name-back" "$name-before"; else docker rename "$name-back" "$name"; fi
    fi
    if [ "$(docker container inspect --format '{{.State.Status}}' "$name" 2>/dev/null)" = created ]; then
        docker rm --force "$name" >/dev/null # it was about to take over, and never ran
    fi
    if ! has "$name" && has "$name-before"; then
        docker rename "$name-before" "$name"
        cut=yes
    fi
    if has "$name-next"; then
        docker rm --force "$name-next" >/dev/null
        cut=yes
    fi
    if has "$name" && { [ $cut = yes ] || ! runs "$name"; }; then
        docker stop -t 30 "$name" >/dev/null
        docker start "$name" >/dev/null || :
        say "what ran is started again"
    fi
}

status() {
    for one in "$name" "$name-before"; do
        if has "$one"; then
            docker container inspect --format '{{.Name}} {{.State.Status}} {{index .Config.Labels "org.opencontainers.image.version"}}' "$one" | cut -c 2-
        fi
    done
}

rollback() {
    mend
    has "$name-before" || fail "there is no version before this one" "install the older delivery again"
    trap mend EXIT
    docker stop -t 30 "$name" >/dev/null
    docker rename "$name" "$name-back"
    docker rename "$name-before" "$name"
    docker start "$name" >/dev/null
    docker rename "$name-back" "$name-before"
    trap - EXIT
    is_healthy "$name" || fail "the version before does not become healthy" "look at: docker logs $name"
    say "back to the version before: $(status | head -n 1)"
}

uninstall() {
    for one in "$name" "$name-before" "$name-next" "$name-back"; do
        has "$one" || continue
        image=$(docker container inspect --format '{{.Image}}' "$one")
        docker rm --force "$one" >/dev/null
        docker rmi "$image" >/dev/null 2>&1 || :
        say "removed $one"
    done
    if [ -n "$CACHE" ] && docker volume rm "$name-built" >/dev/null 2>&1; then say "removed the volume $name-built"; fi
}

load() {
    docker image inspect "$IMAGE_ID" >/dev/null 2>&1 && return
    if [ -n "$BASE_ID" ] && ! docker image inspect "$BASE_ID" >/dev/null 2>&1; then
        fail "this delivery holds what has changed since an older one, which is not here ($BASE_ID)" \
            "install the older one first, or ask for a whole delivery"
    fi
    say "loading the image"
    if command -v zstd >/dev/null; then
        cat "$here"/image.tar.zst.* | zstd -dc | docker load >/dev/null
    else
        cat "$here"/image.tar.zst.* | docker load >/dev/null
    fi || fail "the image could not be loaded" \
        "is there room on the disk? 'docker info' names the folder${BASE_ID:+; or ask for a whole delivery}"
    docker image inspect "$IMAGE_ID" >/dev/null 2>&1 ||
        fail "the engine has loaded another image than was delivered" "copy the delivery anew"
}

release() { printf '%s' "$1" | awk -F. '{ printf "%d%03d%03d", $1, $2, $3 }'; } # 36.4.3 as a number that can be compared

# What a device has to be, before anything is loaded on it.
check_device() {
    if [ -n "$RUNTIME" ] && ! docker info --format '{{json .Runtimes}}' | grep -q "\"$RUNTIME\""; then
        fail "this delivery needs the container runtime $RUNTIME, which Docker does not have" \
            "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker" 3
    fi
    [ -n "$L4T_FROM" ] || return 0
    here_l4t=$(sed -n '1s/^# R\([0-9]*\) (release), REVISION: \([0-9.]*\).*/\1.\2/p' "${DOCKYARD_L4T_FILE:-/etc/nv_tegra_release}" 2>/dev/null || :)
    wanted="L4T $L4T_FROM or later${L4T_BEFORE:+, before $L4T_BEFORE}"
    [ -n "$here_l4t" ] || fail "this delivery is for a Jetson with $wanted, and this machine has no L4T" "install it on one" 3
    if [ "$(release "$here_l4t")" -lt "$(release "$L4T_FROM")" ] ||
        { [ -n "$L4T_BEFORE" ] && [ "$(release "$here_l4t")" -ge "$(release "$L4T_BEFORE")" ]; }; then
        fail "this delivery is for $wanted, and this device has $here_l4t" "ask for the delivery for L4T $here_l4t" 3
    fi
}

discard() { docker rm --force "$name-next" >/dev/null 2>&1 || :; }

install() {
    if [ -n "$key" ]; then sh "$here/verify.sh" --key "$key"; else sh "$here/verify.sh"; fi
    machine=$(docker version --format '{{.Server.Arch}}')
    [ "$machine" = "$ARCHITECTURE" ] ||
        fail "this delivery is for $ARCHITECTURE, and the engine is $machine" "ask for the delivery for $machine"
    check_device
    mend
    load
    trap discard EXIT
    trap 'exit 130' INT TERM HUP
    say "self-test${CACHE:+, before which the networks are built for this device: the first time takes minutes}"
    # shellcheck disable=SC2046
    docker run --rm --network none --read-only --tmpfs /tmp --cap-drop ALL $(device_options) "$IMAGE_ID" self-test ||
        fail "the self-test failed: nothing was changed" "what it says above names the reason"
    if ! start "$name-next" 0 || ! is_healthy "$name-next"; then
        docker logs --tail 5 "$name-next" >&2 || :
        fail "the new version does not become healthy: nothing was changed" "its last lines are above"
    fi
    switch
    trap - EXIT
    discard
    say "$IMAGE serves on port $port"
}

# NAME-next stays until all is done: to whoever comes after a cut it says that there was one.
switch() {
    trap mend EXIT
    if has "$name"; then
        if has "$name-before"; then docker rm --force "$name-before" >/dev/null; fi
        docker stop -t 30 "$name" >/dev/null
        docker rename "$name" "$name-before"
    fi
    if ! start "$name" "$port" || ! is_healthy "$name"; then
        if has "$name"; then docker logs --tail 5 "$name" >&2 || :; docker rm --force "$name" >/dev/null; fi
        fail "it does not become healthy on port $port: the version before is put back" "is the port taken? --port"
    fi
}

$command
