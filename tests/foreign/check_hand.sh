#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# By hand, with openssl and sha256sum: who signed the checkpoint, and is entry INDEX a leaf of the tree?
# usage: sh check_hand.sh LOG VKEY_FILE INDEX      exit 1 with a line "reject ...": something is wrong
# The same commands stand in daemon/verify/FOREIGN.md.
set -eu
log=$1
vkey=$(cat "$2")
index=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
reject() {
  echo "reject $1"
  exit 1
}

# the key: name+id+base64(01, 32 bytes of Ed25519); openssl wants it in a wrapping of 12 bytes
name=${vkey%%+*}
id=${vkey#*+}
blob=${id#*+}
id=${id%%+*}
echo "$blob" | base64 -d | tail -c 32 >"$work/raw" 2>/dev/null || reject "key is no base64"
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000' && cat "$work/raw"; } >"$work/key.der"

# the note: text up to the empty line; behind it "— name base64(4 bytes id, 64 bytes signature)"
sed '/^$/,$d' "$log/checkpoint" >"$work/text"
line=$(sed -n "s|^— $name ||p" "$log/checkpoint") # others may have signed as well
[ -n "$line" ] || reject "no signature line of $name"
echo "$line" | base64 -d >"$work/blob" 2>/dev/null || reject "signature is no base64"
[ "$(head -c 4 "$work/blob" | od -An -tx1 | tr -d ' \n')" = "$id" ] || reject "signed by another key"
tail -c 64 "$work/blob" >"$work/signature"
openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$work/key.der" \
  -in "$work/text" -sigfile "$work/signature" >"$work/said" 2>&1 || reject "signature: $(tail -1 "$work/said")"
[ "$(head -1 "$work/text")" = "$name" ] || reject "origin of another log"

# the entry: in bundle INDEX/256, each entry behind two bytes of length
size=$(sed -n 2p "$work/text")
[ "$index" -lt "$size" ] || reject "no entry $index"
n=$((index / 256))
width=$((size - n * 256))
place() { # kind
  file="$log/tile/$1/$(printf %03d "$n")"
  [ "$width" -ge 256 ] || [ ! -e "$file.p/$width" ] || file="$file.p/$width"
  [ -e "$file" ] || reject "no $file"
}
place entries
at=0
i=$((n * 256))
while [ $i -le "$index" ]; do
  length=$(od -An -tu1 -j $at -N 2 "$file" | awk 'NF == 2 { print $1 * 256 + $2 }')
  [ -n "$length" ] || reject "bundle ends before entry $index"
  start=$((at + 2))
  at=$((start + length))
  i=$((i + 1))
done
[ "$(wc -c <"$file")" -ge $at ] || reject "bundle ends within entry $index"
{ printf '\000' && tail -c +$((start + 1)) "$file" | head -c "$length"; } >"$work/leaf"
leaf=$(sha256sum "$work/leaf" | cut -d ' ' -f 1)

# the tile: 32 bytes an entry
place 0
[ "$leaf" = "$(od -An -v -tx1 -j $((index % 256 * 32)) -N 32 "$file" | tr -d ' \n')" ] ||
  reject "entry $index is not the leaf in $file"
echo "accept 1 1 0"
