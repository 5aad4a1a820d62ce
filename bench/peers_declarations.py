# SPDX-License-Identifier: Apache-2.0
"""What the features and what the model bring: LightGBM, XGBoost and CatBoost taught on the same labelled rows, once on plain
label-encoded columns as arXiv:2208.02484 did and once on our history features, beside ours, as a table on standard output.
usage: peers_declarations.py EARLIER.csv LATER.csv FEATURES_DIRECTORY OUR_SCORES.csv OUR_SCORES_WITHOUT_IDENTICAL.csv
FEATURES_DIRECTORY is what bench_features wrote; the scores are what `triagectl model score` said of LATER.csv by models taught
without it, the second one without the histories of identical goods (same mass, same value). A peer that is not installed is left
out with a SKIP line; exit 77 when none is."""
import csv
import sys

try:
    import numpy
except ImportError:
    print("SKIP: numpy is not installed")
    sys.exit(77)

earlier_path, later_path, directory, scores_path, bare_path = sys.argv[1:6]
trees = 300
SEEDS = (0,)
LABEL, CRITICAL, ID, DATE = "Fraud", "Critical Fraud", "Declaration ID", "Date"
NUMBERS = {"Tax Rate", "Net Mass", "Item Price"}


def read(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


earlier, later = read(earlier_path), read(later_path)
labels = numpy.array([int(row[LABEL]) for row in earlier])
truth = numpy.array([int(row[LABEL]) for row in later])


def plain():
    """Every column but label, identifier and date: numbers as they are, the rest by the order of first sight in the earlier rows;
    what the later rows bring anew is -1."""
    columns = []
    for name in earlier[0]:
        if name in (LABEL, CRITICAL, ID, DATE):
            continue
        if name in NUMBERS:
            number = [[float(row[name]) if row[name] else float("nan") for row in part] for part in (earlier, later)]
            columns.append([numpy.array(part) for part in number])
            continue
        codes = {}
        for row in earlier:
            codes.setdefault(row[name], len(codes))
        columns.append([numpy.array([codes.get(row[name], -1) for row in part], float) for part in (earlier, later)])
    return [numpy.stack([column[part] for column in columns], axis=1) for part in (0, 1)]


def histories():
    made = []
    for name, part in (("earlier", earlier), ("later", later)):
        raw = numpy.fromfile(f"{directory}/{name}.f32", dtype="<f4")
        made.append(raw.reshape(len(part), -1))
    return made


def without_identical():
    with open(f"{directory}/names.txt", encoding="utf-8") as file:
        names = file.read().split()
    kept = [not (name.startswith("history.") and ("mass" in name or "value" in name)) for name in names]
    return [part[:, kept] for part in histories()]


def lightgbm(x, seed):
    import lightgbm
    return lightgbm.LGBMClassifier(n_estimators=trees, learning_rate=0.05, subsample=0.8, subsample_freq=1, colsample_bytree=0.5,
                                   random_state=seed, n_jobs=2, verbose=-1).fit(x, labels)


def xgboost(x, seed):
    import xgboost
    return xgboost.XGBClassifier(n_estimators=trees, max_depth=6, learning_rate=0.05, subsample=0.8, colsample_bytree=0.5,
                                 tree_method="hist", random_state=seed, n_jobs=2).fit(x, labels)


def catboost(x, seed):
    import catboost
    return catboost.CatBoostClassifier(iterations=trees, depth=6, learning_rate=0.1, random_seed=seed, thread_count=2, verbose=0,
                                       allow_writing_files=False).fit(x, labels)


def precision(scores, chosen, share):
    count = int(round(len(chosen) * share))
    best = chosen[numpy.argsort(-scores[chosen], kind="stable")[:count]]
    return truth[best].mean()


def area(scores):
    order = numpy.argsort(scores, kind="stable")
    _, first, count = numpy.unique(scores[order], return_index=True, return_counts=True)
    ranks = numpy.repeat(first + (count + 1) / 2, count)
    positive = truth[order] == 1
    found = positive.sum()
    return (ranks[positive].sum() - found * (found + 1) / 2) / (found * (len(truth) - found))


def line(name, on, runs):
    """One row of the table: the mean of the runs, 95% by resampling the later rows 400 times. Every run must name its scores."""
    cells = []
    for share in (0.05, 0.10):
        everybody = numpy.arange(len(truth))
        value = numpy.mean([precision(scores, everybody, share) for scores in runs])
        draw = numpy.random.default_rng(1)
        again = [precision(runs[0], draw.integers(0, len(truth), len(truth)), share) for _ in range(400)]
        low, high = numpy.quantile(again, [0.025, 0.975])
        cells.append(f"{value:.3f} ({low:.3f} to {high:.3f})")
    print(f"| {name} | {on} | {cells[0]} | {cells[1]} | {numpy.mean([area(scores) for scores in runs]):.3f} |", flush=True)


print("| model | features | precision at 5% | at 10% | AUC |\n|---|---|---|---|---|")
print("| XGBoost (arXiv:2208.02484, its test quarter) | label-encoded columns | 0.675 | 0.579 | |")
print("| LightGBM (arXiv:2208.02484, its test quarter) | label-encoded columns | 0.762 | 0.641 | |")
missing, found = [], 0
for on, make in (("label-encoded columns", plain), ("our histories without identical goods", without_identical),
                 ("our histories", histories)):
    x, later_x = make()
    for peer in (xgboost, lightgbm, catboost):
        try:
            runs = [peer(x, seed).predict_proba(later_x)[:, 1] for seed in SEEDS]
        except ImportError as error:
            missing.append(f"SKIP: {peer.__name__}: {error}")
            continue
        line(f"{peer.__name__}, {trees} trees", on, runs)
        found += 1
for on, path in (("our histories without identical goods", bare_path), ("our histories", scores_path)):
    by_id = {row["declaration_id"]: float(row["score"]) for row in read(path)}
    line("ours, oblivious trees", on, [numpy.array([by_id[row[ID]] for row in later])])
twins = {}
for row in earlier:
    twins.setdefault((row["HS6 Code"], row["Net Mass"], row["Item Price"]), row[LABEL])
same = [twins[key] == row[LABEL] for row in later if (key := (row["HS6 Code"], row["Net Mass"], row["Item Price"])) in twins]
print(f"\nOf the later rows {len(same) / len(later):.0%} have an earlier one of the same HS code, mass and price; "
      f"{sum(same) / len(same):.0%} of these had the outcome of the first such.")
for text in missing:
    print(text)
sys.exit(0 if found else 77)
