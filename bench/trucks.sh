#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Hidden organic masses in simulated dual-energy trucks of mixed cargo, by the product's own commands: simulates trucks with bricks,
# trains a finder by the boxes of the bricks and by bricks alone in the air, scores normal trucks and 20 kg in other ones, and prints
# how many are beyond what a twentieth of the normal ones reach. Then bench_trucks writes the table of bench/TRUCKS.md and the curve, bench/trucks.svg.
# One and a half to three and a half hours of two processors, most of it training; 14 GB of disk and 10 GB of memory. usage: sh bench/trucks.sh [options of bench_trucks]
# TRUCKS_LEARN, TRUCKS_NORMAL, TRUCKS_HIDDEN: how many trucks (2960, 600, 200 a density); TRUCKS_MODEL: a model that is there already;
# TRUCKS_KEEP: where a copy of the model made goes;
# TRUCKS_MARKS=no: learns from normal trucks and threats alone; TRUCKS_EPOCHS: less of it; TRUCKS_TABLE=no: by the commands only;
# TRUCKS_SEED: added to the seeds of the trucks that it is judged by (0), for a sample that nobody has chosen anything by.
set -eu
cd "$(dirname "$0")/.."
cmake --preset release >/dev/null
cmake --build --preset release --target triage-feed triagectl bench_trucks >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

simulate() { # name, options
    name=$1
    shift
    build/bin/triage-feed sim --write "$work/$name" --truth "$work/$name.jsonl" --modes truck --mixed-rate 1 --scans-only "$@" >/dev/null
}

score() { # name: kind, plain or odd, score of every loaded truck
    build/bin/triagectl model score --model "$model" --images "$work/$1/vehicle-portal" --out "$work/$1.detections.csv" \
        --image-scores "$work/$1.scores.csv" 2>/dev/null
    rm -r "$work/$1"
    awk -F, 'NR == FNR { sub(/_(low|high)\.png$/, "", $1); score[$1] = $2; next }
        /"mixed_cargo_density"/ {
            match($0, /"scan_id":"[^"]*"/); id = substr($0, RSTART + 11, RLENGTH - 12)
            print (/"hidden"/ ? "hidden" : "normal"), (/"oddity"/ ? "odd" : "plain"), score[id]
        }' "$work/$1.scores.csv" "$work/$1.jsonl"
}

learn() { # where the model goes, options of the training: learns from the trucks of "learn"
    { echo image,x,y,width,height
      sed -n 's/.*"scan_id":"\([^"]*\)".*"hidden":.*"box_px":\[\([0-9]*\),\([0-9]*\),\([0-9]*\),\([0-9]*\)\].*/\1 \2 \3 \4 \5/p' \
          "$work/learn.jsonl" | awk '{ print $1 "_high.png," $2 "," $3 "," $4 - $2 "," $5 - $3 }'; } >"$work/marks.csv"
    into=$1
    shift
    build/bin/triagectl model train appearance --images "$work/learn/vehicle-portal" $by \
        --project "$work/threats/vehicle-portal" --out "$into" --scanner-type vehicle-portal "$@" >&2
    rm -r "$work/learn"
}

bricks="--contraband-rate 1 --bricks-kg 5:100 --cargo-density 0.08:1.0"
by="--marks $work/marks.csv"
if [ "${TRUCKS_MARKS:-yes}" != yes ]; then
    bricks="--contraband-rate 0 --cargo-density 0.08:1.0"
    by=--finder
fi
model=${TRUCKS_MODEL:-}
offset=${TRUCKS_SEED:-0}
if [ -z "$model" ]; then
    build/bin/triage-feed sim --threats "$work/threats" --modes truck --scale 0.4 --seed 904 --count 400 --bricks-kg 5:100 >/dev/null
    # Speed, which does not depend on what was learnt: full resolution, little training.
    simulate learn --seed 901 --count 24 $bricks --scale 1
    learn "$work/full" --epochs 1
    build/bench/bench_trucks -m "$(ls "$work"/full/*.h5)" -S
    simulate learn --seed 901 --count "${TRUCKS_LEARN:-2960}" $bricks
    learn "$work/models" ${TRUCKS_EPOCHS:+--epochs "$TRUCKS_EPOCHS"}
    model=$(ls "$work"/models/*.h5)
    [ -z "${TRUCKS_KEEP:-}" ] || cp "$model" "$TRUCKS_KEEP"
fi

simulate normal --seed $((902 + offset)) --count "${TRUCKS_NORMAL:-600}" --contraband-rate 0 --cargo-density 0.1:0.6
score normal >"$work/normal.kinds"
threshold=$(awk '$2 == "plain" { print $3 }' "$work/normal.kinds" | sort -g | awk '{ s[NR] = $1 } END { print s[NR - int(NR / 20)] }')
echo "by the commands alone, threshold $threshold of $(grep -c plain "$work/normal.kinds") normal trucks without an oddity; 20 kg:"
seed=$((1010 + offset))
for density in 0.1:0.2 0.2:0.3 0.3:0.45 0.45:0.6 0.6:1.0; do
    simulate hidden --seed $seed --count "${TRUCKS_HIDDEN:-200}" --contraband-rate 1 --bricks-kg 20:20 --cargo-density $density
    score hidden | awk -v t="$threshold" -v d=$density '$1 == "hidden" { n++; found += $3 > t } END { print d, found, "of", n }'
    seed=$((seed + 1))
done
[ "${TRUCKS_TABLE:-yes}" = yes ] || exit 0
echo
build/bench/bench_trucks -m "$model" -g bench/trucks.svg "$@"
