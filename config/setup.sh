#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing to build, run and test triaged, from Debian 12's packages alone.
# usage: sh config/setup.sh [build|test]     (test: also what only the tests use)
set -eu

wanted=${1:-build}
build_packages="gcc libc6-dev cmake ninja-build pkg-config protobuf-compiler protobuf-c-compiler
libprotobuf-c-dev libzmq3-dev libhdf5-dev libopenblas-dev liblapacke-dev libsodium-dev libssl-dev libsqlite3-dev
libmicrohttpd-dev libcurl4-openssl-dev libjansson-dev libconfig-dev libisal-dev libdeflate-dev zlib1g-dev libcsv-dev libpng-dev libtiff-dev
libjpeg62-turbo-dev libexpat1-dev libxrl-dev libqrencode-dev ca-certificates"
test_packages="clang clang-tidy libclang-rt-14-dev libcmocka-dev python3 python3-h5py python3-protobuf
python3-scipy python3-numpy hdf5-tools openssl strace curl sqlite3 mandoc git procps zbar-tools
e2fsprogs mount util-linux
golang-go golang-golang-x-mod-dev golang-github-google-certificate-transparency-dev
golang-github-nebulouslabs-merkletree-dev"

case $wanted in
build) packages=$build_packages ;;
test) packages="$build_packages $test_packages" ;;
*)
  echo "setup.sh: say build or test, not '$wanted'" >&2
  exit 2
  ;;
esac

missing=
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
if [ -z "$missing" ]; then
  echo "setup: every package is there"
  exit 0
fi

if ! command -v apt-get >/dev/null 2>&1; then
  echo "setup: these packages are missing and there is no apt-get to install them:$missing" >&2
  exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "setup: not root and no sudo; as root, run: apt-get install --no-install-recommends$missing" >&2
    exit 1
  fi
  as_root=sudo
fi
count=$(echo "$missing" | wc -w)
echo "setup: installing $count packages:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >"$log" 2>&1; then
  tail -5 "$log" >&2
  echo "setup: apt-get update failed; going on with the lists that are here" >&2
fi
# shellcheck disable=SC2086 # the list is meant to be split
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >"$log" 2>&1 &
installer=$!
waited=0
while kill -0 "$installer" 2>/dev/null; do
  sleep 1
  waited=$((waited + 1))
  [ $((waited % 10)) -ne 0 ] || echo "  $waited s: $(grep -c '^Get:' "$log") fetched, $(grep -c '^Setting up ' "$log") set up"
done
if ! wait "$installer"; then
  tail -20 "$log" >&2
  echo "setup: the packages above could not be installed" >&2
  exit 1
fi
echo "setup: done"
