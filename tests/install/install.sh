#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs everything into a directory of its own and uses it from there: programs, configuration, unit, pages, and the
# vendors' library by pkg-config alone. usage: install.sh SOURCE_DIR BUILD_DIR C_COMPILER [FLAGS...]
set -eu
source=$1
build=$2
compiler=$3
shift 3
work=$(mktemp -d /tmp/triage-install.XXXXXX)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
fail() {
  echo "$*" >&2
  exit 1
}

cmake --install "$build" --prefix "$prefix" >"$work/installed"
for path in sbin/triaged bin/triagectl bin/triage-feed bin/triage-verify etc/triaged/triaged.conf etc/triaged/policy.conf \
  lib/systemd/system/triaged.service lib/systemd/system/triaged-year.timer lib/systemd/system/triaged-year.service lib/systemd/system/triaged-learn.timer \
  lib/systemd/system/triaged-learn.service lib/sysusers.d/triaged.conf share/triaged/metrics/funnel.sql \
  share/triaged/mappings/customs-import.json share/man/man1/triagectl.1 share/man/man1/triage-feed.1 \
  share/man/man1/triage-verify.1 share/man/man8/triaged.8 share/bash-completion/completions/triagectl \
  share/bash-completion/completions/triage-feed share/bash-completion/completions/triage-verify \
  share/doc/triaged/oversight.proto bin/triage-witness share/man/man1/triage-witness.1 \
  share/bash-completion/completions/triage-witness lib/systemd/system/triage-witness.service \
  lib/sysusers.d/triage-witness.conf share/doc/triaged/WITNESS.md include/triage/triage_publisher.h; do
  [ -s "$prefix/$path" ] || fail "$path was not installed"
done

# the library, as a vendor uses it: the example knows nothing but pkg-config's answer
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name triage-publisher.pc)")
export PKG_CONFIG_PATH
cp "$source/daemon/publisher/publisher_example_main.c" "$work/example.c"
# shellcheck disable=SC2046 # flags are meant to be split
(cd "$work" && "$compiler" -std=c17 "$@" example.c $(pkg-config --cflags --libs triage-publisher) -o example)
shared=$(find "$prefix" -name 'libtriage-publisher.so')
readelf -d "$shared" | grep -q 'SONAME.*libtriage-publisher\.so\.[0-9]' || fail "no soname in $shared"
readelf -d "$work/example" | grep -q 'NEEDED.*libtriage-publisher\.so\.[0-9]' || fail "the example does not need the library"
[ -s "${shared%.so}.a" ] || fail "no static library"
if LD_LIBRARY_PATH=${shared%/*} "$work/example" tcp://127.0.0.1:1 /nonexistent /nonexistent "$work/spool" 2>"$work/said"; then
  fail "the example ran without a key"
fi
grep -q 'cannot open: key file' "$work/said" || fail "the example said: $(cat "$work/said")"

# the programs, where they were installed
"$prefix/sbin/triaged" --config "$prefix/etc/triaged/triaged.conf" --check
"$prefix/sbin/triaged" --config "$prefix/etc/triaged/triaged.conf" --print-config >"$work/printed"
grep -q publisher_endpoint "$work/printed" || fail "--print-config prints no keys"
"$prefix/bin/triagectl" --dir "$work/store" keys init "$work/store/keys" >/dev/null
"$prefix/bin/triage-feed" declarations --help >/dev/null
"$prefix/bin/triage-verify" --version
# the report's metrics are found beside the program: without a store that is the next thing to miss
"$prefix/bin/triagectl" --dir "$work/store" report >"$work/said" 2>&1 || true
grep -q 'state.db' "$work/said" || fail "report said: $(cat "$work/said")"

# the unit starts what was installed, with the configuration that was installed
sed -n 's/^ExecStart[A-Za-z]*=\([^ ]*\) --config \([^ ]*\).*/\1 \2/p' "$prefix/lib/systemd/system/triaged.service" >"$work/unit"
[ "$(wc -l <"$work/unit")" -eq 2 ] || fail "no start lines in the unit"
while read -r program config; do
  [ "$program" = "$prefix/sbin/triaged" ] || fail "the unit starts $program"
  [ "$config" = "$prefix/etc/triaged/triaged.conf" ] || fail "the unit reads $config"
done <"$work/unit"

# what is forbidden to the daemon is forbidden to the timer's learner, which needs less
units=$prefix/lib/systemd/system
grep -E '^(NoNewPrivileges|Protect|Private|Restrict(Namespaces|Realtime)|Lock|SystemCall|CapabilityBoundingSet|UMask)' \
  "$units/triaged.service" >"$work/hardening"
[ "$(wc -l <"$work/hardening")" -ge 12 ] || fail "the daemon's unit has lost its hardening"
while read -r line; do
  grep -qxF "$line" "$units/triaged-learn.service" || fail "triaged-learn.service lacks $line"
done <"$work/hardening"
grep -qx 'RestrictAddressFamilies=AF_UNIX' "$units/triaged-learn.service" || fail "the learner may reach the network"
if command -v systemd-analyze >/dev/null && systemd-analyze security --help | grep -q -- --offline; then
  systemd-analyze security --offline=true --threshold=20 "$units/triaged-learn.service" >"$work/exposure" ||
    fail "triaged-learn.service: $(tail -n 1 "$work/exposure")"
fi

grep -q "^ExecStart=$prefix/bin/triage-witness serve " "$prefix/lib/systemd/system/triage-witness.service" ||
  fail "the unit of the witness starts something else"
"$prefix/bin/triage-witness" keygen "$work/witness" --name witness.example.org/test | grep -q '^witness.example.org/test+' ||
  fail "no key for a witness"

# a configuration that was edited survives the next installation
echo '# edited here' >>"$prefix/etc/triaged/triaged.conf"
cmake --install "$build" --prefix "$prefix" >"$work/installed"
grep -q '^# edited here' "$prefix/etc/triaged/triaged.conf" || fail "the edited configuration is gone"
[ -s "$prefix/etc/triaged/triaged.conf.new" ] || fail "the new configuration is not beside the kept one"

# a package's way: prefix /usr, configuration in /etc, everything below DESTDIR
DESTDIR=$work/package cmake --install "$build" --prefix /usr >"$work/installed"
grep -q '^ExecStart=/usr/sbin/triaged --config /etc/triaged/triaged.conf' \
  "$work/package/usr/lib/systemd/system/triaged.service" || fail "the packaged unit has other paths"
[ -s "$work/package/etc/triaged/triaged.conf" ] || fail "the packaged configuration is not in /etc"
echo "installed and used"
