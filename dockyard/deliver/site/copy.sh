#!/bin/sh
# Copies this delivery into a folder, file by file, and goes on where an earlier call was cut off: what lies
# there as it was made is left, anything else is copied again. The image's archive is in parts for that.
#
#   ./copy.sh FOLDER
set -eu

fail() { # what, what to do
    printf 'copy: %s\n  %s\n' "$1" "$2" >&2
    exit 1
}

[ $# -eq 1 ] || { echo "usage: copy.sh FOLDER" >&2; exit 2; }
mkdir -p "$1" || fail "the folder $1 cannot be made" "name another one"
to=$(cd "$1" && pwd)
cd "$(dirname "$0")"
[ "$to" != "$PWD" ] || fail "$to is this delivery itself" "name another folder"

copy() { # file: it gets its name when it is whole
    mkdir -p "$to/$(dirname "$1")" && cp "$1" "$to/.copying" && mv "$to/.copying" "$to/$1" ||
        fail "$1 cannot be copied" "is there room on the disk? then call this again: it goes on here"
}

copied=0
while read -r sum file; do
    if [ -f "$to/$file" ] && [ "$(sha256sum <"$to/$file")" = "$sum  -" ]; then continue; fi
    copy "$file"
    copied=$((copied + 1))
done <SHA256SUMS
# Last: a folder without them is no delivery.
for file in SHA256SUMS receipt.json; do copy "$file"; done
echo "copy: $copied of $(wc -l <SHA256SUMS) files were copied; next: $to/verify.sh"
