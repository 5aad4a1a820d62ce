#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs, builds and runs every test: sh tests/run.sh [--quick]
# --quick leaves out the sanitizer builds. The last line is ctest's own summary of the ordinary build.
set -eu

cd "$(dirname "$0")/.."
quick=no
[ "${1:-}" = --quick ] && quick=yes
started=$(date +%s)
say() { printf '== %s (%ss)\n' "$1" "$(($(date +%s) - started))"; }

# which kernels the BLAS library takes is the product's own choice, and tested as such
unset OPENBLAS_CORETYPE

say "packages"
sh config/setup.sh test

build() { # preset, further options of the build
  say "build: $1"
  preset=$1
  shift
  directory=build-$preset
  [ "$preset" = release ] && directory=build
  # nothing of it is run: it is there for clang's warnings and errors, which ask no optimiser
  type=
  [ "$preset" = clang ] && type=-DCMAKE_BUILD_TYPE=Debug
  mkdir -p "$directory"
  cmake --preset "$preset" -DBUILD_TESTING=ON $type >"$directory/configure.log" 2>&1 || {
    tail -20 "$directory/configure.log"
    echo "configuring $preset failed" >&2
    exit 1
  }
  cmake --build --preset "$preset" "$@" >"$directory/build.log" 2>&1 || {
    grep -E 'error|warning|FAILED' "$directory/build.log" | head -30
    echo "building $preset failed; all of it is in $directory/build.log" >&2
    exit 1
  }
}

# Most of a test is waiting: for daemons that start, for threads, for a disk. Under the thread sanitizer it is computing: more
# at a time would end no sooner, and starve the threads of low priority that a test waits for.
run_tests() { # directory, tests at a time for each processor, further ctest options
  directory=$1
  jobs=$(($(nproc) * $2))
  shift 2
  (cd "$directory" && ctest --output-on-failure --no-tests=error -j "$jobs" "$@")
}

build release
if [ $quick = no ]; then
  build clang
  build asan
  say "tests: address and undefined-behaviour sanitizers"
  ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1 run_tests build-asan 2 -LE 'slow|lint'
  build tsan
  say "tests: thread sanitizer, flow and threads"
  TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions="$PWD/tests/tsan.supp" run_tests build-tsan 1 -L threads
  build fuzz --target fuzz_targets
  say "fuzzing: a short run of every target"
  sh tests/fuzz/run.sh build-fuzz 5
fi
say "tests: everything"
run_tests build 2
