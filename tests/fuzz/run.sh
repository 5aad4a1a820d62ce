#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzz target of a fuzz build for some seconds: sh tests/fuzz/run.sh build-fuzz [seconds]
# A crash leaves its input in the build directory; put it into tests/fuzz/seeds/<subject>/ with the fix.
set -eu
build=$1
seconds=${2:-10}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$build/corpus"
for target in "$build"/tests/fuzz_*; do
  [ -x "$target" ] || continue
  subject=$(basename "$target")
  subject=${subject#fuzz_}
  mkdir -p "$build/corpus/$subject"
  if ! "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -artifact_prefix="$build/crash-$subject-" \
    "$build/corpus/$subject" "$here/seeds/$subject" >"$build/fuzz-$subject.log" 2>&1; then
    tail -40 "$build/fuzz-$subject.log"
    echo "fuzz target $subject failed" >&2
    exit 1
  fi
  printf '%-14s %s\n' "$subject" "$(grep -E '^(Done|stat::number_of_executed_units)|runs in' "$build/fuzz-$subject.log" | tail -1)"
done
