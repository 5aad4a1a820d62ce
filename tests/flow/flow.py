#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Flow tests: the whole product as its users run it. usage: flow.py CASE ; exit 77 is SKIP with the reason."""
import collections
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import evidence
from port import BIN, PATIENCE, SHARED, SOURCE, Failure, Port, must, run

SKIP = 77
WATCHED = bool(os.environ.get("TRIAGED_SANITIZE"))  # by a sanitizer: several times slower


def case_life():
    """One small world through every room: feed, queue, exam, report, archive, verify."""
    with Port() as port:
        port.start()
        port.train_on_sim()
        labels = port.directory / "labels.csv"
        summary = port.feed("sim", "--count", "150", "--seed", "7", "--scale", "0.2", "--labels", labels)
        must(summary["refused"] == 0 and summary["waiting"] == 0 and summary["acknowledged"] > 200, f"not everything was taken: {summary}")
        port.await_judged()
        queue = port.ctl_json("queue", "--limit", "200")
        must(len(queue) >= 10, f"a queue of {len(queue)}")
        must(len({row["mode"] for row in queue}) >= 3, f"modes {set(row['mode'] for row in queue)}")
        for row in queue:
            must(len(row["reasons"]) >= 2, f"less than two reasons: {row}")
            must(0 < row["propensity"] <= 1, f"propensity: {row}")
        ranked = [row["priority"] + 0.1 * row["age_s"] / 3600 for row in queue]  # ageing_per_hour, not set in this policy
        must(ranked == sorted(ranked, reverse=True), "the queue is not ranked")

        first = queue[0]["item"]
        port.ctl("claim", first, "--actor", "officer one")
        again = port.ctl("claim", first, "--actor", "officer two", check=False)
        must(again.returncode == 1, "two officers claimed one item")
        port.ctl("outcome", first, "--actor", "officer one", "--level", "full", "--result", "found", "--class",
                 "fentanyl", "--quantity", "1.5", "--unit", "kg")
        port.ctl("claim", queue[1]["item"], "--actor", "officer two")
        port.ctl("outcome", queue[1]["item"], "--actor", "officer two", "--level", "partial", "--result",
                 "nothing_found")
        outcomes_again(port, first, queue[1]["item"])
        targeted_operation(port)
        nonsense = port.ctl("release", queue[2]["item"], "--actor", "officer one", "--code", "no_such_code", check=False)
        must(nonsense.returncode != 0, "a release by an unknown code")
        port.ctl("release", queue[2]["item"], "--actor", "officer one", "--code", "document_cleared")
        port.ctl("show", first, "--png", port.directory / "item.png", check=False)
        shown = port.ctl_json("show", first)
        must("fentanyl" in json.dumps(shown), "the outcome is not shown")
        report = json.dumps(port.ctl_json("report"))
        must("hit_rate" in report, f"no hit rate in the report: {report[:400]}")

        with urllib.request.urlopen(port.http + "/metrics", timeout=10) as page:
            metrics = page.read().decode()
        must("triaged_records_accepted_total" in metrics and "triaged_stage_ack_seconds_bucket" in metrics, "metrics")

        port.ctl("archive", "seal")
        port.await_that(lambda: port.ctl_json("archive", "list"), "no archive file was sealed")
        read_with_h5py(port, first)
        replay_bit_for_bit(port, first)
        evidence.recompute(port)
        evidence.export(port)
        port.stop()
        verdict = port.verify()
        must(verdict["good"] is True, f"{verdict}")


def outcomes_again(port, found, nothing):
    """A second exam does not undo a find, a correction speaks for its item, and the rest is refused."""
    words = ("--actor", "officer one", "--level", "full", "--result")
    refused = (("outcome", nothing, *words, "nothing_found"), ("correct", nothing, *words, "nothing_found", "--code", "because"),
               ("correct", found, *words, "found", "--class", "fentanyl"))
    for order in refused:
        must(port.ctl(*order, check=False).returncode != 0, f"{order} was done")
    port.ctl("outcome", found, *words, "nothing_found", "--second")
    port.ctl("correct", nothing, *words, "found", "--class", "counterfeit", "--code", "laboratory")
    shown = {item: port.ctl_json("show", item)["outcomes"] for item in (found, nothing)}
    must([(one["again"], one["standing"]) for one in shown[found]] == [("", True), ("second_exam", False)], f"{shown[found]}")
    must([(one["code"], one["corrects"], one["standing"]) for one in shown[nothing]]
         == [("", 0, False), ("laboratory", shown[nothing][0]["entry"], True)], f"{shown[nothing]}")
    must("laboratory" in port.ctl("correct", "--codes").stdout, "codes of corrections")
    standing = port.state("SELECT count(*), sum(found) FROM outcomes WHERE standing = 1")
    must(standing == [(2, 2)], f"finds that stand: {standing}")


def targeted_operation(port):
    """Registered before it starts or not at all, closed once, and in the report."""
    words = ("--mode", "truck", "--hypothesis", "more than by chance", "--metric", "hit_rate", "--comparator", "random",
             "--stop-rule", "200 exams")
    begun = port.ctl("operation", "register", "begun", *words, "--from", "2020-01-01", "--to", "2020-02-01", check=False)
    must(begun.returncode == 1 and "before it starts" in begun.stderr, f"{begun}")
    ahead = ("--from", "2100-01-01", "--to", "2100-02-01")
    port.ctl("operation", "register", "lanes-3-4", *words, *ahead)
    twice = port.ctl("operation", "register", "lanes-3-4", *words, *ahead, check=False)
    must(twice.returncode == 1, "one name for two operations")
    port.ctl("operation", "close", "lanes-3-4", "--reason", "withdrawn", "--actor", "supervisor")
    must(port.ctl("operation", "close", "lanes-3-4", "--reason", "again", check=False).returncode == 1, "closed twice")
    listed = port.ctl_json("operation", "list")
    must([(one["name"], one["denominator"], one["reason"]) for one in listed] == [("lanes-3-4", 0, "withdrawn")], f"{listed}")
    must("lanes-3-4" in port.ctl("report", "operations").stdout, "no operation in the report")
    must([entry["step"] for entry in port.entries("operation")] == ["register", "close"], "entries of the operation")


def replay_bit_for_bit(port, item):
    """Every score that the daemon made, from the sealed files and the models: on the machine that config.change names."""
    scores = port.state("SELECT count(*) FROM scores")[0][0]
    replayed = 0
    for sealed in port.ctl_json("archive", "list"):
        found = port.ctl_json("replay", port.store / "archive" / sealed["path"])
        must(found["identical"] == found["scores"] and found["inputs_alone"] == 0, f"{found}")
        machines = [{key: machine[key] for key in found["replayed_on"]} for machine in found["scored_on"]]
        must(machines == [found["replayed_on"]] * (found["scores"] > 0), f"{found['scored_on']}, {found['replayed_on']}")
        replayed += found["scores"]
    must(replayed == scores > 100, f"{replayed} scores of {scores} were replayed")
    must(port.ctl_json("replay", item)["identical"] == 1, "an item by its id")


def read_with_h5py(port, found_item):
    """The README's example reads a file that the daemon sealed."""
    debian = pathlib.Path("/usr/bin/python3")  # has the h5py package; another python3 in front of it may not
    python = debian if debian.exists() else sys.executable
    if run(python, "-c", "import h5py", check=False).returncode != 0:
        print("SKIP reading the archive: python3-h5py is not installed")
        return
    file = next((port.store / "archive").rglob("*.h5"))
    printed = run(python, SOURCE / "tests" / "archive" / "read_archive.py", file).stdout
    scans, decisions = (len(port.entries(kind)) for kind in ("scan.received", "referral.decision"))
    for words in (f"scans: {scans} rows", f"scores: {decisions} rows", f"decisions: {decisions} rows", "outcomes: 4 rows",
                  f"{found_item} full found fentanyl 1.5 kg", "random arm: "):
        must(words in printed, f"'{words}' is not in what h5py read:\n{printed}")


def acknowledged_once(port, expected):
    """Every sequence of every stream is in the log exactly once, and none is missing."""
    seen = collections.Counter()
    for kind in ("scan.received", "declaration.received", "record.refused"):
        for entry in port.entries(kind):
            seen[(entry["stream"], int(entry["sequence"]))] += 1
    twice = [key for key, count in seen.items() if count != 1]
    must(not twice, f"more than once in the log: {twice[:5]}")
    for stream, count in expected.items():
        have = sorted(sequence for name, sequence in seen if name == stream)
        must(have == list(range(1, count + 1)), f"stream {stream}: {len(have)} of {count} records")


def case_kill():
    """kill -9 of the daemon ten times during feeds of 5,000 declarations and 200 scans, paced so that kills fall into them."""
    rng = random.Random(11)
    with Port() as port:
        port.start()
        def declarations():
            """As many streams as it takes for the kills to fall into them: a slow machine finishes one between two kills."""
            stream = f"declarations-{len(feeds)}"
            feeds[stream] = port.feed_start("sim", "--count", "5000", "--seed", str(30 + len(feeds)), "--modes", "mail",
                                            "--declarations-per-scan", "1000000", "--rate", "500", stream=stream)
            return feeds[stream]

        feeds = {"scans": port.feed_start("sim", "--count", "200", "--seed", "4", "--modes", "truck,sea,rail,air", "--scale",
                                          "0.2", "--rate", "25", stream="scans")}
        feed = declarations()
        for kill in range(1, 11):
            if feed.poll() is not None:
                feed = declarations()
            if kill % 3 == 0: # wherever it is by then: in its recovery, mostly
                time.sleep(rng.uniform(0.02, 0.4))
            else: # in the middle of what it takes in, however slow this build is
                port.await_accepted(rng.randrange(1, 100))
            port.kill()
            port.start(wait=False)
        summaries = []
        for feed in feeds.values():
            out, err = feed.communicate(timeout=PATIENCE)
            must(feed.returncode == 0, f"a feed ended with {feed.returncode}: {out}{err[-2000:]}")
            summaries.append(json.loads(out))
        must(all(s["waiting"] == 0 for s in summaries), f"{summaries}")
        port.await_healthy()
        health = port.await_judged()
        must(all(s["acknowledged"] >= 1 for s in summaries), f"{summaries}")
        acknowledged_once(port, {stream: 400 if stream == "scans" else 5000 for stream in feeds})
        must(len(port.entries("scan.received")) == 200, "200 scans")
        left = port.state("SELECT count(*) FROM records WHERE item IS NULL")[0][0]
        must(left == 0, f"{left} records belong to no decided item")
        decided = collections.Counter(entry["item"] for entry in port.entries("referral.decision"))
        must(decided and max(decided.values()) == 1, "an item was decided twice")
        port.stop()
        port.verify()
        print(f"10 kills, {health['log_entries']} entries, {len(decided)} items decided once")


def with_wrong_keys(port):
    """A feed and a watcher that hold another key for the daemon's, and a watcher whose own key the daemon does not know."""
    keys = port.store / "keys"
    wrong, mine = keys / "publishers" / "flow.pub", keys / "private" / "flow.key"
    feed = port.feed_command("sim", "--count", "2", "--modes", "mail", "--declarations-only", stream="astray")
    feed[feed.index("--daemon-key") + 1] = str(wrong)
    watch = [str(BIN / "triagectl"), "--config", str(port.config), "watch", "--count", "1", "--key", str(mine)]
    return {words: subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for words, command in (
        ("is this the public key of the daemon?", feed), ("is this the public key of the daemon", [*watch, "--daemon-key", str(wrong)]),
        ("does not know the key of this subscriber", watch))}


def case_refusals():
    """Each kind of bad input gets its documented refusal, is recorded, and disturbs nothing else."""
    with Port() as port:
        port.start()
        astray = with_wrong_keys(port)
        port.feed("sim", "--count", "5", "--seed", "1", "--modes", "mail", "--declarations-per-scan", "1000000", stream="good")
        keys = port.store / "keys"
        done = run(BIN.parent / "tests" / "flow_bad_publisher", port.publish, keys / "private" / "flow.key",
                   keys / "daemon.key.pub")
        wanted = {int(sequence): name for sequence, name in (line.split() for line in done.stdout.splitlines())}
        port.feed("sim", "--count", "5", "--seed", "2", "--modes", "mail", "--declarations-per-scan", "1000000", stream="good-too")
        refused = {int(e["sequence"]): e["name"] for e in port.entries("record.refused") if e["stream"] == "bad"}
        must(refused == wanted, f"refused {refused}, documented {wanted}")
        must(len(wanted) >= 9, f"only {len(wanted)} kinds of bad input were tried")
        good = [e for e in port.entries("declaration.received") if e["stream"] in ("good", "good-too")]
        must(len(good) == 10, f"{len(good)} of 10 good records")
        with urllib.request.urlopen(port.http + "/metrics", timeout=10) as page:
            metrics = dict(line.rsplit(" ", 1) for line in page.read().decode().splitlines() if line[0] != "#")
        must(int(metrics["triaged_unknown_keys_total"]) >= 1, "the unknown key was not counted")
        port.await_judged()
        for words, process in astray.items():
            out, told = process.communicate(timeout=PATIENCE)
            must(process.returncode not in (0, None) and words in told, f"{words}: {out}{told}")
        must(not [entry for entry in port.entries("declaration.received") if entry["stream"] == "astray"], "taken with a wrong key")
        port.stop()
        port.verify()
        print("refused:", ", ".join(sorted(set(wanted.values()))))


def allocations(count):
    """What the daemon's own code allocated, by thread, while it took in this many declarations and some scans."""
    with Port() as port:
        port.start(program=BIN.parent / "tests" / "triaged_counted")
        for stream, more in (("declarations", ("--seed", 8, "--count", count, "--modes", "mail", "--declarations-only")),
                             ("scans", ("--seed", 9, "--count", count // 20, "--modes", "truck,mail", "--scale", "0.2"))):
            summary = port.feed("sim", *more, stream=stream)
            must(summary["refused"] == 0 and summary["waiting"] == 0, f"not everything was taken: {summary}")
        port.await_judged()
        port.stop()
        lines = [line.split() for line in port.daemon_log().splitlines() if line.startswith("allocations ")]
        return {words[1][7:]: int(words[2][6:]) for words in lines}


def case_allocations():
    """However much comes, the receive line allocates nothing but, once, a hash context for a thread."""
    few, many = allocations(100), allocations(1000)
    print(f"allocations with 100 declarations {few}, with 1,000 {many}")
    must(set(few) == set(many) == {"receive", "intake", "commit", "judge"}, "not every thread was counted")
    for thread in ("receive", "intake", "commit"):
        must(many[thread] <= 1, f"thread {thread} allocated {many[thread]} times")


def mount(place, size):
    place.mkdir(parents=True, exist_ok=True)
    return run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place, check=False).returncode == 0


def fill(root, full):
    """One store on a file system of its own that is too small, all others with room; the daemon must stop cleanly."""
    store = root / full / "store"
    small = store if full == "state" else store / full
    size = {"wal": "10m", "log": "160k", "blobs": "12m", "archive": "2m", "state": "1300k"}[full]
    mounted = []
    try:
        if full == "state":
            must(mount(store, size), f"{store} cannot be mounted")
            mounted.append(store)
            for roomy in ("wal", "log", "blobs", "archive"):
                must(mount(store / roomy, "2g"), f"{roomy} cannot be mounted")
                mounted.append(store / roomy)
        else:
            must(mount(small, size), f"{small} cannot be mounted")
            mounted.append(small)
        with Port(store=store, store__quarantine_mib=0, archive__interval_s=1.0, oversight__unpublished_s=0.0) as port:
            port.start()
            traffic = ["--count", "400", "--modes", "truck,sea,mail=4", "--scale", "0.3", "--mail-scale", "0.3"]
            if full == "wal": # two segments of 4 MiB must fill up before the third is missed
                traffic = ["--count", "6000", "--modes", "mail", "--declarations-only"]
            elif full in ("log", "state"): # which no pixels go into
                traffic = ["--count", "2000", "--modes", "mail", "--declarations-only"]
            feed = port.feed_start("sim", "--seed", "5", *traffic, stream="feed")
            code = port.daemon.wait(PATIENCE)
            must(code == 1, f"{full}: the daemon ended with {code} on a full disk")
            must("error=DISK_FULL" in port.daemon_log() or "error=STATE_STORE" in port.daemon_log(),
                 port.daemon_log()[-2000:])
            run("mount", "-o", "remount,size=2g", small)
            port.start()
            out, err = feed.communicate(timeout=PATIENCE)
            must(feed.returncode == 0, f"the feed ended with {feed.returncode}: {out}{err[-2000:]}")
            port.await_judged()
            acknowledged_once(port, {"feed": json.loads(out)["sent"]})
            port.stop()
            port.verify()
            print(f"{full}: stopped with exit 1, then {json.loads(out)['sent']} records, each exactly once")
    finally:
        for place in reversed(mounted):
            run("umount", "-l", place, check=False)


def wait_for_room(root):
    """The public log alone has no room: records are taken all the same, health tells, and with room it catches up."""
    small = root / "waits" / "store" / "log"
    must(mount(small, "160k"), f"{small} cannot be mounted")
    try:
        with Port(store=small.parent) as port:
            port.start()
            summary = port.feed("sim", "--seed", "5", "--count", "3000", "--modes", "mail", "--declarations-only")
            must(summary["waiting"] == 0 and summary["refused"] == 0, f"records were not taken: {summary}")
            port.await_that(lambda: not json.loads(port.ctl("health", "--json", check=False).stdout)["well"], "health does not tell")
            told = port.ctl("health", "--json", check=False)
            health = json.loads(told.stdout)
            must(told.returncode == 1 and not health["well"] and health["published"] < health["log_entries"], f"{health}")
            must(port.ctl("log", "publish", check=False).returncode == 1, "publishing is said to work")
            must(port.metrics()["triaged_checkpoints_failed_total"] > 0, "no failed try is counted")
            run("mount", "-o", "remount,size=2g", small)
            port.await_healthy()
            health = port.await_judged()
            must(health["publishing_fails_s"] == 0, f"{health}")
            port.stop()
            verdict = port.verify()
            must(verdict["good"] is True, f"{verdict}")
            print(f"log: {summary['acknowledged']} records taken while nothing could be published, then published")
    finally:
        run("umount", "-l", small, check=False)


def case_disk_full():
    """A full disk on any store stops the daemon cleanly; nothing acknowledged is lost; with room again it goes on."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="triaged-small-"))
    try:
        if os.geteuid() != 0 or not mount(root / "probe", "1m"):
            print("SKIP: mounting a small tmpfs needs root and a kernel that allows it here")
            return SKIP
        run("umount", root / "probe")
        for full in ("wal", "log", "blobs", "archive", "state"):
            fill(root, full)
        wait_for_room(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 0


def files_with(folder, value):
    """Files below the folder that hold these bytes, in whatever format."""
    found = set()
    for file in folder.rglob("*"):
        if file.is_file() and value.encode() in file.read_bytes():
            found.add(file.relative_to(folder))
    return found


def reveal(port, *words, check=True):
    done = port.ctl("reveal", *words, "--purpose", "flow test", "--actor", "auditor", "--json", check=check)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def await_redacted(port):
    def status():
        rows = port.ctl_json("redact", "--status")
        must(rows, "redact --status knows of no redaction")
        return rows
    port.await_that(lambda: all(row["gone"] for row in status()), lambda: f"still on the disk: {status()}")


def still_in_mirror(port, segments):
    """What lies in the second copy of the write-ahead log is not gone."""
    for name, body in segments.items():
        must(not (port.directory / "mirror" / name).exists(), "the second copy keeps what the first gave up")
        (port.directory / "mirror" / name).write_bytes(body)
    rows = port.ctl_json("redact", "--status")
    must(rows and not any(row["gone"] for row in rows) and "oversight.mirror" in rows[0]["waits_for"], f"{rows}")
    (port.directory / "mirror").rename(port.directory / "away")
    must("cannot be read" in port.ctl("redact", "--status").stdout, "a second copy that is not there is taken as empty")
    (port.directory / "away").rename(port.directory / "mirror")
    for name in segments:
        (port.directory / "mirror" / name).unlink()
    must(all(row["gone"] for row in port.ctl_json("redact", "--status")), "gone, and said to be there")


def told_of_others(port, item):
    """All that the declarations of other items say, as text."""
    entries = [str(row[0]) for row in
               port.state(f"SELECT entry FROM records WHERE kind = 'declaration' AND item IS NOT x'{item}'")]
    told = ""
    for at in range(0, len(entries), 40):
        words = [word for entry in entries[at:at + 40] for word in ("--entry", entry)]
        told += json.dumps(reveal(port, *words, "--names", "record")["revealed"])
    return told


def check_disclosures(port, item, files=None):
    """An outsider holds what was shown to him against the log; after the redaction it is told as redacted."""
    def check(*words):
        done = run(BIN / "triage-verify", "disclosure", "--log", port.store, "--json", *words, check=False)
        return done.returncode, json.loads(done.stdout) if done.stdout else {}

    after = files is not None
    if not after:
        reveal(port, item, "--out", port.directory / "shown")
        files = sorted(port.directory.glob("shown.*"))
        port.ctl("log", "publish")
    must(len(files) == 5, f"{files}")
    status, told = check(*files)
    must(status == 0 and told["good"], f"{status}: {told}")
    must(all(("redacted_by" in one) == after for one in told["disclosures"]), f"{told}")
    first = told["disclosures"][0]
    must(run("sha256sum", first["file"]).stdout.split()[0] == first["digest"], "sha256sum gives another digest")
    must(check("--entry", str(first["entry"]), first["file"])[0] == 0, "not in its entry")
    must(check("--entry", str(first["entry"] + 1), first["file"])[0] == 1, "in another entry")
    forged = port.directory / "forged"
    forged.write_bytes(files[0].read_bytes()[:-1] + b"?")
    must(check(forged)[0] == 1, "a forged disclosure was taken")
    forged.write_bytes(b"nonsense")
    must(check(forged)[0] == 2, "nonsense was taken")
    return files


def queue_now(port):
    return [{name: value for name, value in row.items() if name != "age_s"}
            for row in port.ctl_json("queue", "--limit", "500")]


def personal_values(port, item, accesses):
    """What an item's records say of persons: plate, importer, declaration; accesses gets the entry that this is told by."""
    shown = reveal(port, item)
    accesses.append(int(shown["access_entry"]))
    records = [part["value"] for part in shown["revealed"] if part["name"] == "record"]
    declaration = next(record for record in records if record["record"] == "declaration")
    must(all(part["digest_in_entry"] for part in shown["revealed"]), "a digest that its entry does not have")
    return [declaration["keys"][0]["value"], declaration["importer"], declaration["declaration_id"]]


def case_privacy():
    """What is shown is recorded first; what is redacted is in no file of the store, and all proofs go on holding."""
    rng = random.Random(5)
    with Port(oversight__tick_s=1.0, oversight__mirror="../mirror") as port:
        (port.directory / "mirror").mkdir(mode=0o700)
        port.start()
        port.feed("sim", "--count", "120", "--seed", "7", "--scale", "0.1", "--modes", "truck,passenger", "--rate", "300")
        port.await_judged()
        items = [row[0] for row in port.state("SELECT lower(hex(item)) FROM items ORDER BY first_ns LIMIT 40")]
        # An importer may stand in many declarations: the item to redact is one whose importer stands in its own alone.
        accesses = []
        values = {item: personal_values(port, item, accesses) for item in items}
        must([int(entry["n"]) for entry in port.entries("access")] == accesses, "a reveal without an access entry")
        times = collections.Counter(value for found in values.values() for value in found)
        plain = "".join(line for line in port.ctl("log", "cat", "--json").stdout)
        for item in items:
            where = [files_with(port.store, value) for value in values[item]]
            if all(times[value] == 1 for value in values[item]) and port.state(
                    f"SELECT count(*) FROM records WHERE item = x'{item}'")[0][0] == 2:
                break
        for value, files in zip(values[item], where):
            must(files and all(str(file).startswith("wal/") for file in files), f"{value} is in {files}")
            must(value not in plain and value not in port.ctl("show", item).stdout, f"{value} is shown without access")

        files = check_disclosures(port, item)
        segments = {file.name: file.read_bytes() for file in (port.directory / "mirror").glob("*.seg")}
        must(segments, "the second copy of the log has no segments")
        refused = port.ctl("redact", item, "--legal-basis", "GDPR article 17", check=False)
        must(refused.returncode == 1 and not port.entries("redact"), "redacted without being meant")
        port.ctl("redact", item, "--legal-basis", "GDPR article 17", "--yes", "--actor", "officer")
        redact = port.entries("redact")[0]
        must(len(redact["entries"]) == 2 and len(redact["digests"]) == 5, f"{redact}")
        must(reveal(port, item, check=False) == {}, "shown after it was redacted")
        must(port.ctl("redact", item, "--legal-basis", "again", "--yes", check=False).returncode == 1, "redacted twice")
        for _ in range(6):  # a stop anywhere costs nothing; the bundles that must cover the segment fill meanwhile
            feed = port.feed_start("sim", "--count", "60", "--seed", str(rng.randrange(1 << 30)), "--scale", "0.1",
                                   "--modes", "truck", "--rate", "200", stream=f"more-{_}")
            port.await_accepted(rng.randrange(10, 60))
            port.kill()
            port.start()
            out = feed.communicate(timeout=PATIENCE)[0]
            must(feed.returncode == 0, f"the feed ended with {feed.returncode}: {out}")
        await_redacted(port)
        still_in_mirror(port, segments)
        must(list((port.store / "packs").glob("*.pack")) and (port.store / "wal" / "removed").exists(), "nothing retired")
        others = told_of_others(port, item)
        plate, importer, declaration_id = values[item]
        must(plate not in others and declaration_id not in others, "plate or declaration came twice")
        for value in (plate, importer, declaration_id):  # a later feed may have brought the importer again
            must(value in others or not files_with(port.store, value), f"{value} is still in {files_with(port.store, value)}")
        other = next(other for other in items if other != item)
        must(personal_values(port, other, accesses) == values[other], "another item's data changed")
        must(int(port.entries("access")[-1]["n"]) == accesses[-1], "a reveal without an access entry")
        must(files_with(port.store / "packs", values[other][0]), "another item's plate is not in a pack")

        check_disclosures(port, item, files)
        queue = queue_now(port)
        log = port.ctl("log", "cat", "--json", "--to", "400").stdout
        records = port.state("SELECT entry, item, late, label, item_key, sha256 FROM records ORDER BY entry")
        port.stop()
        port.verify()
        for file in port.store.glob("state.db*"):
            file.unlink()
        port.start()  # the read model from entry 0, over bundles, packs and what is left of the write-ahead log
        must("read_model=rebuilt" in port.daemon_log(), "the read model was not rebuilt")
        must(queue_now(port) == queue, "another queue after the rebuild")
        must(port.state("SELECT entry, item, late, label, item_key, sha256 FROM records ORDER BY entry") == records,
             "other records after the rebuild")
        must(port.ctl("log", "cat", "--json", "--to", "400").stdout == log, "another log after the rebuild")
        must(reveal(port, item, check=False) == {}, "shown after the rebuild")
        port.ctl("archive", "seal")
        port.await_judged()
        port.stop()
        port.verify()


def case_access():
    """kill -9 in the middle of reveals: whoever got an answer is in the log."""
    rng = random.Random(6)
    with Port() as port:
        port.start()
        port.feed("sim", "--count", "30", "--seed", "9", "--scale", "0.1", "--modes", "truck")
        port.await_judged()
        entry = port.state("SELECT min(entry) FROM records")[0][0]
        answered, asked = {}, 0
        for kill in range(8):
            asking = []
            for _ in range(6):
                asked += 1
                asking.append((f"ask {asked}", subprocess.Popen(
                    [str(BIN / "triagectl"), "--config", str(port.config), "reveal", "--entry", str(entry), "--purpose",
                     f"ask {asked}", "--actor", "auditor", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)))
            if kill % 2 == 0:
                asking[kill % 6][1].wait(PATIENCE)
            time.sleep(rng.uniform(0, 0.03))  # the moment of the kill is the test's input
            port.kill()
            port.start()
            for purpose, process in asking:
                out = process.communicate(timeout=PATIENCE)[0]
                if process.returncode == 0:
                    answered[purpose] = json.loads(out)["access_entry"]
        must(answered, "nobody was ever answered")
        logged = collections.defaultdict(list)
        for access in port.entries("access"):
            logged[access["purpose"]].append(int(access["n"]))
        for purpose, index in answered.items():
            must(index in logged[purpose], f"{purpose} was answered by entry {index}, the log has {logged[purpose]}")
        port.stop()
        port.verify()
        print(f"{asked} asked, {len(answered)} answered, {sum(map(len, logged.values()))} access entries")


def halves(port, folder, group_of):
    """Lists of the images that train and of those that are triaged. Versions of one scan (same group) never straddle the
    two; without groups the names are in the order of time, and the earlier half trains."""
    names = sorted(file.name for file in (SHARED / folder / "images").iterdir())
    groups = sorted({group_of(name) for name in names}) if group_of else names
    if WATCHED:  # of another kind are the mistakes that a sanitizer sees: a quarter of the images shows them
        groups = groups[::4]
        names = [name for name in names if (group_of(name) if group_of else name) in groups]
    half = {group: number % 2 if group_of else number * 2 // len(groups) for number, group in enumerate(groups)}
    lists = {}
    for number, use in enumerate(("learn", "triage")):
        lists[use] = port.directory / f"{folder}.{use}"
        lists[use].write_text("".join(f"{name}\n" for name in names
                                      if half[group_of(name) if group_of else name] == number))
    return lists


def case_real():
    """Real scans and declarations: half of the images train, the other half is triaged."""
    if not SHARED.is_dir():
        print(f"SKIP: no real data at {SHARED} (TRIAGED_SHARED_DATA names another place)")
        return SKIP
    with Port() as port:
        port.start()
        models = port.directory / "models"
        lists = {"parcels": halves(port, "parcels", lambda name: name.split("_jpg.rf.")[0]),
                 "containers": halves(port, "containers", None)}
        for folder, scanner_type in (("parcels", "box-line"), ("containers", "side-view")):
            port.ctl("model", "train", "appearance", "--images", SHARED / folder / "images", "--scanner-type",
                     scanner_type, "--list", lists[folder]["learn"], "--out", models)
        port.ctl("model", "train", "history", "--declarations", SHARED / "declarations" / "train.csv", "--mapping",
                 SOURCE / "config" / "mappings" / "customs-import.json", "--out", models)
        for file in sorted(models.glob("*.h5")):
            port.ctl("model", "install", file)
        scans = port.feed("images", SHARED / "parcels" / "images", "--list", lists["parcels"]["triage"], "--mode", "mail",
                          "--site", "post", "--scanner", "line-1", "--scanner-type", "box-line", stream="parcels")
        boxes = port.feed("images", SHARED / "containers" / "images", "--list", lists["containers"]["triage"], "--mode",
                          "sea", "--site", "quay", "--scanner", "portal-1", "--scanner-type", "side-view",
                          stream="containers")
        rows = port.feed("declarations", SHARED / "declarations" / "valid.csv", "--mapping",
                         SOURCE / "config" / "mappings" / "customs-import.json", "--limit", "1500", stream="manifests")
        must(scans["refused"] + boxes["refused"] + rows["refused"] == 0, f"{scans} {boxes} {rows}")
        must(rows["acknowledged"] == 1500, f"{rows}")
        port.await_judged()
        queue = port.ctl_json("queue", "--limit", "500")
        must(len(queue) >= 20, f"a queue of {len(queue)}")
        words = " ".join(word for row in queue for word in row["reasons"])
        must("exam" in words, "no reason from history")
        port.stop()
        port.verify()
        print(f"{scans['acknowledged']} parcels, {boxes['acknowledged']} containers, {rows['acknowledged']} declarations, {len(queue)} referred")
    return 0


def main():
    cases = {name[5:]: function for name, function in globals().items() if name.startswith("case_")}
    if len(sys.argv) != 2 or sys.argv[1] not in cases:
        print(f"usage: flow.py {{{'|'.join(cases)}}}", file=sys.stderr)
        return 2
    try:
        return cases[sys.argv[1]]() or 0
    except (Failure, subprocess.TimeoutExpired, KeyError, json.JSONDecodeError) as fault:
        print(f"FAIL {sys.argv[1]}: {type(fault).__name__}: {fault}")
        return 1


sys.exit(main())
