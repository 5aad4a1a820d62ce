# SPDX-License-Identifier: Apache-2.0
"""Trains, scores and evaluates emptiness on real container scans, by the commands as a person runs them."""
import csv
import json
import os
import subprocess
import sys
import tempfile

SKIP = 77
FOLDER = os.path.join(os.environ.get("TRIAGED_SHARED_DATA") or
                      os.path.join(os.path.dirname(__file__), "..", "..", "..", "shared", "data"), "containers")


def run(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


def main(triagectl):
    images, labels = os.path.join(FOLDER, "images"), os.path.join(FOLDER, "occupancy_labels.csv")
    if not os.path.exists(labels):
        print(f"SKIP: no real container scans at {FOLDER} (set TRIAGED_SHARED_DATA)")
        return SKIP
    with tempfile.TemporaryDirectory() as out:
        at = ["--dir", out]
        figures = json.loads(run(triagectl, "model", "train", "emptiness", *at, "--json", "--images", images, "--labels",
                                 labels, "--out", out, "--png", os.path.join(out, "hard.png")))
        print(figures["text"])
        # Scanners are left out one after another; what the labels of one reader allow, less some room.
        assert figures["auc"] >= 0.997 and figures["auc_lower"] >= 0.99, figures
        assert figures["box_overlap"] >= 0.8 and figures["scanners"] >= 4, figures
        assert len(figures["hardest"]) == 12
        with open(os.path.join(out, "hard.png"), "rb") as picture:
            assert picture.read(4) == b"\x89PNG"
        again = json.loads(run(triagectl, "model", "train", "emptiness", *at, "--json", "--images", images, "--labels",
                               labels, "--out", out))
        assert again["path"] == figures["path"], "the same images make the same file"
        boxes, scores = os.path.join(out, "boxes.csv"), os.path.join(out, "scores.csv")
        told = run(triagectl, "model", "score", *at, "--model", figures["path"], "--images", images, "--out", boxes, "--image-scores", scores)
        assert f"{len(os.listdir(images))} images scored, 0 refused" in told and boxes in told and scores in told, told
        with open(boxes) as table:
            rows = list(csv.DictReader(table))
        assert all(0 <= float(row["score"]) <= 1 and int(row["width"]) > 0 for row in rows)
        with open(scores) as table:
            best = {row["image"]: float(row["score"]) for row in csv.DictReader(table)}
        assert len(best) == len(os.listdir(images))
        for row in rows:
            assert float(row["score"]) <= best[row["image"]] + 1e-9
        seen = json.loads(run(triagectl, "model", "evaluate", *at, "--json", "--model", figures["path"], "--images", images,
                              "--labels", labels))
        assert seen["auc"] >= figures["auc"] - 1e-3, "rows that the fit knew are no harder"
        refused = subprocess.run([triagectl, "model", "evaluate", *at, "--model", figures["path"], "--images", images,
                                  "--labels", images], capture_output=True, text=True, timeout=60)
        assert refused.returncode == 1 and refused.stderr, "a folder is no table"
        refused = subprocess.run([triagectl, "model", "evaluate", *at, "--model", figures["path"], "--images", images,
                                  "--marks", labels], capture_output=True, text=True, timeout=60)
        assert refused.returncode == 2 and "--labels, not by --marks" in refused.stderr, refused.stderr
        os.mkdir(os.path.join(out, "empty"))
        refused = subprocess.run([triagectl, "model", "score", *at, "--model", figures["path"], "--images", os.path.join(out, "empty"),
                                  "--out", boxes], capture_output=True, text=True, timeout=60)
        assert refused.returncode == 1 and "no image could be scored" in refused.stderr, refused.stderr
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
