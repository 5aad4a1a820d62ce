#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Second copies of sealed files and the discarding of payloads, with a real daemon. usage: retain.py life|trouble|kill|drill"""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

from port import BIN, BUILD, SOURCE, Failure, Port, must, run

PRELOAD = BUILD / "tests" / "libkill_archive.so"
SEED = int(os.environ.get("TRIAGED_SEED", "1"))


def wait_for(what, words, timeout=60):
    end = time.monotonic() + timeout
    while not what():
        must(time.monotonic() < end, words() if callable(words) else words)
        time.sleep(0.02)


def seal(port):
    """Everything that is in the log now."""
    before = port.health()["log_entries"]

    def sealed():
        port.ctl("archive", "seal", check=False)
        return port.health()["sealed"] >= before
    wait_for(sealed, "no archive file was sealed")


def blobs(port):
    return {path.name for path in (port.store / "blobs" / "sha256").rglob("*") if path.is_file()}


def retaining(discard=True, place="../second", **more):
    """A port whose retention time is over at once; the place lies on the same device, as tests do."""
    return Port(archive__copy=place, archive__copy_same_device=True, retention__discard=discard,
                retention__days=0.0, retention__found_days=0.0, retention__interval_s=0.2, **more)


def set_config(port, key, value):
    lines = port.config.read_text().splitlines()
    found = [i for i, line in enumerate(lines) if line.strip().startswith(f"{key} =")]
    must(len(found) == 1, f"{key} in the configuration")
    lines[found[0]] = f"  {key} = {port.literal(value)};"
    port.config.write_text("\n".join(lines) + "\n")


def feed(port, first=0, count=4, stream="one", modes="truck"):
    port.feed("sim", "--first", first, "--count", count, "--scale", "0.1", "--modes", modes, "--scans-only", "--quiet",
              stream=stream)
    return port.await_judged()


def queue(port):
    return port.ctl_json("queue")


def release_all(port, keep=()):
    for row in queue(port):
        if row["item"] not in keep:
            port.ctl("release", row["item"], "--code", "capacity", "--actor", "officer")


def kept(port):
    return {row["why"]: row["payloads"] for row in port.ctl_json("archive", "retention")["blobs"]}


def images_of(port, item):
    return {row[0] for row in port.state("SELECT lower(hex(images.sha256)) FROM images JOIN records ON records.entry ="
                                         f" images.entry WHERE records.item = x'{item}'")}


def discarded(port):
    return [digest.removeprefix("sha256:") for entry in port.entries("blob.discard") for digest in entry["blobs"]]


def check_order(port):
    """By the log alone: whatever is discarded was received, sealed in the file named, and copied before."""
    received, seals, copies = {}, {}, set()
    for entry in port.entries():
        n = int(entry["n"])
        if entry["type"] == "scan.received":
            for image in entry["images"]:
                received.setdefault(image["payload"].removeprefix("sha256:"), []).append(n)
        elif entry["type"] == "archive.seal":
            seals[entry["path"]] = entry
        elif entry["type"] == "archive.copied":
            must(seals[entry["path"]]["file"] == entry["file"], f"{entry}")
            copies.add(entry["path"])
        elif entry["type"] == "blob.discard":
            must(entry["kept_in"] in copies, f"discarded before the copy: {entry}")
            first, last = (int(seals[entry["kept_in"]][name]) for name in ("first_index", "last_index"))
            for digest in entry["blobs"]:
                uses = received[digest.removeprefix("sha256:")]
                must(any(first <= use <= last for use in uses), f"{digest} is not in {entry['kept_in']}")


def check_whole(port, where):
    """No payload is lost: each received one lies in blobs/, or is discarded and in a sealed file that verifies."""
    lost = {row[0] for row in port.state("SELECT DISTINCT lower(hex(sha256)) FROM images")} - blobs(port)
    must(lost <= set(discarded(port)), f"{where}: {lost - set(discarded(port))} are gone without an entry")
    known = {row[0] for row in port.state("SELECT DISTINCT lower(hex(sha256)) FROM blobs")}
    must(known <= blobs(port), f"{where}: the log says that {known - blobs(port)} are there")
    must(port.ctl("archive", "verify").returncode == 0, f"{where}: archive verify")
    parts = [path for root in (port.store / "archive", port.directory / "second") for path in root.rglob("*.part")]
    must(not parts, f"{where}: {parts}")
    check_order(port)
    verdict = port.verify()
    must(verdict["good"] is True, f"{where}: {verdict}")


# ---- life

def life():
    with retaining() as port:
        second = port.directory / "second"
        second.mkdir()
        port.start()
        feed(port)
        first = blobs(port)
        must(len(first) == 8, f"{first}")
        seal(port)
        wait_for(lambda: len(port.entries("archive.copied")) >= 1, "no copy")
        must(kept(port).get("its referral is open") == 8, f"{kept(port)}")
        held, other = queue(port)[0]["item"], queue(port)[1]["item"]
        done = port.ctl("hold", "add", held, "--reason", "", check=False)
        must(done.returncode == 2, f"a hold without a reason: {done}")
        port.ctl("hold", "add", held, "--reason", "court order 12/2026", "--actor", "registrar")
        release_all(port)
        wait_for(lambda: len(blobs(port)) == 2, lambda: f"{kept(port)} {port.health()}")
        must(blobs(port) == images_of(port, held), "the held item lost its images, or another kept them")
        must(kept(port)["a legal hold"] == 2, f"{kept(port)}")
        holds = port.ctl_json("hold", "list")
        must([row["reason"] for row in holds] == ["court order 12/2026"], f"{holds}")
        metrics = port.metrics()
        must(metrics["triaged_blobs_discarded_total"] == 6 and metrics["triaged_waiting_copies"] == 0, "metrics")
        must(set(discarded(port)) == first - images_of(port, held), "entries and files differ")
        check_whole(port, "after the discard")
        show_without_blob(port, other, second)
        rebuild_without_blobs(port, second)
        again(port)
        port.ctl("hold", "remove", held, "--reason", "order lifted", "--actor", "registrar")
        done = port.ctl("hold", "remove", held, "--reason", "twice", "--actor", "registrar", check=False)
        must(done.returncode == 1 and "no such hold" in done.stderr, f"lifted twice: {done}")
        wait_for(lambda: not blobs(port) & images_of(port, held), lambda: f"{kept(port)}")
        check_whole(port, "after the hold")
        # the read model made again from the log says the same
        before = [port.state(f"SELECT * FROM {table}") for table in ("blobs", "discards", "copies", "holds")]
        port.stop()
        for path in port.store.glob("state.db*"):
            path.unlink()
        port.start()
        port.await_judged()
        after = [port.state(f"SELECT * FROM {table}") for table in ("blobs", "discards", "copies", "holds")]
        must(sorted(before[0]) == sorted(after[0]) and before[1:] == after[1:], "the read model made again differs")
        port.stop()


def show_without_blob(port, item, second):
    """The picture comes from the sealed file, then from its copy, then there is a sentence that helps."""
    picture = port.directory / "item.png"
    port.ctl("show", item, "--png", picture)
    from_sealed = picture.read_bytes()
    archive = port.store / "archive"
    archive.rename(archive.with_name("away"))
    port.ctl("show", item, "--png", picture)
    must(picture.read_bytes() == from_sealed, "the picture from the copy differs")
    second.rename(second.with_name("second-away"))
    done = port.ctl("show", item, "--png", picture, check=False)
    must(done.returncode == 1 and "discarded from blobs by entry" in done.stderr and "archive restore" in done.stderr,
         f"gone from everywhere: {done}")
    second.with_name("second-away").rename(second)
    done = port.ctl("archive", "restore")
    must("restored from" in done.stdout, done.stdout)
    must(port.ctl("archive", "verify").returncode == 0, "verify of what was restored")
    shutil.rmtree(archive.with_name("away"))
    must("good" in port.ctl("archive", "restore").stdout, "a good file is left alone")


def rebuild_without_blobs(port, second):
    """The sealed file again, its pixels out of the second copy: the same bytes."""
    row = port.ctl_json("archive", "list")[0]
    sealed = port.store / "archive" / row["path"]
    sealed.rename(sealed.with_suffix(".away"))
    made = port.ctl_json("archive", "rebuild", "--out", port.directory / "rebuilt", pathlib.Path(row["path"]).name)
    must(made[0]["identical"] is True and made[0]["pixels_from_sealed"] == 6, f"{made}")
    must(made[0]["pixels_source"].startswith(str(second)) or "second" in made[0]["pixels_source"], f"{made}")
    must(not (port.directory / "rebuilt" / ".pixels").exists(), "the scratch store stays")
    sealed.with_suffix(".away").rename(sealed)


def again(port):
    """The same pixels in a later scan lie in blobs again, and go once more when that is sealed and over. One of the two
    scans comes while its payload is leaving: whatever is first, nothing is lost."""
    folder = port.directory / "pictures"
    run(BIN / "triage-feed", "sim", "--write", folder, "--first", "20", "--count", "1", "--scale", "0.1", "--modes", "truck",
        "--scans-only", "--quiet")
    picture = next(folder.rglob("*_high.png"))
    for number in range(6):
        one = port.directory / f"pictures-{number}"
        one.mkdir()
        shutil.copy(picture, one / f"view-{number}.png")
        port.feed("images", one, "--mode", "mail", "--quiet", stream=f"again-{number}")
        port.await_judged()
        release_all(port)
        port.ctl("archive", "seal", check=False)
        if number % 2 == 0:
            seal(port)
            wait_for(lambda: len(blobs(port)) == 2, lambda: f"{kept(port)} {port.health()}")
    seal(port)
    wait_for(lambda: len(blobs(port)) == 2, lambda: f"{kept(port)} {port.health()}")
    times = {digest: discarded(port).count(digest) for digest in discarded(port)}
    must(max(times.values()) >= 3, f"discarded {times}")
    check_whole(port, "after it came again")


if __name__ == "__main__":
    try:
        {"life": life}[sys.argv[1]]()
    except Failure as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
    print("good")
