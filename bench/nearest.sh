#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Nearest neighbours beside FAISS and scikit-learn: gets the peers, then runs bench_nearest with those that are there.
# usage: sh bench/nearest.sh [--quick] [--json]
# faiss-cpu and scikit-learn live in the virtual environment TRIAGED_PEER_VENV (default build/bench/venv), which is made when it is not
# there; Debian's libfaiss is taken from the system, or unpacked beside it from its package. Who is missing has a line that says SKIP.
set -eu

cd "$(dirname "$0")/.."
room=build/bench/nearest
mkdir -p "$room"
venv=${TRIAGED_PEER_VENV:-build/bench/venv}
python=$venv/bin/python
if [ ! -x "$python" ] || ! "$python" -c 'import faiss, sklearn' 2>/dev/null; then
  echo "nearest.sh: faiss-cpu and scikit-learn into $venv" >&2
  if ! { { [ -x "$python" ] || python3 -m venv "$venv"; } && "$python" -m pip install --quiet faiss-cpu scikit-learn; } \
    >"$room/venv.log" 2>&1; then
    echo "nearest.sh: without faiss-cpu and scikit-learn; see $room/venv.log" >&2
  fi
fi

faiss=$room/nearest_faiss
if [ ! -x "$faiss" ]; then
  if [ -r /usr/include/faiss/IndexFlat.h ]; then
    prefix=/usr
  else
    prefix=$room/libfaiss/usr
    [ -d "$prefix" ] || { (cd "$room" && apt-get download libfaiss-dev && dpkg-deb -x libfaiss-dev_*.deb libfaiss) \
      >"$room/libfaiss.log" 2>&1 || true; }
  fi
  library=$(find "$prefix/lib" -name libfaiss.a 2>/dev/null | head -1)
  if [ -z "$library" ] || ! c++ -O2 -std=c++17 -fopenmp "-I$prefix/include" bench/nearest_faiss.cc "$library" -lopenblas -llapack \
    -o "$faiss" >>"$room/libfaiss.log" 2>&1; then
    echo "nearest.sh: without Debian's libfaiss; see $room/libfaiss.log" >&2
  fi
fi
exec build/bench/bench_nearest "$@" "$room" "$python" bench/nearest_peer.py "$faiss"
