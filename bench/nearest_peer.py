# SPDX-License-Identifier: Apache-2.0
"""FAISS or scikit-learn for bench_nearest: "ready NAME", then for every line of the standard input the seconds of one search;
the first one's indices go to OUT. usage: nearest_peer.py faiss|sklearn BANK QUERIES DIMENSIONS OUT; exit 77 without it."""
import os
import sys
import time

library, bank_path, queries_path, dimensions, out = sys.argv[1:]
try:
    import numpy
    if library == "faiss":
        import faiss
    else:
        import sklearn
        from sklearn.metrics import pairwise_distances_argmin_min
except ImportError:
    sys.exit(77)

bank = numpy.fromfile(bank_path, dtype="f4").reshape(-1, int(dimensions))
queries = numpy.fromfile(queries_path, dtype="f4").reshape(-1, int(dimensions))
if library == "faiss":
    faiss.omp_set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    index = faiss.IndexFlatL2(int(dimensions))
    index.add(bank)
    print(f"ready faiss-cpu {faiss.__version__}", flush=True)
else:
    print(f"ready scikit-learn {sklearn.__version__}", flush=True)
first = True
for _ in sys.stdin:
    began = time.monotonic()
    if library == "faiss":
        found = index.search(queries, 1)[1][:, 0]
    else:
        found = pairwise_distances_argmin_min(queries, bank, metric="sqeuclidean")[0]
    seconds = time.monotonic() - began
    if first:
        found.astype("u4").tofile(out)
        first = False
    print(f"{seconds:.9f}", flush=True)
