#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the commands of daemon/oversight/ENTRIES.md as they stand there on a log of ours: every entry decodes, and its digest is
# the one in the tile. usage: read_with_protoc.sh SOURCE_DIR WRITER
set -eu
source=$1
writer=$2
if ! command -v protoc >/dev/null 2>&1; then
  echo "SKIP: protoc is not installed (protobuf-compiler)"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
ln -s "$source/proto" proto
"$writer" "$folder/log/2026" 100 >count
sed -n '/^```sh$/,/^```$/p' "$source/daemon/oversight/ENTRIES.md" | sed '/^```/d' >commands
[ "$(wc -l <commands)" -gt 5 ] || { echo "the page has no commands any more" >&2; exit 1; }
sh -eu commands >told
grep -c '^type: ENTRY_' told >entries
[ "$(cat entries)" -eq 256 ] || { echo "$(cat entries) entries were decoded, not 256" >&2; exit 1; }
for type in LOG_OPEN DRAW_COMMIT DECLARATION_RECEIVED SCAN_RECEIVED SCORE REFERRAL_DECISION OFFICER_ACTION OUTCOME; do
  grep -q "^type: ENTRY_$type\$" told || { echo "no $type among the entries" >&2; exit 1; }
done
sed -n 's/^\([0-9a-f]\{64\}\)  -$/\1/p' told >digests
grep -x '[0-9a-f]\{64\}' told >tile
[ "$(wc -l <tile)" -eq 256 ] || { echo "the tile has $(wc -l <tile) hashes, not 256" >&2; exit 1; }
cmp digests tile || { echo "the digests of the entries are not those of the tile" >&2; exit 1; }
if grep -q '^[0-9]*: ' told; then # what protoc prints for a field that the schema does not have
  echo "the schema does not know a field of an entry" >&2
  exit 1
fi
echo "256 entries, $(grep -c '^type:' told) decoded, digests as in the tile"
