# SPDX-License-Identifier: Apache-2.0
"""Threat image projection through the programs: simulated loads and threats, a model, its evaluation, and what is refused."""
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

feed, ctl = sys.argv[1:3]


def run(*arguments, good=True):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode == 0) == good, (arguments, done.returncode, done.stdout[-500:], done.stderr[-1500:])
    return done


with tempfile.TemporaryDirectory() as name:
    root = Path(name)
    sim = [feed, "sim", "--modes", "truck", "--scale", "0.15", "--mixed-rate", "1", "--cargo-density", "0.1:0.3", "--clean",
           "--oddity-rate", "0", "--scans-only"]
    run(*sim, "--seed", "1", "--count", "30", "--write", root / "learn")
    run(*sim, "--seed", "2", "--count", "12", "--write", root / "judge")
    run(feed, "sim", "--threats", root / "threats", "--count", "12", "--bricks-kg", "8:50", "--scale", "0.3")
    kind = "vehicle-portal"
    told = json.loads((next((root / "threats" / kind).glob("*.json"))).read_text())["other"]
    assert 5 < float(told["mass_kg"]) < 60 and told["material"], told

    train = [ctl, "model", "train", "appearance", "--images", root / "learn" / kind, "--scanner-type", kind, "--bank", "256",
             "--dimensions", "16", "--json"]
    plain = json.loads(run(*train, "--out", root / "models").stdout)[0]
    taught = json.loads(run(*train, "--out", root / "models", "--project", root / "threats" / kind).stdout)[0]
    assert "lumps:" in taught["evaluation"] and "lumps:" not in plain["evaluation"], taught["evaluation"]

    judge = ["model", "evaluate", "--images", root / "judge" / kind, "--project", root / "threats" / kind, "--times", "3"]
    figures = {}
    for model in (plain, taught):
        out = run(ctl, *judge, "--model", model["path"], "--json", "--out", root / "rows.csv", "--svg", root / "curve.svg")
        figures[model["path"]] = json.loads(out.stdout)
        again = run(ctl, *judge, "--model", model["path"], "--json")
        assert again.stdout == out.stdout, "the same seed gives the same figures"
    rows = list(csv.DictReader((root / "rows.csv").open()))
    whole = figures[taught["path"]]
    everything = whole["cells"][0]
    assert everything["projections"] == len(rows) and len(rows) + whole["unplaced"] == 3 * whole["normal_scans"]
    assert abs(everything["detected"] - sum(int(row["detected"]) for row in rows) / len(rows)) < 1e-9
    assert everything["lower"] <= everything["detected"] <= everything["upper"]
    assert all(float(row["mass_kg"]) > 5 and float(row["background"]) >= 0.29 for row in rows)
    print("AUROC without and with lumps learnt:", figures[plain["path"]]["auroc"], whole["auroc"])
    assert whole["auroc"] > figures[plain["path"]]["auroc"] and whole["auroc"] > 0.7
    assert (root / "curve.svg").read_text().startswith("<svg") and "kg" in (root / "curve.svg").read_text()
    table = run(ctl, *judge, "--model", taught["path"]).stdout
    assert "AUROC" in table and "kg" in table and "background" in table, table

    # Refused by name: no such folder, a share that is none, a model of declarations has no scanner type.
    run(ctl, *judge[:-4], "--project", root / "nothing", "--model", taught["path"], good=False)
    run(ctl, *judge, "--model", taught["path"], "--false-referrals", "0", good=False)
    assert "below --every" in run(ctl, *judge, "--model", taught["path"], "--every", "2", "--offset", "5", good=False).stderr
    run(ctl, *judge, "--model", root / "rows.csv", good=False)
