#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Learning from the port's own log: exams teach, nothing else does; a later model is compared, then installed.
usage: learn.py CASE ; exit 77 is SKIP with the reason."""
import concurrent.futures
import csv
import json
import os
import re
import shutil
import sys

from port import BIN, Failure, Port, must, run


def everything_is_drawn(port, **keys):
    """The coin of mail picks every item, and nothing waits for a scan that will not come."""
    policy = port.directory / "policy.conf"
    head, mail = policy.read_text().split("  mail:", 1)
    for name, value in {"random_rate": 1.0, "hold_s": 0.2, **keys}.items():
        mail = re.sub(rf"\b{name} = [^;]*;", f"{name} = {value};", mail, count=1)
    policy.write_text(head + "  mail:" + mail)


def feed(port, seed, count, **more):
    labels = port.directory / f"labels-{seed}.csv"
    words = ["sim", "--seed", seed, "--count", count, "--modes", "mail", more.get("only", "--declarations-only"), "--labels", labels,
             "--misdeclare-rate", more.get("bad", "0.3"), *more.get("words", ())]
    summary = port.feed(*words, stream=f"feed-{seed}")
    must(summary["refused"] == 0 and summary["waiting"] == 0, f"{summary}")
    port.await_judged()
    with open(labels, encoding="utf-8") as table:
        return {row["key"]: row["violation"] == "1" for row in csv.DictReader(table)}


def examine(port, truth, leave=0):
    """Officers open what is queued; of `leave` items they end the referral otherwise. Returns exams and finds."""
    queued = [row for row in port.ctl_json("queue", "--limit", "1000") if row["label"] in truth]

    def one(place_row):
        place, row = place_row
        item, officer = row["item"], ("--actor", f"officer {place % 3}")
        if place < leave:
            if place % 2:
                port.ctl("release", item, "--code", "document_cleared", *officer)
            else:
                port.ctl("claim", item, *officer)
                port.ctl("outcome", item, *officer, "--level", "full", "--result", "abandoned")
            return None
        port.ctl("claim", item, *officer)
        found = truth[row["label"]]
        words = ("found", "--class", "misdeclared") if found else ("nothing_found",)
        port.ctl("outcome", item, *officer, "--level", "full", "--result", *words)
        return found
    with concurrent.futures.ThreadPoolExecutor(4) as officers:
        done = [found for found in officers.map(one, enumerate(queued)) if found is not None]
    return len(done), sum(done)


def train(port, out):
    done = port.ctl("model", "train", "declarations", "--archive", port.store, "--out", port.directory / out, "--json")
    return json.loads(done.stdout), done.stderr


def old_files_go(port, first, now):
    """Beyond the newest eight, what nobody would miss; never what is in force or the last copy of what was."""
    folder, models = port.store / "retrain", port.store / "models"
    must([file.name for file in folder.glob("*.h5")] == [now + ".h5"], f"{list(folder.iterdir())}")
    lone = "a" * 64  # no model.change names these
    for age in range(12):
        file = folder / (f"{age:02d}" + lone[2:] + ".h5")
        file.write_bytes(b"not installed")
        os.utime(file, (1.7e9 - age, 1.7e9 - age))
    os.utime(folder / (now + ".h5"), (1e9, 1e9))  # the oldest of all, but in force
    shutil.copy(models / (first + ".h5"), folder / (first + ".h5"))
    os.utime(folder / (first + ".h5"), (1.1e9, 1.1e9))
    (folder / "notes.h5").write_bytes(b"somebody's own")
    os.utime(folder / "notes.h5", (1e9, 1e9))
    killed = folder / "compare-abcdef"
    killed.mkdir()
    (killed / (lone + ".h5")).write_bytes(b"half")
    os.utime(killed, (1e9, 1e9))
    # Named by a model.change, and this is the last whole copy: the other one is broken.
    whole = (models / (first + ".h5")).read_bytes()
    (models / (first + ".h5")).chmod(0o644)
    (models / (first + ".h5")).write_bytes(whole[:-1])
    dry = port.ctl_json("model", "retrain", "--dry-run")
    must(dry["removed_files"] == 0 and len(list(folder.glob("*.h5"))) == 15, f"{dry}")
    done = port.ctl_json("model", "retrain", "--install")
    must(not done["installed"] and done["removed_files"] == 4, f"{done}")
    left = sorted(file.name for file in folder.iterdir())
    young = [f"{age:02d}" + lone[2:] + ".h5" for age in range(8)]
    must(left == sorted(young + [now + ".h5", first + ".h5", "notes.h5"]), f"{left}")
    # With its copy whole again it is one of many.
    (models / (first + ".h5")).write_bytes(whole)
    done = port.ctl_json("model", "retrain", "--install")
    must(done["removed_files"] == 1 and not (folder / (first + ".h5")).exists(), f"{done}")
    must((folder / (now + ".h5")).exists() and (models / (first + ".h5")).exists(), "what is needed went")


def seed_no_worse(port):
    """Models that differ by one exam: one in forty is worse beyond noise, by luck, and is not installed. So with another seed."""
    for seed in range(1, 9):
        dry = port.ctl_json("model", "retrain", "--dry-run", "--seed", seed)
        must((dry["verdict"] == "worse") == (dry["all"]["lower"] > 0 or (dry["random_counts"] and dry["random"]["lower"] > 0)), f"{dry}")
        if dry["verdict"] != "worse":
            break
    return seed, dry


def case_retrain():
    """The model of the log's exams takes the place; the next one is compared with it on exams that came later."""
    with Port() as port:
        everything_is_drawn(port)
        port.start()
        none = port.ctl("model", "train", "declarations", "--archive", port.store, "--out", port.directory / "m", check=False)
        must(none.returncode == 1, "a model of no exams")
        exams, finds = examine(port, feed(port, 1, 215), leave=8)
        must(exams >= 200 and 20 < finds < exams, f"{exams} exams, {finds} finds")
        port.await_judged()
        made, told = train(port, "first")
        must(f"log: {exams} declarations with the outcome of an exam, {exams} of them drawn" in told, told)
        must(f"rows {exams}," in made["evaluation"], made["evaluation"])
        cut = port.ctl("model", "train", "declarations", "--archive", port.store, "--out", port.directory / "cut",
                       "--newest", "60", "--json")
        must(f"log: {exams} declarations with the outcome of an exam; the oldest {exams - 60} are passed" in cut.stderr, cut.stderr)
        must("rows 60," in json.loads(cut.stdout)["evaluation"], cut.stdout)
        found = port.state("SELECT outcomes.found FROM outcomes JOIN items ON items.item = outcomes.item JOIN decisions ON"
                           " decisions.entry = items.decision_entry JOIN records ON records.item = outcomes.item AND"
                           " records.kind = 'declaration' WHERE outcomes.standing = 1 AND outcomes.result IN"
                           " ('nothing_found', 'found', 'partial') ORDER BY decisions.t_ns DESC, outcomes.entry DESC, records.entry DESC LIMIT 60")
        block = json.loads(cut.stdout)["later"]  # of one day, unless it has just turned
        must(block["rows"] != 60 or block["finds"] == sum(row[0] for row in found), f"{block}")
        cut = port.ctl("model", "retrain", "--dry-run", "--newest", "60")
        must(f"the oldest {exams - 60} are passed over" in cut.stderr, cut.stderr)
        again, _ = train(port, "again")
        must(again["sha256"] == made["sha256"], "the same log gives another model")

        few = port.ctl_json("model", "retrain", "--dry-run")
        must(few["verdict"] == "too_few" and not few["installed"] and few["in_use"] is None, f"{few}")
        port.ctl("model", "install", made["path"])
        before = port.ctl_json("model", "list")["in_force"]

        later = examine(port, feed(port, 2, 110))
        port.await_judged()
        # What was redacted teaches nothing, from then on.
        item = port.state("SELECT lower(hex(item)) FROM outcomes WHERE result = 'found' ORDER BY entry LIMIT 1")[0][0]
        port.ctl("redact", item, "--legal-basis", "GDPR article 17", "--yes", "--actor", "officer")
        port.await_judged()
        seed, dry = seed_no_worse(port)
        must(dry["training_rows"] == exams - 1 and dry["later_rows"] == dry["random_rows"] == later[0], f"{dry}")
        must(dry["verdict"] == "no_worse" and not dry["installed"] and "path" not in dry, f"{dry}")
        must(dry["in_use"] == made["sha256"] and dry["random_counts"], f"{dry}")
        must(port.ctl_json("model", "list")["in_force"] == before, "a dry run changed the models in force")
        must(len(dry["drift"]) > 10 and dry["drift"][0]["field"] == "score", f"{dry['drift']}")
        done = port.ctl_json("model", "retrain", "--install", "--seed", seed)
        must(done["installed"] and done["sha256"] != made["sha256"], f"{done}")
        change = port.entries("model.change")[-1]
        must(change["name"] == "history" and change["model"] == "sha256:" + done["sha256"], f"{change}")
        must(change["evaluation"].startswith("against model " + made["sha256"][:12]), f"{change}")
        must(f"on {later[0]} later exams" in change["evaluation"] and "of the coin's" in change["evaluation"], f"{change}")
        must(f"rows {exams + later[0] - 1}," in change["evaluation"], f"{change}")
        old_files_go(port, made["sha256"], done["sha256"])
        drift = port.ctl("model", "drift", "--days", "1", check=False)
        must(drift.returncode == 1 and "0 declarations then" in drift.stderr, f"{drift}")
        # Confidential fields are read, never shown: nobody's name is told, and the file has digests.
        shown = json.dumps(done) + told
        entry = port.state("SELECT max(entry) FROM records WHERE kind = 'declaration'")[0][0]
        told_of = json.loads(port.ctl("reveal", "--entry", entry, "--names", "record", "--purpose", "flow test", "--json").stdout)
        importer = told_of["revealed"][0]["value"]["importer"]
        file = (port.directory / "first" / (made["sha256"] + ".h5")).read_bytes()
        must(importer and importer not in shown and importer.encode() not in file, f"{importer} is shown")
        port.await_judged()
        port.stop()
        verdict = port.verify()
        must(verdict["good"] is True, f"{verdict}")
        print(f"{exams} exams taught, {later[0]} later ones judged: {done['words']}")


def rate_today(port):
    """Of mail, as report tells it: rate, floor, reason."""
    row = next(row for row in port.ctl_json("report")["coin"] if row["stratum"] == "mail")
    return row["rate"], row.get("floor"), row.get("reason", "")


def start_on(port, day):
    os.environ["TRIAGED_TEST_DAYS"] = str(day)
    port.start(program=BIN.parent / "tests" / "triaged_shifted")


def adapt(port):
    start_on(port, 0)
    rate, floor, _ = rate_today(port)
    must(rate == floor == 0.2, f"the first day begins at the floor: {rate}, {floor}")
    exams, finds = examine(port, feed(port, 3, 320, bad="0.7"))
    must(exams > 20 and finds >= 10, f"{exams} exams, {finds} finds")
    # Scans alone have no score here; what the coin drew of them says nothing of the scores.
    examine(port, feed(port, 5, 40, only="--scans-only"))
    port.await_judged()
    blind = port.state("SELECT count(*), coalesce(sum(decisions.arm = 'random'), 0) FROM outcomes JOIN decisions USING (item)"
                       " JOIN scores USING (item) WHERE scores.unscorable <> ''")[0]
    must(blind[0] > 20 and blind[1] > 0, f"exams of items without a score, drawn ones: {blind}")
    must(rate_today(port)[0] == 0.2, "the share moved within a day")
    port.stop()

    start_on(port, 1)
    rate, floor, reason = rate_today(port)
    must(floor == 0.2 and 0.2 < rate <= 0.2 + 0.3 * 0.4 and reason.startswith("surprise: "), f"{rate}, {floor}, {reason}")
    must(f"the coin {finds} of" in reason and f"({exams}), score drift" in reason and "floor 0.2, ceiling 0.6" in reason, f"{exams} exams, {finds} finds, but: {reason}")
    told = port.ctl("queue").stdout
    must("surprise" in told and f"{100 * rate:.4g}%" in told and "20%" in told, told)
    port.stop()
    start_on(port, 1)
    must(rate_today(port)[0] == rate, "a restart chose anew")
    before = port.state("SELECT max(entry) FROM decisions")[0][0]
    feed(port, 4, 40, words=("--start", "2026-03-01T06:00:00Z"))
    rates = {row[0] for row in port.state(f"SELECT random_rate FROM decisions WHERE entry > {before}")}
    must(rates == {rate}, f"drawn with {rates}, not {rate}")
    commits = {entry["day"]: entry for entry in port.entries("draw.commit")}
    newest = max(day for day, entry in commits.items() if float(str(entry["rates"]["mail"])) == rate)
    must(commits[newest]["adapting"]["mail"]["reason"] == reason and set(commits[newest]["adapting"]) == {"mail"}, f"{commits}")
    port.stop()

    # Oversight raises the floor above the share: nothing is drawn by less, from then on.
    policy = port.directory / "policy.conf"
    head, mail = policy.read_text().split("  mail:", 1)
    policy.write_text(head + "  mail:" + mail.replace("random_rate = 0.2;", "random_rate = 0.5;", 1))
    start_on(port, 1)
    must(rate_today(port)[:2] == (0.5, 0.5), f"{rate_today(port)}")
    port.stop()
    verdict = port.verify()
    must(verdict["good"] is True, f"{verdict}")
    policy.write_text(policy.read_text().replace("random_rate_max = 0.6", "random_rate_max = 0.4"))
    refused = run(BIN / "triaged", "--config", port.config, "--check", check=False)
    must(refused.returncode != 0 and "at least random_rate" in refused.stderr, f"a ceiling below the floor: {refused}")
    print(f"{exams} exams, {finds} finds: 20% became {100 * rate:.4g}%: {reason}")


def case_adapt():
    """The coin's share rises at a day's opening when it found what no score promised; never below the floor."""
    with Port() as port:
        everything_is_drawn(port, random_rate="0.2;\n    random_rate_max = 0.6", capacity_per_hour=0)
        try:
            adapt(port)
        finally:
            os.environ.pop("TRIAGED_TEST_DAYS", None)


if __name__ == "__main__":
    if not (BIN / "triaged").exists():
        raise SystemExit("build first")
    try:
        sys.exit({"retrain": case_retrain, "adapt": case_adapt}[sys.argv[1]]())
    except Failure as failure:
        raise SystemExit(f"FAILED: {failure}") from failure
