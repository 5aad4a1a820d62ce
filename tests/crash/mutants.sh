#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The test of the crash tests: sh mutants.sh DIRECTORY NAME:MODE:RUNS...
# Every DIRECTORY/oversight_crash_NAME is the product broken in one way (tests/crash/mutant.h). Fails when the simulator
# does not notice one of them within RUNS runs.
set -u
directory=$1
shift
survived=0
for mutant in "$@"; do
  name=${mutant%%:*}
  rest=${mutant#*:}
  mode=${rest%%:*}
  runs=${rest#*:}
  output=$("$directory/oversight_crash_$name" --seed 1 --runs "$runs" --mode "$mode")
  status=$?
  if [ $status -eq 0 ]; then
    echo "SURVIVED $name: $output"
    survived=$((survived + 1))
  elif [ "$(printf '%s\n' "$output" | grep -c '^repeat: ')" -ne 1 ]; then
    echo "BROKEN $name: status $status without one line that repeats it: $output"
    survived=$((survived + 1))
  else
    echo "caught $name: $(printf '%s' "$output" | tr '\n' ' ')"
  fi
done
exit $((survived > 0))
