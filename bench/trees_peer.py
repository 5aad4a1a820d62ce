# SPDX-License-Identifier: Apache-2.0
"""LightGBM, XGBoost and scikit-learn's HistGradientBoostingClassifier predicting with 300 trees on ready-made features
(features-N.f32 of DIRECTORY: rows of N float32, then labels). usage: trees_peer.py DIRECTORY THREADS

Says "ready" when all are taught; then, for each line on standard input, predicts once with each and says "NAME CLOCK PROCESSOR",
rows a second by the clock and of THREADS processors that do nothing else, and "end". The second is the better of THREADS threads and
of one: threads that wait for one another on a busy machine take processor time for nothing. A peer that is not installed is left out
with a SKIP line; exit 77 when none is."""
import os
import pathlib
import sys
import time

threads = int(sys.argv[2])
os.environ["OMP_NUM_THREADS"] = str(threads)
os.environ["OMP_WAIT_POLICY"] = "passive"  # who waits for another thread burns no processor time
try:
    import numpy
except ImportError:
    print("SKIP: numpy is not installed")
    sys.exit(77)

path = next(pathlib.Path(sys.argv[1]).glob("features-*.f32"))
width = int(path.stem.split("-")[1])
raw = numpy.fromfile(path, dtype="<f4")
rows = raw.size // (width + 1)
features = raw[: rows * width].reshape(rows, width)
labels = raw[rows * width:].astype(int)
taught = slice(0, 37385)


def lightgbm():
    import lightgbm
    model = lightgbm.LGBMClassifier(n_estimators=300, n_jobs=threads, verbose=-1).fit(features[taught], labels[taught]).booster_
    return lambda hands: model.predict(features, num_threads=hands)


def xgboost():
    import xgboost
    model = xgboost.XGBClassifier(n_estimators=300, max_depth=6, tree_method="hist", n_jobs=threads).fit(features[taught], labels[taught])
    booster = model.get_booster()

    def predict(hands):
        booster.set_param({"nthread": hands})
        booster.inplace_predict(features)
    return predict


def hist_gradient_boosting():
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits
    model = HistGradientBoostingClassifier(max_iter=300, early_stopping=False).fit(features[taught], labels[taught])

    def predict(hands):
        with threadpool_limits(hands):
            model.predict_proba(features)
    return predict


def measure(predict, hands):
    start, used = time.monotonic(), time.process_time()
    predict(hands)
    return rows / (time.monotonic() - start), rows / (time.process_time() - used) * threads


peers = []
for make in (lightgbm, xgboost, hist_gradient_boosting):
    try:
        peers.append((make.__name__, make()))
    except ImportError as error:
        print(f"SKIP: {make.__name__}: {error}")
for _, predict in peers:
    predict(threads)
print("ready", flush=True)
for _ in sys.stdin if peers else ():
    for name, predict in peers:
        together, alone = measure(predict, threads), measure(predict, 1)
        print(f"{name} {max(together[0], alone[0]):.0f} {max(together[1], alone[1]):.0f}")
    print("end", flush=True)
sys.exit(0 if peers else 77)
