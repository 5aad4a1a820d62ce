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
started=$(date +%s)
say() { printf '\n== [%3ss] %s\n' "$(($(date +%s) - started))" "$*"; }
fail() {
  echo "demo: $*" >&2
  exit 1
}

say "packages"
sh config/setup.sh build

say "build"
mkdir -p build
if ! cmake --preset release -DBUILD_TESTING=OFF >build/demo-configure.log 2>&1; then
  tail -20 build/demo-configure.log >&2
  fail "configuring failed; all of it is in build/demo-configure.log"
fi
if ! cmake --build --preset release >build/demo-build.log 2>&1; then
  grep -E 'error|FAILED' build/demo-build.log | head -20 >&2
  fail "building failed; all of it is in build/demo-build.log"
fi
bin=$source/build/bin
demo=$source/build/demo
shared=${TRIAGED_SHARED_DATA:-$source/../shared/data}

# ---- a port of entry: configuration, keys, models --------------------------------------------------------------------
if [ -f "$demo/daemon.pid" ] && kill -0 "$(cat "$demo/daemon.pid")" 2>/dev/null; then
  kill "$(cat "$demo/daemon.pid")"
  sleep 1
fi
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

say "keys"
ctl keys init
ctl keys publisher demo

say "training: what normal looks like, and what past exams found (simulated)"
"$bin/triage-feed" sim --write "$demo/normal" --clean --count 240 --seed 100 --scale 0.25 --scans-only --quiet
"$bin/triage-feed" sim --history "$demo/history.csv" --count 8000 --seed 100 --quiet
for folder in "$demo"/normal/*/; do
  ctl model train appearance --images "$folder" --scanner-type "$(basename "$folder")" --out "$demo/models"
done
ctl model train history --declarations "$demo/history.csv" --mapping config/mappings/customs-import.json --out "$demo/models"
if [ -d "$shared/parcels" ] && [ -d "$shared/containers" ]; then
  say "training on half of the real scans in $shared"
  ctl model train appearance --images "$shared/parcels/images" --every 2 --offset 0 --scanner-type box-line --out "$demo/models"
  ctl model train appearance --images "$shared/containers/images" --every 2 --offset 0 --scanner-type side-view --out "$demo/models"
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
tries=0
until ctl health >/dev/null 2>&1; do
  tries=$((tries + 1))
  kill -0 "$daemon" 2>/dev/null || { tail -5 "$demo/daemon.log" >&2; fail "the daemon ended; its lines are in $demo/daemon.log"; }
  [ "$tries" -lt 300 ] || fail "the daemon did not answer in 30 s; its lines are in $demo/daemon.log"
  sleep 0.1
done
for model in "$demo"/models/*.h5; do
  ctl model install "$model"
done

# ---- traffic ------------------------------------------------------------------------------------------------------------
say "feeding: a simulated port of six modes (trucks, cars, rail, sea, air, mail)"
feed sim sim --count 600 --seed 7 --scale 0.25 --labels "$demo/labels.csv"
if [ -d "$shared/parcels" ] && [ -d "$shared/containers" ]; then
  say "feeding: the other half of the real scans, and real-shaped declarations"
  feed parcels images "$shared/parcels/images" --every 2 --offset 1 --mode mail --site post --scanner line-1 --scanner-type box-line
  feed containers images "$shared/containers/images" --every 2 --offset 1 --mode sea --site quay --scanner portal-1 --scanner-type side-view
  feed declarations declarations "$shared/declarations/valid.csv" --mapping config/mappings/customs-import.json --site customs --limit 2000
fi

say "waiting for the last decision"
tries=0
while ! ctl health --json | grep -q '"held_items": *0'; do
  tries=$((tries + 1))
  [ "$tries" -lt 600 ] || fail "items are still held after 60 s"
  sleep 0.1
done
sleep 1

# ---- officers at work: exams whose outcome is the simulator's ground truth ---------------------------------------------
say "exams: every simulated referral is opened; the simulator's ground truth says what is found"
sh config/demo_exams.sh "$bin/triagectl" "$demo/triaged.conf" "$demo/labels.csv" 60

say "the ranked referral queue"
ctl queue --limit 100

say "report"
ctl report

say "one item, with its image and anomaly map in $demo/item.png"
item=$(ctl queue --json --limit 500 | awk -F'"' '/"item":/ {item = $4} /looks .* stranger/ && !found {print item; found = 1}')
if [ -n "$item" ]; then
  ctl show "$item" --png "$demo/item.png"
else
  echo "no referred item has an image with an anomaly"
fi

say "sealing the archive, stopping the daemon"
ctl archive seal
tries=0
until ctl archive list | grep -q '\.h5'; do
  tries=$((tries + 1))
  [ "$tries" -lt 300 ] || fail "no archive file after 60 s"
  sleep 0.2
done
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
say "done; everything lies in $demo"
