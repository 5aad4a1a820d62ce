#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Restore drill: puts a store together again from copies, in an empty directory, checks it as an outsider would, and says how
# long each step took and what was missing. Nothing is read but the copies, nothing is written but below OUT.
#
#   sh restore_drill.sh --log DIR --archive DIR [--archive DIR ...] OUT
#       what anybody can do with the public copies: the log and the sealed files
#   ... --wal DIR --packs DIR --keys DIR --draw DIR [--models DIR] [--blobs DIR] [--rebuild N]
#       what only the port can do, with its private copies: a daemon makes the read model again, every sealed file is held
#       against the log, and the N oldest of them (default 1) are made again from log, packs and pixels
#
# The drill's daemon goes on in its copy of the log and signs with the port's key: what lies below OUT must never be published.
# Delete it afterwards. The operator's policy is /etc/triaged/policy.conf, or the file that TRIAGED_POLICY names.
# Exit: 0 everything is there, 1 something is not, 2 usage. RETENTION.md tells more.
set -eu

log= wal= packs= keys= draw= models= blobs= out= archives= rebuild=1 missing=0
usage() {
  sed -n '3,14s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
while [ $# -gt 0 ]; do
  case $1 in
  --log | --wal | --packs | --keys | --draw | --models | --blobs | --rebuild)
    [ $# -ge 2 ] || usage
    eval "${1#--}=\$2"
    shift 2
    ;;
  --archive)
    [ $# -ge 2 ] || usage
    archives="$archives$2
"
    shift 2
    ;;
  -*) usage ;;
  *)
    [ -z "$out" ] || usage
    out=$1
    shift
    ;;
  esac
done
[ -n "$log" ] && [ -n "$archives" ] && [ -n "$out" ] || usage
private="$wal$packs$keys$draw"
if [ -n "$private" ] && { [ -z "$wal" ] || [ -z "$packs" ] || [ -z "$keys" ] || [ -z "$draw" ]; }; then
  usage
fi
# A disk that is not mounted must not pass for one without files.
printf '%s' "$archives" | while IFS= read -r one; do
  if [ ! -d "$one" ]; then
    echo "restore_drill: $one is no directory" >&2
    exit 2
  fi
done || exit 2
if [ -e "$out" ] && [ -n "$(ls -A "$out")" ]; then
  echo "restore_drill: $out is not empty" >&2
  exit 2
fi
# Beside this script in a built tree, else those of the system.
bin=${TRIAGED_BIN:-}
[ -z "$bin" ] || PATH=$bin:$PATH
mkdir -p "$out"
out=$(cd "$out" && pwd)
store=$out/store
mkdir -p "$store/archive"

started=$(date +%s)
step_started=$started
step() { # what was done
  now=$(date +%s)
  printf '%5ss  %s\n' "$((now - step_started))" "$*"
  step_started=$now
}
lacks() {
  missing=1
  printf 'MISSING: %s\n' "$*"
}

# ---- put together
cp -R "$log" "$store/log"
step "log copied: $(find "$store/log" -type f | wc -l) files"
# Of several copies of a file the first that can be read is taken; triage-verify tells whether it is the sealed one. A copy
# that cannot be read is noted, though another one stands in for it: a disk goes bad.
: >"$out/unreadable.txt"
printf '%s' "$archives" | while IFS= read -r one; do
  (cd "$one" && find . -name '*.h5' -type f) >"$out/found.txt" || echo "$one" >>"$out/unreadable.txt"
  while IFS= read -r file; do
    [ ! -e "$store/archive/$file" ] || continue
    mkdir -p "$store/archive/$(dirname "$file")"
    if cp "$one/$file" "$out/copy.part" 2>>"$out/errors.txt"; then
      mv "$out/copy.part" "$store/archive/$file"
    else
      rm -f "$out/copy.part"
      echo "$one/$file" >>"$out/unreadable.txt"
    fi
  done <"$out/found.txt"
done
rm -f "$out/found.txt"
if [ -s "$out/unreadable.txt" ]; then
  lacks "copies that cannot be read ($out/errors.txt):"
  head -20 "$out/unreadable.txt" | sed 's/^/  /'
fi
step "sealed files copied: $(find "$store/archive" -name '*.h5' | wc -l)"

# ---- as an outsider
if triage-verify "$store" >"$out/verify.txt" 2>&1; then
  step "triage-verify: good ($out/verify.txt)"
else
  step "triage-verify: NOT good ($out/verify.txt)"
  lacks "triage-verify found problems:"
  grep -i 'archive/\|problem\|missing' "$out/verify.txt" | head -20 | sed 's/^/  /' || :
fi

# ---- as the port
if [ -n "$private" ]; then
  cp -R "$wal" "$store/wal"
  cp -R "$packs" "$store/packs"
  cp -R "$keys" "$store/keys"
  cp -R "$draw" "$store/draw"
  rm -f "$store/wal/lock"
  [ -z "$models" ] || cp -R "$models" "$store/models"
  [ -z "$blobs" ] || cp -R "$blobs" "$store/blobs"
  step "private copies: write-ahead log, packs, keys, draw${models:+, models}${blobs:+, blobs}"
  # Loopback, ports that the system chooses, nothing judged, sealed, copied, discarded or taken to witnesses.
  cat >"$out/triaged.conf" <<CONF
store: { directory = "$store"; };
ingest: { publisher_endpoint = "tcp://127.0.0.1:*"; verdict_endpoint = ""; command_endpoint = "ipc://drill.sock"; };
judge: { enabled = false; };
archive: { enabled = false; };
console: { port = 0; };
policy: { file = "policy.conf"; };
CONF
  policy=${TRIAGED_POLICY:-/etc/triaged/policy.conf}
  cp "$policy" "$out/policy.conf"
  triaged --config "$out/triaged.conf" >"$out/daemon.log" 2>&1 &
  daemon=$!
  ctl() {
    triagectl --config "$out/triaged.conf" "$@"
  }
  tries=0
  until ctl health >/dev/null 2>&1; do
    if ! kill -0 "$daemon" 2>/dev/null; then
      break
    fi
    tries=$((tries + 1))
    if [ "$tries" -ge 300 ]; then
      lacks "the daemon does not answer after $tries tries ($out/daemon.log)"
      kill -KILL "$daemon"
      break
    fi
    sleep 0.2
  done
  if kill -TERM "$daemon" 2>/dev/null && wait "$daemon"; then
    step "daemon started, read model made again, stopped"
  else
    lacks "the daemon does not start on the copies:"
    tail -3 "$out/daemon.log"
  fi
  if ctl archive verify >"$out/archive.txt" 2>&1; then
    step "archive verify: $(tail -1 "$out/archive.txt")"
  else
    lacks "sealed files ($out/archive.txt):"
    grep -v ': good$' "$out/archive.txt" | head -20 | sed 's/^/  /'
  fi
  ctl archive list --json 2>/dev/null | sed -n 's/^ *"path": "\(.*\)",*$/\1/p' | head -n "$rebuild" >"$out/rebuild.txt" || :
  while IFS= read -r file; do
    if ctl archive rebuild --out "$out/rebuilt" "$(basename "$file")" >"$out/rebuilt.txt" 2>&1; then
      step "rebuilt, identical: $file"
    else
      lacks "cannot be made again: $file: $(tail -1 "$out/rebuilt.txt")"
    fi
  done <"$out/rebuild.txt"
fi
printf '%5ss  in all; %s\n' "$(($(date +%s) - started))" "$([ $missing -eq 0 ] && echo 'nothing is missing' || echo 'something is missing, see above')"
exit $missing
