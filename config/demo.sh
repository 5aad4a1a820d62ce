#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The main job from nothing: installs what is missing, builds, makes a small port of entry, feeds it scans and declarations,
# and prints the ranked referral queue. usage: sh config/demo.sh [--keep]
# Everything it makes lies in build/demo. --keep leaves the daemon running, for looking around.
set -eu

cd "$(dirname "$0")/.."
source=$(pwd)
keep=no
case ${1:-} in
"") ;;
--keep) keep=yes ;;
*)
  echo "usage: sh config/demo.sh [--keep]" >&2
  exit 2
  ;;
esac
# a table that goes into a file should not be wider than a page
if [ ! -t 1 ] && [ -z "${COLUMNS:-}" ]; then
  export COLUMNS=120
fi
started=$(date +%s)
say() { printf '\n== [%3ss] %s\n' "$(($(date +%s) - started))" "$*"; }
fail() {
  echo "demo: $*" >&2
  exit 1
}
# Wait for a command to succeed, at most so many seconds; the daemon must live, and every ten seconds a line says that it goes on.
await() { # seconds, what is waited for, command...
  deadline=$(($(date +%s) + $1))
  awaited=$2
  shift 2
  next_line=$(($(date +%s) + 10))
  until "$@" >/dev/null 2>&1; do
    now=$(date +%s)
    kill -0 "$daemon" 2>/dev/null || { tail -5 "$demo/daemon.log" >&2; fail "the daemon ended; its lines are in $demo/daemon.log"; }
    [ "$now" -lt "$deadline" ] || fail "waited too long for $awaited; the daemon's lines are in $demo/daemon.log"
    [ "$now" -lt "$next_line" ] || { echo "  waiting for $awaited"; next_line=$((now + 10)); }
    sleep 0.2
  done
}

say "packages"
sh config/setup.sh build

say "build"
mkdir -p build
# A tree that has its tests keeps them; a fresh one does not need their packages for this.
tests_off=
[ -f build/CMakeCache.txt ] || tests_off=-DBUILD_TESTING=OFF
if ! cmake --preset release $tests_off >build/demo-configure.log 2>&1; then
  tail -20 build/demo-configure.log >&2
  fail "configuring failed; all of it is in build/demo-configure.log"
fi
cmake --build --preset release --target triaged triage-feed triagectl triage-verify >build/demo-build.log 2>&1 &
builder=$!
waited=0
while kill -0 "$builder" 2>/dev/null; do
  sleep 1
  waited=$((waited + 1))
  [ $((waited % 10)) -ne 0 ] || sed -n '$s/^\[\([0-9]*\).\([0-9]*\)\].*/  \1 of \2 steps/p' build/demo-build.log
done
if ! wait "$builder"; then
  grep -E 'error|FAILED' build/demo-build.log | head -20 >&2
  fail "building failed; all of it is in build/demo-build.log"
fi
bin=$source/build/bin
demo=$source/build/demo
shared=${TRIAGED_SHARED_DATA:-$source/../shared/data}

# ---- a port of entry: configuration, keys, models --------------------------------------------------------------------
echo "programs in build/bin: triaged, triage-feed, triagectl, triage-verify"

# the daemon of an earlier run with --keep; a number that is somebody else's by now is left alone
earlier=$(cat "$demo/daemon.pid" 2>/dev/null || true)
case $(readlink "/proc/${earlier:-none}/exe" 2>/dev/null || true) in
*/triaged*)
  echo "stopping the daemon of the last demo, process $earlier"
  kill "$earlier"
  tries=0
  while kill -0 "$earlier" 2>/dev/null && [ "$tries" -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  ;;
esac
rm -rf "$demo"
mkdir -p "$demo"
base_port=$((20000 + $$ % 20000))
cp config/demo_policy.conf "$demo/policy.conf"
cat >"$demo/triaged.conf" <<END
site: { name = "demo"; organisation = "example"; };
store: { directory = "$demo/store"; };
ingest:
{
  publisher_endpoint = "tcp://127.0.0.1:$base_port";
  verdict_endpoint = "tcp://127.0.0.1:$((base_port + 1))";
  command_endpoint = "ipc:///tmp/triaged-demo-$$.sock";
};
console: { port = $((base_port + 2)); };
END
ctl() { "$bin/triagectl" --config "$demo/triaged.conf" "$@"; }
feed() { # stream, then what to feed
  stream=$1
  shift
  "$bin/triage-feed" "$@" --endpoint "tcp://127.0.0.1:$base_port" --key "$demo/store/keys/private/demo.key" \
    --daemon-key "$demo/store/keys/daemon.key.pub" --spool "$demo/spool-$stream" --stream "$stream"
}

say "keys: of the daemon, of the log's signature, of pseudonyms, and of one publisher"
ctl keys init >"$demo/keys.log"
ctl keys publisher demo >>"$demo/keys.log"
ctl keys list

say "training: what normal looks like, and what past exams found (simulated)"
# The same seed is the same port: the parties of the past are those of today. --first: other vehicles than will be triaged.
"$bin/triage-feed" sim --write "$demo/normal" --clean --count 240 --seed 7 --first 1000000 --scale 0.25 --scans-only --quiet
"$bin/triage-feed" sim --history "$demo/history.csv" --count 20000 --seed 7 --history-factor 1 --quiet
# a line for each model; all of what training says is in training.log
train() {
  ctl model train "$@" --out "$demo/models" >"$demo/training" 2>>"$demo/training.log" || {
    tail -5 "$demo/training.log" >&2
    fail "training failed; all of it is in $demo/training.log"
  }
  cat "$demo/training" >>"$demo/training.log"
  awk '/^[a-z]/ {name = $0} /^  [a-z]+ [0-9]/ {sub(/;.*/, ""); printf "%-28s%s\n", name, $0}' "$demo/training"
}
for folder in "$demo"/normal/*/; do
  train appearance --images "$folder" --scanner-type "$(basename "$folder")"
done
train history --declarations "$demo/history.csv" --mapping config/mappings/customs-import.json
if [ -d "$shared/parcels" ] && [ -d "$shared/containers" ]; then
  say "training on half of the real scans in $shared"
  # Versions of one scan must not straddle the halves: parcels are split by source scan (the name before _jpg.rf.),
  # containers by time (their names are ordered by it).
  find "$shared/parcels/images" -name "*.jpg" -printf "%f\n" | sort | awk -v learn="$demo/parcels.learn" -v triage="$demo/parcels.triage" '
    {split($0, name, "_jpg.rf."); if (!(name[1] in group)) group[name[1]] = groups++
     print > (group[name[1]] % 2 ? triage : learn)}'
  find "$shared/containers/images" -name "*.jpg" -printf "%f\n" | sort | awk -v learn="$demo/containers.learn" -v triage="$demo/containers.triage" '
    {line[NR] = $0} END {for (i = 1; i <= NR; i++) print line[i] > (2 * i > NR ? triage : learn)}'
  train appearance --images "$shared/parcels/images" --list "$demo/parcels.learn" --scanner-type box-line
  train appearance --images "$shared/containers/images" --list "$demo/containers.learn" --scanner-type side-view
else
  echo "SKIP real scans: no folder $shared (TRIAGED_SHARED_DATA names another place)"
fi

say "the daemon"
"$bin/triaged" --config "$demo/triaged.conf" >"$demo/daemon.log" 2>&1 &
daemon=$!
echo "$daemon" >"$demo/daemon.pid"
stop_daemon() {
  kill "$daemon" 2>/dev/null || true
  wait "$daemon" 2>/dev/null || true
}
trap stop_daemon EXIT
await 60 "the daemon's first answer" ctl health
installed=0
for model in "$demo"/models/*.h5; do
  ctl model install "$model" >/dev/null
  installed=$((installed + 1))
done
echo "up; $installed models are in force, each by an entry of the log"

# ---- traffic ------------------------------------------------------------------------------------------------------------
say "feeding: a simulated port of six modes (trucks, cars, rail, sea, air, mail)"
feed sim sim --count 600 --seed 7 --scale 0.25 --labels "$demo/labels.csv"
if [ -d "$shared/parcels" ] && [ -d "$shared/containers" ]; then
  say "feeding: the other half of the real scans, and real-shaped declarations"
  feed parcels images "$shared/parcels/images" --list "$demo/parcels.triage" --mode mail --site post --scanner line-1 --scanner-type box-line
  feed containers images "$shared/containers/images" --list "$demo/containers.triage" --mode sea --site quay --scanner portal-1 --scanner-type side-view
  feed declarations declarations "$shared/declarations/valid.csv" --mapping config/mappings/customs-import.json --site customs --limit 2000
fi

say "waiting for the last decision"
# everything in the log is judged, and no item is held for what is missing; twice, because a hold may just have ended
all_decided() {
  ctl health --json | awk '/"log_entries":/ {entries = $2} /"judged":/ {judged = $2} /"held_items":/ {held = $2}
    END {exit !(entries != "" && entries + 0 == judged + 0 && held + 0 == 0)}'
}
await 180 "the last decision" all_decided
sleep 0.5
await 180 "the last decision" all_decided

# ---- officers at work: exams whose outcome is the simulator's ground truth ---------------------------------------------
say "exams: the first 60 of the queue are opened; the simulator's ground truth says what is found"
sh config/demo_exams.sh "$bin/triagectl" "$demo/triaged.conf" "$demo/labels.csv" 60

say "report (the first two of its metrics; triagectl report has all)"
ctl report funnel
ctl report hit_rate_by_arm

say "the ranked referral queue, with the two weightiest reasons of each item"
ctl queue --limit 100 --reasons 2

say "one item, with its image and anomaly map"
item=$(ctl queue --json --limit 500 | awk -F'"' '/"item":/ {item = $4} /looks .* stranger/ && !found {print item; found = 1}')
if [ -n "$item" ]; then
  ctl show "$item" --png "$demo/item.png"
else
  echo "no referred item has an image with an anomaly"
fi

say "sealing the archive, stopping the daemon"
ctl archive seal >/dev/null
has_archive_file() { ctl archive list --json | grep -q '"path"'; }
await 300 "the archive file" has_archive_file
ctl archive list
if [ $keep = yes ]; then
  trap - EXIT
  say "the daemon goes on: $bin/triagectl --config $demo/triaged.conf queue"
else
  stop_daemon
  trap - EXIT
fi

say "an outsider checks log and archive"
"$bin/triage-verify" "$demo/store"
say "done; everything lies in $demo, one item's image in $demo/item.png"
