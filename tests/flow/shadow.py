#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A model in shadow: it scores what was decided and decides nothing; its report, its promotion, its removal; and what it
breaks when it is hostile, slow or wrong: nothing but itself.
usage: shadow.py CASE ; exit 77 is SKIP with the reason."""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile

from port import BIN, SOURCE, Failure, Port, must, run

STALLED = BIN.parent / "tests" / "triaged_stalled"


def settle_policy(port, **keys):
    """Mail waits for nothing and is decided by its score alone: a cut-off that does not move, room for all."""
    policy = port.directory / "policy.conf"
    text = re.sub(r"\bwarmup_count = [^;]*;", "warmup_count = 65536;", policy.read_text(), count=1)
    text = re.sub(r"\bwindow_count = [^;]*;", "window_count = 65536;", text, count=1)
    head, mail = text.split("  mail:", 1)
    for name, value in {"hold_s": 0.2, "capacity_per_hour": 1e6, "expects_scan": "false", **keys}.items():
        mail = re.sub(rf"\b{name} = [^;]*;", f"{name} = {value};", mail, count=1)
    policy.write_text(head + "  mail:" + mail)


def history_model(port, seed, count=1500):
    """A history model of a simulated year; returns its file."""
    table, out = port.directory / f"history-{seed}.csv", port.directory / f"models-{seed}"
    run(BIN / "triage-feed", "sim", "--history", table, "--count", count, "--seed", seed, "--quiet")
    port.ctl("model", "train", "history", "--declarations", table, "--mapping",
             SOURCE / "config" / "mappings" / "customs-import.json", "--out", out)
    return next(file for file in out.glob("*.h5") if port.ctl_json("model", "show", file)["texts"]["name"] == "history")


def feed(port, seed, count):
    summary = port.feed("sim", "--seed", seed, "--count", count, "--modes", "mail", "--declarations-only",
                        stream=f"feed-{seed}")
    must(summary["refused"] == 0 and summary["waiting"] == 0, f"{summary}")
    return port.await_judged()


def await_shadow(port, wanted, what):
    """Until health shows it."""
    def seen():
        shadow = port.health().get("shadow")
        return [shadow] if wanted(shadow) else None  # no shadow may be what is wanted
    return port.await_that(seen, lambda: f"{what} did not happen: {port.health().get('shadow')}")[0]


def runs(port):
    """How often a model in shadow was loaded and began to run; it is told before the order is answered."""
    return len(re.findall(r"event=shadow .*running=1", port.daemon_log()))


def scored(port, count):
    await_shadow(port, lambda shadow: shadow and shadow["scored"] + shadow["missed"] >= count, f"{count} items scored or missed")
    return port.await_judged()["shadow"]


def decided(port):
    """What was said of each item and done with it, by its label; nothing that only tells when."""
    scores = {entry["item"]: entry for entry in port.entries("score")}
    out = {}
    for entry in port.entries("referral.decision"):
        score = scores[entry["item"]]
        out[entry["label"]] = {
            "score": [score["probability"], score["logit"], score["contributions"], score["models"], score["inputs"]],
            "decision": [entry[name] for name in ("decision", "arm", "probability", "cutoff", "priority", "reasons", "propensity")]}
    return out


def examine(port):
    """Everything is opened; in every fifth something is found."""
    def one(numbered):
        number, row = numbered
        port.ctl("claim", row["item"])
        words = ("found", "--class", "misdeclared") if number % 5 == 0 else ("nothing_found",)
        port.ctl("outcome", row["item"], "--level", "full", "--result", *words)
    with concurrent.futures.ThreadPoolExecutor(4) as officers:
        list(officers.map(one, enumerate(port.ctl_json("queue", "--limit", "1000"))))


def ranks(values):
    order = sorted(range(len(values)), key=lambda i: values[i])
    out = [0.0] * len(values)
    at = 0
    while at < len(order):
        end = at
        while end < len(order) and values[order[end]] == values[order[at]]:
            end += 1
        for place in range(at, end):
            out[order[place]] = (at + end - 1) / 2
        at = end
    return out


def spearman(first, second):
    a, b = ranks(first), ranks(second)
    mean = (len(a) - 1) / 2
    top = sum((x - mean) * (y - mean) for x, y in zip(a, b))
    return top / (sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b)) ** 0.5


def check_report(port, since):
    """The report's figures, once more from the log alone."""
    report = port.ctl_json("model", "shadow")
    shadows = {entry["item"]: entry["score"]["probability"] for entry in port.entries("shadow.score")}
    decisions = [entry for entry in port.entries("referral.decision") if int(entry["n"]) > since]
    outcomes = {entry["item"]: entry["result"] == "found" for entry in port.entries("outcome")}
    both = [entry for entry in decisions if entry["item"] in shadows]
    used = [float(entry["probability"]) for entry in both]
    other = [float(shadows[entry["item"]]) for entry in both]
    must(report["decisions"] == len(decisions) and report["scored"] == report["compared"] == len(both), f"{report}")
    must(abs(report["rank_correlation"] - spearman(used, other)) < 1e-9 and report["rank_correlation"] < 0.999,
         f"{report['rank_correlation']} {spearman(used, other)}")
    sites = {}
    for index, entry in enumerate(both):
        sites.setdefault(entry["site"], []).append(index)
    for row in report["top"]:
        for name, values in (("in_use", used), ("shadow", other)):
            top = [index for members in sites.values()
                   for index in sorted(members, key=lambda i: -values[i])[:int(row["share"] * len(members) + 0.5)]]
            exams = [outcomes[both[i]["item"]] for i in top if both[i]["item"] in outcomes]
            told = row[name]
            must(told["items"] == len(top), f"{told} {len(top)}")
            must((told["random"]["examined"], told["random"]["found"]) == (len(exams), sum(exams)), f"{told} {exams}")
            must(told["random"]["estimable"] == (len(exams) >= 30), f"{told}")
            if told["random"]["estimable"]:  # every item was drawn with certainty: nothing is left to estimate
                must(abs(told["random"]["rate"] - sum(exams) / len(exams)) < 1e-9, f"{told}")
                must(told["all"]["rate"] == told["random"]["rate"], f"{told}")
    return report


def case_life():
    """Installed beside, scored after, compared, computed again, promoted; the next one is taken away."""
    with Port() as port:
        settle_policy(port, random_rate=1.0)
        port.start()
        first, second = history_model(port, 1), history_model(port, 2)
        port.ctl("model", "install", first)
        none = port.ctl("model", "shadow", check=False)
        must(none.returncode == 1 and "no model is in shadow" in none.stderr, f"{none}")
        feed(port, 11, 20)
        port.ctl("model", "install", "--shadow", second, "--reason", "a newer year", "--actor", "analyst")
        entry = port.entries("model.change")[-1]
        since = int(entry["n"])
        must(entry["name"] == "shadow/history" and entry["reason"] == "a newer year" and entry["actor"] != "daemon", f"{entry}")
        begun = runs(port)
        twice = port.ctl("model", "install", "--shadow", second, check=False)
        must(twice.returncode == 1 and "in shadow already" in twice.stderr, f"{twice}")
        must(runs(port) == begun > 0, "what runs was loaded again for an order that is refused")
        plain = port.ctl("model", "install", second, check=False)
        must(plain.returncode == 1 and "promote" in plain.stderr, f"{plain}")
        must(port.health()["shadow"]["running"], f"{port.health()}")
        feed(port, 12, 140)
        told = scored(port, 140)
        must((told["scored"], told["missed"], told["failed"]) == (140, 0, 0), f"{told}")
        metrics = port.metrics()
        must(metrics["triaged_shadow_scored_total"] == 140 and metrics["triaged_shadow_missed_total"] == 0, "metrics")
        entries = port.entries("shadow.score")
        must(len(entries) == 140 and all(not part.get("words") for e in entries for part in e["score"]["contributions"]), "entries")
        must(all(e["place"] == "history" and int(e["n"]) > since for e in entries), "place")
        examine(port)
        few = check_report(port, since)
        must(few["top"][0]["in_use"]["random"]["estimable"] is False, f"{few['top'][0]}")
        must(few["referred"]["estimable"] and few["referred"]["logged"] == 140, f"{few['referred']}")
        words = port.ctl("model", "shadow").stdout
        must("not estimable: too few random exams" in words and "Rank correlation" in words, words)

        port.stop()  # what it had learnt comes back with it
        port.start()
        must(await_shadow(port, lambda s: s and s["running"], "the shadow")["place"] == "history", "after a restart")
        feed(port, 13, 20)
        must(scored(port, 20)["missed"] == 0, f"{port.health()}")
        file = seal(port, max(int(e["n"]) for e in port.entries("shadow.score")))
        replay = json.loads(port.ctl("replay", file, "--json", check=False).stdout)
        must(replay["shadows"] == 160 and replay["identical"] == replay["scores"] == 340, f"{ {k: v for k, v in replay.items() if k != 'findings'} }")

        bare = port.ctl("model", "promote", check=False)
        must(bare.returncode == 2, f"{bare}")
        port.ctl("model", "promote", "--reason", "ranks no worse", "--actor", "supervisor")
        change = port.entries("model.change")[-1]
        must(change["name"] == "history" and change["promoted"] and change["reason"] == "ranks no worse", f"{change}")
        must("scored by both" in change["figures"] and "rank correlation 0." in change["figures"], change["figures"])
        must(await_shadow(port, lambda s: s is None, "the end of the shadow") is None, "promoted")
        feed(port, 14, 10)
        named = {model["name"]: model["model"] for model in port.entries("score")[-1]["models"]}
        must(named["history"] == "sha256:" + second.stem, f"{named}")
        must(len(port.entries("shadow.score")) == 160, "a shadow after its promotion")

        port.ctl("model", "install", "--shadow", first)
        feed(port, 15, 10)
        scored(port, 30)
        port.ctl("model", "withdraw", "--reason", "the older one")
        gone = port.entries("model.change")[-1]
        must(gone["removed"] and gone["name"] == "shadow/history" and gone["reason"] == "the older one", f"{gone}")
        must("shadow" not in port.health(), f"{port.health()}")
        must([m["name"] for m in port.ctl_json("model", "list")["in_force"]] == ["history"], "models in force")
        feed(port, 16, 10)
        must(len(port.entries("shadow.score")) == 170, "a shadow after its removal")
        port.await_judged()
        port.stop()
        must(port.verify()["good"] is True, "verify")
        print(f"rank correlation {few['rank_correlation']:.3f}, {replay['identical']} scores bit-identical")


def seal(port, until):
    """The archive file that has everything up to this entry."""
    port.ctl("archive", "seal")
    port.await_that(lambda: list(port.store.glob("archive/*/*/*/*.h5")) and port.health()["sealed"] > until,
                    lambda: f"{port.health()}")
    return next(port.store.glob("archive/*/*/*/*.h5"))


def case_images():
    """A model of appearance in shadow sees the same pixels; what it said of them is computed again from the archive."""
    with Port() as port:
        settle_policy(port, random_rate=0.0)
        normal = port.directory / "normal"
        run(BIN / "triage-feed", "sim", "--write", normal, "--clean", "--count", "12", "--seed", "100", "--scale", "0.2",
            "--scans-only", "--modes", "mail", "--quiet")
        folder = next(normal.iterdir())
        files = []
        for seed in ("1", "2"):
            out = port.directory / f"appearance-{seed}"
            port.ctl("model", "train", "appearance", "--images", folder, "--scanner-type", folder.name, "--seed", seed,
                     "--bank", "128", "--out", out)
            files.append(next(out.glob("*.h5")))
        port.start()
        port.ctl("model", "install", files[0])
        port.ctl("model", "install", "--shadow", files[1])
        summary = port.feed("sim", "--seed", 41, "--count", 20, "--modes", "mail", "--scale", "0.2", "--scans-only")
        must(summary["refused"] == 0, f"{summary}")
        port.await_judged()
        must(scored(port, 20)["scored"] == 20, f"{port.health()}")
        used = {e["item"]: e for e in port.entries("score")}
        said = {e["item"]: e["score"] for e in port.entries("shadow.score")}
        names = [{model["name"]: model["model"] for model in said[item]["models"]} for item in said]
        must(all(name["appearance/" + folder.name] == "sha256:" + files[1].stem for name in names), f"{names[:1]}")
        must(any(said[item]["probability"] != used[item]["probability"] for item in said), "the shadow says the same")
        file = seal(port, max(int(e["n"]) for e in port.entries("shadow.score")))
        replay = json.loads(port.ctl("replay", file, "--json", check=False).stdout)
        must(replay["shadows"] == 20 and replay["identical"] == replay["scores"] == 40, f"{replay}")
        table = run("/usr/bin/python3", "-c", "import sys, json, h5py; t = h5py.File(sys.argv[1])['shadow_scores'];"
                    "print(json.dumps([[i.decode(), p, s.decode()] for i, p, s in zip(t['item'], t['probability'], t['sha256'])]))",
                    file, check=False)
        if "No module" not in table.stderr:
            rows = {item: (probability, model) for item, probability, model in json.loads(table.stdout)}
            must(rows == {item: (float(said[item]["probability"]), files[1].stem) for item in said}, f"{rows}")
        port.stop()
        must(port.verify()["good"] is True, "verify")
        print(f"{len(said)} items with images, {replay['identical']} scores bit-identical")


def case_decides_nothing():
    with tempfile.TemporaryDirectory() as scratch:
        compare_decisions(scratch)


def compare_decisions(scratch):
    """The same declarations with and without a shadow that thinks otherwise: the same scores, bit for bit, and decisions."""
    seen = []
    for shadow in (False, True):
        with Port() as port:
            if shadow:  # pseudonyms stand in the words
                shutil.rmtree(port.store / "keys")
                shutil.copytree(keys, port.store / "keys")
            keys = shutil.copytree(port.store / "keys", pathlib.Path(scratch) / f"keys-{shadow}")
            settle_policy(port, random_rate=0.0, initial_cutoff=0.35)
            port.start()
            first, second = history_model(port, 1), history_model(port, 7)
            port.ctl("model", "install", first)
            if shadow:
                port.ctl("model", "install", "--shadow", second)
            feed(port, 21, 150)
            if shadow:
                must(scored(port, 150)["scored"] == 150, "the shadow scored")
                said = {e["item"]: e["score"]["probability"] for e in port.entries("shadow.score")}
                must(any(said[e["item"]] != e["probability"] for e in port.entries("score")), "the shadow says the same")
            seen.append(decided(port))
            port.stop()
            must(port.verify()["good"] is True, "verify")
    without, beside = seen
    must(len(without) == len(beside) == 150, f"{len(without)} {len(beside)}")
    arms = {tuple(row["decision"][:2]) for row in without.values()}
    must(len(arms) > 1, f"all decided alike: {arms}")
    differing = [label for label in without if without[label] != beside[label]]
    must(not differing, f"{len(differing)} differ: {[(without[d], beside[d]) for d in differing[:1]]}")
    print(f"{len(without)} decisions alike, {arms}")


BEYOND = """
import sys, h5py
with h5py.File(sys.argv[1], "r+") as file:
    weights = next(found for found in (file.get("weights"), file.get("arrays/weights")) if found is not None)
    weights[1:] = 1e307
    weights[1] = 0
"""


def beyond_numbers(port, model):
    """The model with finite weights that no sum survives, whole and under a good trailer; None without h5py."""
    path = port.directory / "beyond.h5"
    path.write_bytes(model.read_bytes()[:-48])
    done = run("/usr/bin/python3", "-c", BEYOND, path, check=False)
    if "No module" in done.stderr:
        return None
    must(done.returncode == 0, f"{done}")
    body = path.read_bytes()
    return body + b"triaged-model-1\n" + hashlib.sha256(body).digest()


def case_trouble():
    """Hostile files, a scorer that hangs, numbers that are none, a file that is gone: decisions go on."""
    stall, nan = None, None
    with Port(judge__shadow_s=60.0) as port:
        stall, nan = port.directory / "stall", port.directory / "nan"
        os.environ["TRIAGED_TEST_STALL"], os.environ["TRIAGED_TEST_NAN"] = str(stall), str(nan)
        settle_policy(port, random_rate=0.0)
        port.start(program=STALLED)
        first, second = history_model(port, 1), history_model(port, 2)
        port.ctl("model", "install", first)
        def hostile(name, bytes_):
            """Bytes that the tool would not take, under their own hash, as somebody who can write the store could put them."""
            path = port.store / "models" / (hashlib.sha256(bytes_).hexdigest() + ".h5")
            path.write_bytes(bytes_)
            refused = run(BIN.parent / "tests" / "flow_ask", f"ipc://{port.store}/command.sock", name, "mallory", "shadow", path.name)
            must(refused.stdout.startswith("refused ") and "ask again" not in refused.stdout, f"{name}: {refused}")
            return refused.stdout

        damaged = {"text": b"no model", "cut": second.read_bytes()[:5000],
                   "changed": second.read_bytes().replace(b"seed", b"dees")}
        for name, bytes_ in damaged.items():
            hostile(name, bytes_)
            must("shadow" not in port.health(), f"{name}: {port.health()}")
        beyond = beyond_numbers(port, second)
        if beyond is not None:
            must("out of range" in hostile("beyond", beyond) and "shadow" not in port.health(), f"beyond: {port.health()}")
        feed(port, 31, 20)
        must(len(port.entries("referral.decision")) == 20, "decisions after hostile files")

        port.ctl("model", "install", "--shadow", second)
        since = int(port.entries("model.change")[-1]["n"])
        begun = runs(port)
        for name, bytes_ in damaged.items():
            hostile(f"{name} again", bytes_)
        must(port.health()["shadow"]["running"] and runs(port) == begun > 0, f"a damaged file ended what ran: {port.health()}")
        if beyond is not None:
            hostile("beyond again", beyond)
            must(port.health()["shadow"]["running"] and runs(port) == begun + 1, f"what ran does not run again: {port.health()}")
        nan.touch()
        feed(port, 32, 10)
        await_shadow(port, lambda s: s["failed"] >= 10, "ten that are no number")
        nan.unlink()
        port.await_judged()
        lost = port.entries("shadow.score")
        must(len(lost) == 10 and all("finite" in e["score"]["unscorable"] for e in lost), f"{lost[:1]}")

        stall.touch()
        feed(port, 33, 1)
        port.await_that((port.directory / "stall.in").exists, "the shadow did not hang")
        feed(port, 34, 40)  # judged to the end while it hangs
        must(len(port.entries("referral.decision")) == 71, "decisions while the shadow hangs")
        must(port.health()["well"] and port.health()["shadow"]["scored"] == 10, f"{port.health()}")
        stall.unlink()
        told = scored(port, 51)
        must(told["missed"] == 0 and told["scored"] == 51, f"{told}")  # what waited was not lost

        port.stop()  # from here on everything is too old for it
        port.config.write_text(port.config.read_text().replace("shadow_s = 60.0", "shadow_s = 0.0"))
        port.start(program=STALLED)
        await_shadow(port, lambda s: s and s["running"], "the shadow")
        feed(port, 36, 40)
        told = scored(port, 40)
        must(told["missed"] == 40 and told["scored"] == 0, f"{told}")
        must(port.metrics()["triaged_shadow_missed_total"] == 40, "missed in the metrics")
        report = port.ctl_json("model", "shadow")
        must(report["decisions"] == 91 and report["missed"] == 40 and report["compared"] == 41, f"{report}")

        port.stop()
        kept = port.directory / "kept.h5"
        lost_file = port.store / "models" / second.name
        shutil.move(lost_file, kept)
        port.start(program=STALLED)
        told = await_shadow(port, lambda s: s and s["fault"], "the fault")
        must(not told["running"] and told["since_entry"] == since and port.health()["well"], f"{told}")
        feed(port, 35, 10)
        must(len(port.entries("referral.decision")) == 121, "decisions without the shadow's file")
        out = port.ctl("model", "withdraw", "--reason", "its file is gone")
        must(out.returncode == 0 and "shadow" not in port.health(), f"{out}")
        port.await_judged()
        port.stop()
        must(port.verify()["good"] is True, "verify")
        print("hostile files, no numbers, a hang and a lost file: 121 decisions, 40 missed and told")


if __name__ == "__main__":
    if not (BIN / "triaged").exists():
        raise SystemExit("build first")
    try:
        sys.exit({"life": case_life, "decides_nothing": case_decides_nothing, "trouble": case_trouble, "images": case_images}[sys.argv[1]]())
    except Failure as failure:
        raise SystemExit(f"FAILED: {failure}") from failure
