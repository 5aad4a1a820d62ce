#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The README's commands on a Debian 12 with nothing installed, as a stranger would type them: makes a minimal system in a
# directory of its own, clones this repository into it, and runs there
#   demo   config/demo.sh, and looks at its queue: 100 items of 4 modes, each with score, arm, propensity and two reasons
#   tests  tests/run.sh --quick
# usage: sh tests/bare.sh [--shared DIR] [--keep] [demo|tests|both]
# --shared DIR: real scans, seen inside as ../shared/data; without it there are none. --keep leaves the system for a look.
# Needs root, debootstrap, git and the network; MIRROR names another package mirror. Exit 77: not possible here.
set -eu

cd "$(dirname "$0")/.."
source=$(pwd)
mirror=${MIRROR:-} # none: the one debootstrap comes with
shared=
keep=no
what=demo
while [ $# -gt 0 ]; do
  case $1 in
  --shared)
    [ $# -ge 2 ] || { echo "bare.sh: --shared wants a directory" >&2; exit 2; }
    shared=$(cd "$2" && pwd)
    shift
    ;;
  --keep) keep=yes ;;
  demo | tests | both) what=$1 ;;
  *)
    echo "usage: sh tests/bare.sh [--shared DIR] [--keep] [demo|tests|both]" >&2
    exit 2
    ;;
  esac
  shift
done

skip() {
  echo "SKIP: $*"
  exit 77
}
[ "$(id -u)" -eq 0 ] || skip "not root"
for program in debootstrap git unshare chroot; do
  command -v "$program" >/dev/null 2>&1 || skip "$program is not installed"
done
unshare --mount --pid --fork true 2>/dev/null || skip "no namespaces of our own here"

started=$(date +%s)
say() { printf '== [%4ss] %s\n' "$(($(date +%s) - started))" "$*"; }
root=$(mktemp -d "${TMPDIR:-/var/tmp}/triaged-bare.XXXXXX")
clean_up() {
  if [ $keep = yes ]; then
    echo "kept: $root"
  else
    rm -rf --one-file-system "$root" # mounts were those of the namespace and are gone
  fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say "a minimal Debian 12 in $root"
debootstrap --variant=minbase bookworm "$root" ${mirror:+"$mirror"} >"$root.log" 2>&1 || {
  tail -5 "$root.log" >&2
  exit 1
}
rm "$root.log"
cp /etc/resolv.conf "$root/etc/resolv.conf"
git clone -q --no-hardlinks "$source" "$root/root/triaged"
[ -z "$shared" ] || mkdir -p "$root/root/shared/data"

# What is mounted, and every process, ends with the namespace.
inside() { # command
  unshare --mount --pid --fork --kill-child sh -eu -c '
    root=$1 shared=$2
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=755 dev "$root/dev"
    for node in null zero full random urandom tty; do
      touch "$root/dev/$node"
      mount --bind "/dev/$node" "$root/dev/$node"
    done
    ln -s /proc/self/fd "$root/dev/fd"
    mkdir "$root/dev/shm"
    mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
    if [ -n "$shared" ]; then
      mount --bind "$shared" "$root/root/shared/data"
      mount -o remount,bind,ro "$root/root/shared/data"
    fi
    exec chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c "$3"
  ' inside "$root" "$shared" "$1"
}

# The queue as the demo leaves it: one row an item in JSON, indented by two, so that awk can read it.
check_queue() {
  inside 'cd /root/triaged && build/bin/triagectl --config build/demo/triaged.conf queue --json --limit 10000' |
    awk '
      function look() { if (in_row) { items++; if (!score || !arm || !propensity || reasons < 2) poor++ } }
      /^  \{/ { look(); in_row = 1; score = arm = propensity = reasons = in_reasons = 0 }
      /^    "mode":/ { modes[$2] = 1 }
      /^    "score": [0-9]/ { score = 1 }
      /^    "arm": "[a-z]/ { arm = 1 }
      /^    "propensity": [0-9]/ { propensity = 1 }
      /^    "reasons":/ { in_reasons = 1; next }
      in_reasons && /^      "/ { reasons++ }
      in_reasons && /^    \]/ { in_reasons = 0 }
      END {
        look()
        for (mode in modes) modes_count++
        printf "queue: %d items of %d modes, %d without score, arm, propensity or two reasons\n", items, modes_count, poor
        exit !(items >= 100 && modes_count >= 4 && poor == 0)
      }'
}

if [ "$what" != tests ]; then
  say "sh config/demo.sh"
  begun=$(date +%s)
  inside 'cd /root/triaged && sh config/demo.sh'
  seconds=$(($(date +%s) - begun))
  check_queue
  say "the demo took $seconds s on a bare system"
  [ "$seconds" -le 600 ] || { echo "that is more than 10 minutes" >&2; exit 1; }
fi
if [ "$what" != demo ]; then
  say "sh tests/run.sh --quick"
  inside 'cd /root/triaged && sh tests/run.sh --quick'
fi
say "good: the README's commands work on a bare Debian 12"
