#!/bin/sh
# Is every byte of this delivery what was made? Needs a shell, sha256sum and, for the signature, openssl.
#
#   ./verify.sh [--key KEY.pub]
#
# KEY.pub is the public key of whoever made the delivery, had by another way than this delivery. Without one
# only damage is found, and no forgery.
set -eu

fail() { # what, what to do
    printf 'verify: %s\n  %s\n' "$1" "$2" >&2
    exit 1
}

key=
while [ $# -gt 0 ]; do
    case $1 in
    --key)
        [ $# -ge 2 ] || { echo "usage: verify.sh [--key KEY.pub]" >&2; exit 2; }
        key=$2
        shift 2
        ;;
    *) echo "usage: verify.sh [--key KEY.pub]" >&2; exit 2 ;;
    esac
done
[ -z "$key" ] || [ -r "$key" ] || fail "the key $key cannot be read" "name the file of the public key"
case $key in '' | /*) ;; *) key=$PWD/$key ;; esac

cd "$(dirname "$0")"
for file in SHA256SUMS receipt.json; do
    [ -f "$file" ] || fail "$file is missing" "copy the delivery anew"
done

# Nothing may be here that is not listed: it would run or be read, and nobody has checked it.
listed=$(sed 's/^[0-9a-f]*  //' SHA256SUMS | LC_ALL=C sort)
here=$(find . -type f ! -path ./SHA256SUMS ! -path ./receipt.json | sed 's/^\.\///' | LC_ALL=C sort)
if [ "$listed" != "$here" ]; then
    only() { printf '%s\n%s\n%s\n' "$1" "$2" "$2" | LC_ALL=C sort | uniq -u | paste -sd ' ' -; } # in the first alone
    fail "missing: $(only "$listed" "$here"); added: $(only "$here" "$listed")" \
        "copy what is missing again (copy.sh), take away what was added"
fi
[ -z "$(find . ! -type f ! -type d)" ] || fail "there are links among the files" "copy the delivery anew"
sha256sum --check --strict --quiet SHA256SUMS >&2 || fail "a file is not as it was made" "copy what is named above again: copy.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
field() { # name: the value of a string in the envelope, which has one on a line
    sed -n "s/^ *\"$1\": \"\\([^\"]*\\)\",*\$/\\1/p" receipt.json
}
field payload | base64 -d >"$work/payload" 2>/dev/null || fail "receipt.json is damaged" "copy the delivery anew"
sums=$(sha256sum SHA256SUMS | cut -d ' ' -f 1)
grep -q "{\"digest\":{\"sha256\":\"$sums\"},\"name\":\"SHA256SUMS\"}" "$work/payload" ||
    fail "the receipt is not of this delivery" "take receipt.json as it was delivered"

if [ -z "$key" ]; then
    echo "verify: every byte is as it was made; who made it was not checked (--key)"
    exit 0
fi
command -v openssl >/dev/null || fail "openssl is not installed, which checks the signature" "install it"
id=$(openssl pkey -pubin -in "$key" -outform DER 2>/dev/null | sha256sum | cut -d ' ' -f 1)
signer=$(field keyid)
[ "$id" = "$signer" ] || fail "it is signed by '${signer:-nobody}', not by $id" "ask for the right key or delivery"
field sig | base64 -d >"$work/signature" 2>/dev/null || fail "the signature is damaged" "copy the delivery anew"
type=application/vnd.in-toto+json
printf 'DSSEv1 %d %s %d ' ${#type} "$type" "$(wc -c <"$work/payload")" | cat - "$work/payload" >"$work/signed"
openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in "$work/signed" -sigfile "$work/signature" >/dev/null 2>&1 ||
    fail "the signature is not of this receipt" "somebody has changed it: ask whoever made it"
echo "verify: every byte is as it was made, signed by $id"
