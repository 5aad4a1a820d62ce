#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the vendor library into a directory of its own and builds the example as a vendor would, shared and static.
# Use: install.sh BUILD_DIRECTORY C_COMPILER [FLAGS...]
set -eu
build=$1
compiler=$2
shift 2
prefix=$(mktemp -d /tmp/test_install.XXXXXX)
trap 'rm -r "$prefix"' EXIT
cmake --install "$build" --component publisher --prefix "$prefix" >"$prefix/installed"
pc=$(find "$prefix" -name triage-publisher.pc)
export PKG_CONFIG_PATH="${pc%/*}"
example=$(find "$prefix" -name publisher_example.c)
# shellcheck disable=SC2046
"$compiler" -std=c17 "$@" "$example" $(pkg-config --cflags --libs triage-publisher) -o "$prefix/shared"
library=$(find "$prefix" -name libtriage-publisher.a)
# shellcheck disable=SC2046
"$compiler" -std=c17 "$@" "$example" $(pkg-config --cflags triage-publisher) "$library" \
  $(pkg-config --static --libs triage-publisher | sed 's/-ltriage-publisher//') -o "$prefix/static"
# Both run far enough to say that there is no such key.
for kind in shared static; do
  if LD_LIBRARY_PATH="${library%/*}" "$prefix/$kind" tcp://127.0.0.1:1 /nonexistent /nonexistent "$prefix/spool" \
    2>"$prefix/said"; then
    echo "$kind: ran without a key" >&2
    exit 1
  fi
  grep -q "cannot open: key file" "$prefix/said" || { cat "$prefix/said" >&2; exit 1; }
done
# Nothing of ours that is not in the public headers is visible.
if nm -D --defined-only "$(find "$prefix" -name 'libtriage-publisher.so' | head -n 1)" | grep -E ' (err|spool|flow|link|durable|wire)_'; then
  echo "the shared library shows its insides" >&2
  exit 1
fi
