#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs fuzz targets of a fuzz build, one a processor at a time.
# usage: sh tests/fuzz/run.sh BUILD [SECONDS | total=SECONDS] [SUBJECT...]
#   SECONDS          for every target (default 10)
#   total=SECONDS    so long that the whole run takes about this time
#   SUBJECT...       these targets only (wal, note, ...; default: all)
# A crash leaves its input in the build directory; put it into tests/fuzz/seeds/<subject>/ with the fix.
set -eu
build=$1
wanted=${2:-10}
[ $# -lt 2 ] && shift || shift 2
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -eq 0 ]; then
  for target in "$build"/tests/fuzz_*; do
    [ ! -x "$target" ] || set -- "$@" "${target##*/fuzz_}"
  done
fi
processors=$(nproc)
case $wanted in
total=*) seconds=$((${wanted#total=} * processors / $#)) ;;
*) seconds=$wanted ;;
esac
echo "fuzzing $# targets for $seconds s each, $processors at a time"
mkdir -p "$build/corpus"
export build here seconds
# shellcheck disable=SC2016 # expanded by the inner shell
printf '%s\n' "$@" | xargs -P "$processors" -I '{}' sh -c '
  target=$build/tests/fuzz_{}
  mkdir -p "$build/corpus/{}"
  if [ ! -x "$target" ] || ! "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 \
    -artifact_prefix="$build/crash-{}-" "$build/corpus/{}" "$here/seeds/{}" >"$build/fuzz-{}.log" 2>&1; then
    tail -40 "$build/fuzz-{}.log" >&2
    echo "fuzz target {} failed" >&2
    exit 255
  fi
  printf "%-14s %s\n" "{}" "$(grep -E "^(Done|stat::number_of_executed_units)|runs in" "$build/fuzz-{}.log" | tail -1)"'
