#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Hidden organic masses in simulated dual-energy trucks of mixed cargo: trains, measures, and writes the table of bench/TRUCKS.md to
# standard output and the curve to bench/trucks.svg. Ten minutes of one processor. usage: sh bench/trucks.sh [options of bench_trucks]
set -eu
cd "$(dirname "$0")/.."
cmake --preset release >/dev/null
cmake --build --preset release --target bench_trucks >/dev/null
models=$(mktemp -d)
trap 'rm -rf "$models"' EXIT
build/bench/bench_trucks -o "$models" -g bench/trucks.svg "$@"
