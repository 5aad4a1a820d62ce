# SPDX-License-Identifier: Apache-2.0
"""Rows a second of LightGBM, XGBoost and scikit-learn's HistGradientBoostingClassifier predicting with 300 trees on ready-made
features (features-N.f32 of DIRECTORY: rows of N float32, then labels). usage: trees_peer.py DIRECTORY THREADS; a peer that is not
installed is left out with a SKIP line. Two figures: by the clock, and of so many processors that do nothing else; exit 77 when none is."""
import os
import pathlib
import sys
import time

threads = int(sys.argv[2])
os.environ["OMP_NUM_THREADS"] = str(threads)
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
    return lambda: model.predict(features, num_threads=threads)


def xgboost():
    import xgboost
    model = xgboost.XGBClassifier(n_estimators=300, max_depth=6, tree_method="hist", n_jobs=threads).fit(features[taught], labels[taught])
    booster = model.get_booster()
    return lambda: booster.inplace_predict(features)


def hist_gradient_boosting():
    from sklearn.ensemble import HistGradientBoostingClassifier
    model = HistGradientBoostingClassifier(max_iter=300, early_stopping=False).fit(features[taught], labels[taught])
    return lambda: model.predict_proba(features)


found = 0
for peer in (lightgbm, xgboost, hist_gradient_boosting):
    try:
        predict = peer()
    except ImportError as error:
        print(f"SKIP: {peer.__name__}: {error}")
        continue
    predict()
    clock, processor = 1e9, 1e9
    for _ in range(7):
        start, used = time.monotonic(), time.process_time()
        predict()
        clock, processor = min(clock, time.monotonic() - start), min(processor, time.process_time() - used)
    print(f"{peer.__name__} {rows / clock:.0f} {rows / processor * threads:.0f}", flush=True)
    found += 1
sys.exit(0 if found else 77)
