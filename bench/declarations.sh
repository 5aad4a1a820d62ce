#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything about the model of declarations in one command: teaches it, holds it beside other libraries on the same rows, goes
# through the weeks with selective labels, measures its speed, and writes bench/DECLARATIONS.md and bench/selective.png.
# usage: sh bench/declarations.sh [--quick] [--only table|selective|speed]
# --quick: fewer rounds and seeds, into build/bench/declarations/. --only: that part again; the others as they were measured last. Tables: TRIAGED_SHARED_DATA (default ../shared/data). Peers live
# in the virtual environment TRIAGED_PEER_VENV (default build/bench/venv), which is made when it is not there; without them the
# peers' lines say SKIP. Exit 77 without the tables.
set -eu

cd "$(dirname "$0")/.."
quick=
only=
while [ $# -gt 0 ]; do
  case $1 in
  --quick) quick=--quick ;;
  --only)
    [ $# -ge 2 ] || { echo "declarations.sh: --only needs a part" >&2; exit 2; }
    only=$2
    shift
    ;;
  *)
    echo "usage: sh bench/declarations.sh [--quick] [--only table|selective|speed]" >&2
    exit 2
    ;;
  esac
  shift
done
tables=${TRIAGED_SHARED_DATA:-../shared/data}/declarations
if [ ! -r "$tables/train.csv" ] || [ ! -r "$tables/valid.csv" ]; then
  echo "SKIP: no tables of declarations at $tables (TRIAGED_SHARED_DATA)"
  exit 77
fi
fail() {
  echo "declarations.sh: $*" >&2
  exit 1
}

room=build/bench/declarations
mkdir -p "$room"
cmake --preset release >build/bench-configure.log 2>&1 || fail "configuring failed; see build/bench-configure.log"
cmake --build --preset release --target triagectl bench_declarations bench_features bench_selective >build/bench-build.log 2>&1 ||
  fail "building failed; see build/bench-build.log"

# The peers are nobody's dependency: without them, or without a way to get them, the lines of ours still come.
venv=${TRIAGED_PEER_VENV:-build/bench/venv}
python=$venv/bin/python
if [ ! -x "$python" ]; then
  echo "declarations.sh: making $venv" >&2
  if ! { python3 -m venv "$venv" &&
    "$python" -m pip install --quiet numpy lightgbm xgboost catboost scikit-learn matplotlib; } >"$room/venv.log" 2>&1; then
    echo "declarations.sh: no peers; see $room/venv.log" >&2
    if [ ! -x "$python" ]; then python=python3; fi
  fi
fi

# A peer that is missing says so itself and leaves with 77; that is not a failure.
with_peers() {
  "$@" || { status=$?; [ $status -eq 77 ] || fail "$* failed"; }
}

train() {
  build/bin/triagectl model train declarations --declarations "$tables/train.csv" --validate "$tables/valid.csv" "$@" 2>/dev/null
}

part_table() {
  echo
  echo "## What the features and what the model bring"
  echo
  echo "Taught on train.csv (2020), judged on valid.csv (the quarter after it); intervals: 95%, the later rows resampled. The paper's figures
are of its own test quarter, which is not in the folder. Peers: 300 trees with fixed options (LightGBM and XGBoost rate 0.05, CatBoost
0.1), not tuned; ours: 250 trees. Features: build/bench/bench_features. Most of our options were chosen on quarters of 2020, but valid.csv is
not untouched: it was looked at while the blocks were chosen, and by an earlier study that chose most kinds of histories.

Identical goods: these tables are synthetic, and one consignment (HS code, mass and value to four digits) often comes again with the
same outcome. Histories of such twins find them almost without fault; how much of that a real table holds nobody knows, so the figures
without them stand beside."
  echo
  rm -rf "$room/judged" "$room/bare"
  train --keep-validate-out --out "$room/judged" >"$room/judged.txt"
  train --keep-validate-out --out "$room/bare" --leave-out history.hs6_mass --leave-out history.hs6_value \
    --leave-out history.hs6_mass_value --leave-out history.origin_mass_value --leave-out history.tax_rate_mass_value >"$room/bare.txt"
  for model in judged bare; do
    build/bin/triagectl model score --model "$room/$model"/*.h5 --declarations "$tables/valid.csv" --out "$room/$model.csv" >&2
  done
  build/bench/bench_features "$tables/train.csv" "$tables/valid.csv" "$room" >&2
  with_peers "$python" bench/peers_declarations.py "$tables/train.csv" "$tables/valid.csv" "$room" "$room/judged.csv" \
    "$room/bare.csv"
}

part_selective() {
  echo
  echo "## Selective labels"
  echo
  echo "Both tables, 15 months in weekly steps: only what a strategy inspects gets a label, is learnt by the histories and teaches the trees
of the next week. Strategies after arXiv:2010.14282 (no revenue in the data; our trees in the place of DATE, contributions as the
embedding), the adaptive shares by the daemon's rule (decide/adapt.h) and by the bandit of arXiv:2109.14155. Unlike there, nothing is known at the start: four weeks are drawn at
random. Norm. precision: finds over the most that could have been found. The weeks before the first model are not counted."
  echo
  # shellcheck disable=SC2086
  build/bench/bench_selective $quick "$room" "$tables/train.csv" "$tables/valid.csv"
  picture=bench/selective.png
  if [ -n "$quick" ]; then picture=$room/selective.png; fi
  with_peers "$python" bench/plot_selective.py "$room/selective.csv" "$picture"
  echo
  echo "![Finds over the weeks](selective.png)"
}

part_speed() {
  echo
  echo "## Speed"
  echo
  echo "Two threads. Ours from the decoded record to probability, interval and the three heaviest reasons, all features made on the way, batches
of 256 records that came one after the other; the peers predict on features that are ready, with 300 trees (ours has 250). Rounds of
all of them come in turns. 'In words' writes the sentences too. 'By processor time' is what the threads took, times two, the best round
of each (of peers with two threads or with one): on a machine that does other work the clock says little. Histories that no tree asks
about are not looked up. Beside the stages stands what the lines of counts alone take, one for each history: no layout that keeps a line
for each entity gets below that."
  echo
  echo '```'
  rm -rf "$room/model"
  start=$(date +%s.%N)
  train --out "$room/model" >"$room/model.txt"
  end=$(date +%s.%N)
  echo "training on both tables, files read and model written: $(echo "$start $end" | awk '{ printf "%.1f s", $2 - $1 }')"
  # shellcheck disable=SC2086
  build/bench/bench_declarations $quick "$room"/model/*.h5 "$tables/train.csv" "$python" bench/trees_peer.py "$room"
  echo '```'
}

# Each part says where and of what it was made, so that one of them can be measured again alone.
made() {
  echo
  echo "<sub>$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc --all) processors, $(cc --version | head -1), commit $(git describe \
    --always --dirty --abbrev=12 2>/dev/null || echo unknown), $(date -u +%Y-%m-%d), load before $(cut -d' ' -f1-3 /proc/loadavg)</sub>"
}

out=bench/DECLARATIONS.md
if [ -n "$quick" ]; then out=$room/DECLARATIONS.md; fi
for part in table selective speed; do
  if [ -z "$only" ] || [ "$only" = $part ]; then
    { part_$part; made; } >"$room/$part.fresh"
    mv "$room/$part.fresh" "$room/$part.md"
  fi
done
{
  cat <<END
<!-- SPDX-License-Identifier: Apache-2.0 -->
# The model of declarations

Written by \`sh bench/declarations.sh\`; not to be edited. Other work on the machine (load) makes every speed worse.
END
  for part in table selective speed; do
    if [ -f "$room/$part.md" ]; then cat "$room/$part.md"; fi
  done
} >"$out.fresh"
mv "$out.fresh" "$out"
echo "declarations.sh: wrote $out" >&2
