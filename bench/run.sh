#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the release, runs every bench in turn on an otherwise idle machine, and writes bench/RESULTS.md with the machine, the
# compiler and the commit. usage: sh bench/run.sh [--quick] [--dir DIRECTORY] [--only SECTION[,SECTION...]]
# --quick: fewer rounds, into build/bench/RESULTS-quick.md: for a look, not for a claim. --dir: a directory on the disk to
# measure (default: beside the build). --only: these sections are measured again, the others stay as they are with the commit that they
# were measured at.
set -eu

cd "$(dirname "$0")/.."
root=$(pwd)
quick=
only=
directory=$root/build/bench
while [ $# -gt 0 ]; do
  case $1 in
  --quick) quick=--quick ;;
  --dir)
    [ $# -ge 2 ] || { echo "run.sh: --dir needs a directory" >&2; exit 2; }
    directory=$2
    shift
    ;;
  --only)
    [ $# -ge 2 ] || { echo "run.sh: --only needs names of sections" >&2; exit 2; }
    only=,$2,
    shift
    ;;
  *)
    echo "usage: sh bench/run.sh [--quick] [--dir DIRECTORY] [--only SECTION[,SECTION...]]" >&2
    exit 2
    ;;
  esac
  shift
done
fail() {
  echo "run.sh: $*" >&2
  exit 1
}

# The kernels of OpenBLAS that suit this processor, for us and for the peers, whatever the environment says: the rule of
# daemon/score/blas_core.c.
has() {
  for flag in "$@"; do
    grep -m1 '^flags' /proc/cpuinfo | grep -qw "$flag" || return 1
  done
}
unset OPENBLAS_CORETYPE TRIAGED_BLAS_CORE_WAS
if has avx512f avx512cd avx512dq avx512bw avx512vl avx512_bf16; then
  core=Cooperlake
elif has avx512f avx512cd avx512dq avx512bw avx512vl; then
  core=SkylakeX
elif has avx2 fma; then
  core=Haswell
  if grep -qw AuthenticAMD /proc/cpuinfo; then core=Zen; fi
else
  core=
fi
if [ -n "$core" ]; then export OPENBLAS_CORETYPE=$core; fi
export OPENBLAS_NUM_THREADS=1

mkdir -p build
cmake --preset release >build/bench-configure.log 2>&1 ||
  { tail -20 build/bench-configure.log >&2; fail "configuring failed; all of it is in build/bench-configure.log"; }
set -- triaged triagectl triage-verify
for source in bench/bench_*.c; do
  set -- "$@" "$(basename "$source" .c)"
done
cmake --build --preset release --target "$@" >build/bench-build.log 2>&1 ||
  { grep -E 'error|FAILED' build/bench-build.log >&2; fail "building failed; all of it is in build/bench-build.log"; }

# What an interrupted run left behind.
clean() { rm -rf "$directory"/port-?????? "$directory"/bench-log-?????? "$directory"/bench-verify-?????? "$directory"/bench-recovery-?????? \
  "$directory"/bench-archive-??????; }
trap clean EXIT
trap 'exit 130' INT TERM
mkdir -p "$directory"
clean

out=bench/RESULTS.md
if [ -n "$quick" ]; then out=build/bench/RESULTS-quick.md; fi
fresh=$out.fresh

# Processors of one name differ by a factor: the family and the model tell them apart.
processor=$(awk -F ' *\t*: ' '/^model name/ && !n { n = $2 } /^cpu family/ && f == "" { f = $2 } /^model\t/ && m == "" { m = $2 }
  END { print (n == "" ? "processor unknown" : n) (f == "" ? "" : " family " f " model " m) }' /proc/cpuinfo)

machine() {
  memory=$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)
  system=$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)
  disk=$(df --output=fstype,source "$directory" | tail -1 | tr -s ' ')
  cat <<END
| what | value |
|---|---|
| processor of the last | $processor, $(nproc) processors |
| memory | $memory |
| kernel | $(uname -sr), $system |
| disk | $disk |
| compiler | $(cc --version | head -1), preset release |
| libraries | OpenBLAS core ${core:-its own choice}, one thread; libzmq $(pkg-config --modversion libzmq) |
END
}

state=$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)

# A program's figures as the table that people read; of a section that is not wanted, what stands in the last results.
measure() {
  title=$1
  words=$2
  shift 2
  case $only in
  '' | *",$title,"*) ;;
  *)
    awk -v head="## $title" '/^## / { ours = ($0 == head); if (ours) gap = 1 }
      ours && !/^$/ { if (gap) print ""; gap = 0; print }
      ours && /^$/ { gap = 1 }' "$out"
    return
    ;;
  esac
  echo "run.sh: $title" >&2
  before=$(cut -d' ' -f1-3 /proc/loadavg)
  printf '\n## %s\n\n%s\n\n```\n' "$title" "$words"
  "$@" || fail "$title failed"
  printf '```\n\n<sub>commit %s, %s, %s, load before %s</sub>\n' "$state" "$(date -u +%Y-%m-%d)" "$processor" "$before"
}

archive_rounds=5
if [ -n "$quick" ]; then archive_rounds=2; fi
{
  cat <<END
<!-- SPDX-License-Identifier: Apache-2.0 -->
# Results

Written by \`sh bench/run.sh\`$(if [ -n "$quick" ]; then echo " --quick"; fi); not to be edited. Peers are measured in the same run, in turns with ours;
figures are medians of the rounds, with their spread. A ratio is our figure over the peer's. Below each section stands what it was measured
at, and on which processor where that was noted; other work on the machine makes every figure worse.

END
  machine
  measure kernels "The kernels beside the plain BLAS call or loop of the same shape." build/bench/bench_kernels
  measure convnet "The network of a finder beside what this core multiplies and adds out of registers alone (vpdpbusd; vpmaddubsw, vpmaddwd
and an addition), both in time of the processor. Aim: 1.4 GMAC in 3 ms." \
    build/bench/bench_convnet
  measure images "From decoded pixels to a score, as a scoring line does it: a drawn parcel of 640 x 640 and a drawn truck of two energies, 20 MB. Aims:
8 ms a parcel, 200 ms a truck on two cores. Below each parcel its stages, by the time of one processor, beside what the same core takes to copy as many bytes as the
stage reads and writes, through no cache, or for its products out of registers alone. The finder of the parcel has a gate that has learnt nothing and leaves a third of the
products, as learnt ones do on real parcels." \
    build/bench/bench_images "$directory"
  # shellcheck disable=SC2086
  measure nearest "16,384 normal random queries against banks of 4,096 and 16,384 rows, one nearest each, beside FAISS (IndexFlatL2: the
optimised wheel, and Debian's generic build) and scikit-learn (pairwise_distances_argmin_min), each with the OpenBLAS core type that is fastest for
it. Ours is exact and told in double's order whatever the shortlist was made with; by_floats is the path of processors that have no
instruction for products of bytes. Indices of the peers are compared with ours, ours with a search in double. Aims: 2 times the faster
FAISS, 5 times the generic one, 0.95 of SGEMM alone." \
    sh bench/nearest.sh $quick
  # shellcheck disable=SC2086
  measure log "Exactly so many entries of 200 bytes a commit, one commit at a time, beside SQLite (WAL mode, synchronous=FULL,
prepared insert of index, entry and SHA-256) and two bare direct writes of as many bytes. A commit is two durable writes here and
one flush in SQLite, which in return keeps rows and no tree. 'a_commit': SQLite too has somebody who gathers N entries into one
transaction. 'waiting': N submitters each wait for an entry of their own, which is N transactions in SQLite and one commit here.
Aims: one entry p50 0.3 ms, p99 20 ms; 100,000 entries/s and 5 times SQLite at 16 a commit." \
    build/bench/bench_log $quick "$directory"
  # shellcheck disable=SC2086
  measure recovery "From the start of opening to the first entry that can be taken. clean: the log had been closed. killed: the process
was killed a moment after it filled the segment. unpublished: nothing of the segment had been published. Aim: 1 s." \
    build/bench/bench_recovery $quick "$directory"
  # shellcheck disable=SC2086
  measure verify "triage-verify over a log of the daemon's own writer: signatures, every leaf, tile, root, and what the entries say. Aim:
a million entries in 5 s." \
    build/bench/bench_verify $quick "$directory"
  if [ -x build/bench/bench_archive ]; then
    measure archive "Blobs and sealed files, of simulated dual-energy scans (16 bits) and real container scans (8 bits, TRIAGED_SHARED_DATA).
write: from the entries to a file that is closed and synced, as h5py (gzip(1), shuffle, fletcher32, the same chunks) and plain
writing (one sync) do it. seal: until it was also read back from the disk, every image decoded and held against its digest, the
file hashed and renamed, which no peer does. cpu is processor time, left the share of bytes left. Aims: 4 times h5py with
compression, 70% of plain writing without. The ceiling of sealing without compression: SHA-256 of the file is one thread's work,
and begins when the file is written." \
      build/bench/bench_archive --rounds "$archive_rounds" "$directory"
  fi
  measure view "1024x768 pixels of a truck scan of 20 MB (5000x2000, 16 bits), out of the page cache: part is a window at full resolution,
whole the scan reduced, checked against its SHA-256. Aim: p99 below 50 ms. archiver: the rate of sealing with no reader, and with 8 that
never pause beside 8 threads that only burn processor time: readers cost processor time, and no waiting." \
    build/bench/bench_view --rounds "$archive_rounds" "$directory"
  # shellcheck disable=SC2086
  measure decide "From a scored item to its decision, on one thread, draw included, without the disk, beside the keyed function alone
(HMAC-SHA-256), which no draw can do without. claim: from the claim of one session (answered: durable in the log) until
another session's 'triagectl queue --watch' shows it. Aims: 200,000 decisions/s; visible within 100 ms." \
    build/bench/bench_decide $quick --dir "$directory"
  # shellcheck disable=SC2086
  measure ingest "Durable acknowledgements of a real publisher by a real daemon, beside plain libzmq over the same transport.
Aims: 30% of libzmq with CURVE in messages a second at 256 B and 4 KiB; at 1 MiB and above 70% of the disk's sequential direct
writes, where what CURVE carries does not bind before: the last column names the lowest ceiling." \
    build/bench/bench_ingest $quick --dir "$directory"
  # shellcheck disable=SC2086
  measure latency "From the hand-in at the publisher to the verdict at a subscriber, at the design point: 500 trucks an hour (20 MB
dual energy), 40 parcel scans and 2,000 parcel declarations a second, judge line on; first without an archiver, then with one that
seals a file every ten seconds: archive_cpu is what its threads take, in processors (seconds a second of traffic). Hold is 0. Aim:
p99 below 250 ms. Three publishers, the subscriber and the daemon share this machine's processors." \
    build/bench/bench_latency $quick --dir "$directory"
} >"$fresh"
mv "$fresh" "$out"
echo "run.sh: wrote $out" >&2
