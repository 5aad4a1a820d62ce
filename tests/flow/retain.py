#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Second copies of sealed files and the discarding of payloads, with a real daemon. usage: retain.py life|trouble|kill|drill"""
import hashlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys

from port import BIN, BUILD, PATIENCE, SOURCE, Failure, Port, must, run, wait_for

PRELOAD = BUILD / "tests" / "libkill_archive.so"
SEED = int(os.environ.get("TRIAGED_SEED", "1"))


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
    # one may be in the making while the daemon runs; it must not stay
    roots = (port.store / "archive", port.directory / "second")
    wait_for(lambda: not any(True for root in roots for _ in root.rglob("*.part")), f"{where}: a part file stays")
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
        port.seal()
        wait_for(lambda: len(port.entries("archive.copied")) >= 1, "no copy")
        wait_for(lambda: kept(port).get("its referral is open") == 8, lambda: f"{kept(port)}")
        held, other = queue(port)[0]["item"], queue(port)[1]["item"]
        done = port.ctl("hold", "add", held, "--reason", "", check=False)
        must(done.returncode == 2, f"a hold without a reason: {done}")
        port.ctl("hold", "add", held, "--reason", "court order 12/2026", "--actor", "registrar")
        release_all(port)
        wait_for(lambda: len(blobs(port)) == 2, lambda: f"{kept(port)} {port.health()}")
        must(blobs(port) == images_of(port, held), "the held item lost its images, or another kept them")
        wait_for(lambda: kept(port).get("a legal hold") == 2, lambda: f"{kept(port)}")
        holds = port.ctl_json("hold", "list")
        must([row["reason"] for row in holds] == ["court order 12/2026"], f"{holds}")
        # counted after the files are gone; orders to seal left over make files that are copied then
        wait_for(lambda: port.metrics()["triaged_blobs_discarded_total"] == 6 and
                 port.metrics()["triaged_waiting_copies"] == 0, lambda: f"{port.metrics()}")
        must(set(discarded(port)) == first - images_of(port, held), "entries and files differ")
        check_whole(port, "after the discard")
        sent_twice(port)
        show_without_blob(port, other, second)
        rebuild_without_blobs(port, second)
        again(port)
        port.ctl("hold", "remove", held, "--reason", "order lifted", "--actor", "registrar")
        done = port.ctl("hold", "remove", held, "--reason", "twice", "--actor", "registrar", check=False)
        must(done.returncode == 1 and "no such hold" in done.stderr, f"lifted twice: {done}")
        wait_for(lambda: not blobs(port) & images_of(port, held), lambda: f"{kept(port)}")
        check_whole(port, "after the hold")
        hold_comes_later(port)
        # the read model made again from the log says the same of what was in it; files sealed late are copied meanwhile
        upto = port.await_judged()["log_entries"]

        def standing():
            return [port.state(f"SELECT * FROM {table} WHERE entry < {upto}") for table in ("blobs", "discards", "copies", "holds")]
        before = standing()
        port.stop()
        for path in port.store.glob("state.db*"):
            path.unlink()
        port.start()
        port.await_judged()
        after = standing()
        must(before == after, f"the read model made again differs:\n{before}\n{after}")
        left_by_a_stop(port)
        port.stop()


def left_by_a_stop(port):
    """A discard whose payloads a stop left on the disk is finished by a start that finds the sealed file whole, not before."""
    feed(port, first=900, count=1, stream="left")
    pixels = {path: path.read_bytes() for path in (port.store / "blobs" / "sha256").rglob("*") if path.is_file()}
    release_all(port)
    port.seal()
    wait_for(lambda: not blobs(port), lambda: f"{kept(port)} {port.health()}")
    entry = port.entries("blob.discard")[-1]
    sealed = port.store / "archive" / entry["kept_in"]
    port.stop()
    payload = next(path for path in pixels if path.name == entry["blobs"][-1].removeprefix("sha256:"))
    payload.parent.mkdir(exist_ok=True)
    payload.write_bytes(pixels[payload])
    whole = sealed.read_bytes()
    sealed.chmod(0o600)
    for wrong in (None, whole[:-1], whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]):
        sealed.unlink() if wrong is None else sealed.write_bytes(wrong)
        port.start()
        must(payload.exists() and "payloads_left=1" in (port.directory / f"daemon-{port.starts}.log").read_text(),
             "the only whole copy here was removed")
        if wrong is None:  # nothing newer is discarded meanwhile, or no start would look after this one again
            wait_for(lambda: "unfinished discard" in trouble(port), lambda: trouble(port))
            newest = port.entries("blob.discard")[-1]["n"]
            for number in (901, 902):  # the second copy comes when the turn of the first is over
                copies = len(port.entries("archive.copied"))
                feed(port, first=number, count=1, stream=f"left-{number}")
                release_all(port)
                port.seal()
                wait_for(lambda: len(port.entries("archive.copied")) > copies, lambda: f"no copy: {port.health()}")
            must(port.entries("blob.discard")[-1]["n"] == newest, "discarded while an older discard is unfinished")
            must("unfinished discard" in trouble(port), trouble(port))
        port.stop()
    sealed.write_bytes(whole)
    port.start()
    must(not payload.exists(), "a start does not finish what a stop left")
    wait_for(lambda: not blobs(port), lambda: f"what waited for the unfinished discard stays: {kept(port)} {port.health()}")


def sent_twice(port):
    """What is refused as a duplicate leaves no payload that the log would never name."""
    there = blobs(port)
    refused = len(port.entries("record.refused"))
    port.feed("sim", "--first", 0, "--count", 4, "--scale", "0.1", "--modes", "truck", "--scans-only", "--quiet",
              stream="twice", check=False)
    wait_for(lambda: len(port.entries("record.refused")) == refused + 4, lambda: f"{port.entries('record.refused')}")
    must({entry["name"] for entry in port.entries("record.refused")[refused:]} == {"duplicate"}, "another refusal")
    must(blobs(port) == there, f"duplicates brought back {len(blobs(port) - there)} payloads")


def show_without_blob(port, item, second):
    """The picture comes from the sealed file, then from its copy, then there is a sentence that helps. Nothing is sealed
    meanwhile: the archive is moved away."""
    port.stop()
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
    port.start()


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
    for number in range(4):
        one = port.directory / f"pictures-{number}"
        one.mkdir()
        shutil.copy(picture, one / f"view-{number}.png")
        port.feed("images", one, "--mode", "mail", "--quiet", stream=f"again-{number}")
        port.await_judged()
        release_all(port)
        port.ctl("archive", "seal", check=False)
        if number % 2 == 0:
            port.seal()
            wait_for(lambda: len(blobs(port)) == 2, lambda: f"{kept(port)} {port.health()}")
    port.seal()
    wait_for(lambda: len(blobs(port)) == 2, lambda: f"{kept(port)} {port.health()}")
    times = {digest: discarded(port).count(digest) for digest in discarded(port)}
    must(max(times.values()) >= 2, f"discarded {times}")
    # the same pixels pour in while they are sealed and discarded, each time in another record
    many = port.directory / "pictures-many"
    many.mkdir()
    for number in range(30):
        shutil.copy(picture, many / f"pour-{number:02}.png")
    feeding = port.feed_start("images", many, "--mode", "mail", "--rate", "12", "--quiet", stream="pour")
    while feeding.poll() is None:
        port.ctl("archive", "seal", check=False)
        release_all(port)
    must(feeding.returncode == 0, f"{feeding.communicate()}")
    port.await_judged()
    release_all(port)
    port.seal()
    wait_for(lambda: len(blobs(port)) == 2, lambda: f"{kept(port)} {port.health()}")
    check_whole(port, "after it poured in")
    # the newest discard is of this payload; received again since, it stays when the next start looks after that discard
    last = port.entries("blob.discard")[-1]["blobs"]
    one = port.directory / "pictures-last"
    one.mkdir()
    shutil.copy(picture, one / "view-last.png")
    port.feed("images", one, "--mode", "mail", "--quiet", stream="again-last")
    port.await_judged()
    must({digest.removeprefix("sha256:") for digest in last} <= blobs(port), "not received again")
    port.kill()
    port.start()
    must({digest.removeprefix("sha256:") for digest in last} <= blobs(port), "the start removed what was received again")
    check_whole(port, "after it came again")


def hold_comes_later(port):
    """A hold on an item whose payload went before it: the same pixels of another item stay as long as it is in force."""
    release_all(port)
    port.seal()
    wait_for(lambda: not blobs(port), lambda: f"{kept(port)} {port.health()}")
    item = port.state("SELECT lower(hex(records.item)) FROM images JOIN records ON records.entry = images.entry"
                      " WHERE records.mode = 'mail' ORDER BY records.entry")[0][0]
    discarded_before = len(discarded(port))
    port.ctl("hold", "add", item, "--reason", "court order 13/2026", "--actor", "registrar")
    one = port.directory / "pictures-held"
    one.mkdir()
    shutil.copy(port.directory / "pictures-last" / "view-last.png", one / "view-held.png")
    port.feed("images", one, "--mode", "mail", "--quiet", stream="again-held")
    port.await_judged()
    release_all(port)
    port.seal()
    wait_for(lambda: kept(port) == {"a legal hold": 1} or len(discarded(port)) > discarded_before,
             lambda: f"{kept(port)} {port.health()}")
    must(blobs(port) == images_of(port, item) and len(discarded(port)) == discarded_before, "the hold did not keep it")
    must(port.verify()["good"] is True, "the log of a hold that came later")
    port.ctl("hold", "remove", item, "--reason", "order lifted", "--actor", "registrar")
    wait_for(lambda: not blobs(port), lambda: f"{kept(port)} {port.health()}")
    check_whole(port, "after the hold that came later")


# ---- trouble

def trouble(port):
    health = port.health()
    return " ".join(place["trouble"] for place in health["copies"]) + health["discarding_trouble"]


def await_trouble(port, words):
    wait_for(lambda: words in trouble(port), lambda: f"'{words}' is not told: {port.health()}\n{port.daemon_log()[-2000:]}")


def troubles():
    """A place that is missing, on the same device, not the one of before, damaged or full; a sealed file that is
    damaged: told by name, and nothing is discarded before it is good again."""
    with retaining() as port:
        second = port.directory / "second"
        port.start()
        feed(port, count=2)
        release_all(port)
        port.seal()
        whole = blobs(port)
        await_trouble(port, "../second: no such thing: directory of copies")
        wait_for(lambda: port.metrics()["triaged_waiting_copies"] >= 1, "no copy is said to wait")
        must(port.metrics()["triaged_archive_copies_failed_total"] >= 1, "metrics of a missing place")
        must(kept(port) == {"no copy in every place yet": 4}, f"{kept(port)}")
        port.stop()
        second.mkdir()
        set_config(port, "copy_same_device", False)
        port.start()
        await_trouble(port, "on the device of the archive")
        port.stop()
        must(blobs(port) == whole, "discarded though there is no copy")
        must(not os.listdir(second), f"{os.listdir(second)}")
        # copied, then the copy is damaged, then discarding begins: the copy is made again first
        set_config(port, "copy_same_device", True)
        set_config(port, "discard", False)
        port.start()
        wait_for(lambda: port.entries("archive.copied"), "no copy")
        wait_for(lambda: trouble(port) == "", lambda: trouble(port))
        port.stop()
        sealed = port.ctl_json("archive", "list")[0]["path"]
        damage(second / sealed)
        damage(port.store / "archive" / sealed)
        set_config(port, "discard", True)
        port.start()
        await_trouble(port, "SHA-256 of a sealed file")
        must(blobs(port) == whole, "discarded though the sealed file is damaged")
        port.stop()
        done = port.ctl("archive", "restore", pathlib.Path(sealed).name, check=False)
        must(done.returncode == 1 and "not restored" in done.stdout, f"restored from a damaged copy: {done}")
        out = port.directory / "again"
        must(port.ctl_json("archive", "rebuild", "--out", out, pathlib.Path(sealed).name)[0]["identical"], "rebuild")
        done = port.ctl("archive", "restore", "--from", out, pathlib.Path(sealed).name)
        must("restored from" in done.stdout, done.stdout)
        # not the disk of before: its mount point is empty
        second.rename(port.directory / "unmounted")
        second.mkdir()
        port.start()
        await_trouble(port, "is its disk mounted?")
        must(blobs(port) == whole and not os.listdir(second), "went on without its disk")
        second.rmdir()
        (port.directory / "unmounted").rename(second)
        wait_for(lambda: not blobs(port), lambda: f"{kept(port)} {port.health()}")
        must(len([e for e in port.entries("archive.copied") if e["path"] == sealed]) == 2, "the second copy has no entry")
        check_whole(port, "after all troubles")
        port.stop()
    bad_places()
    bad_source()
    full()
    unmounted()


def bad_places():
    """A list of places that names none, or one of them twice, is refused by name; and where nothing is copied, nothing is due."""
    for place, words in ((":", "retention.discard needs archive.copy"), ("../second:../second/", "one directory twice"),
                         ("../second:../other/../second", "one directory twice")):
        with retaining(place=place) as port:
            (port.directory / "second").mkdir()
            (port.directory / "other").mkdir()
            port.start(wait=False)
            wait_for(lambda: port.daemon.poll() is not None, f"a daemon runs with archive.copy = {place}")
            must(port.daemon.returncode != 0 and words in port.daemon_log(), f"{place}: {port.daemon_log()[-1000:]}")
    with retaining(discard=False, place=":") as port:
        port.start()
        feed(port, count=1)
        release_all(port)
        port.seal()
        must(kept(port) == {"no copy in every place yet": 2}, f"{kept(port)}")
        port.stop()


def bad_source():
    """One sealed file is damaged before it has a copy: it is named, and the others are copied and discarded."""
    with retaining() as port:
        second = port.directory / "second"
        port.start()
        for number in range(2):
            feed(port, first=number, count=1, stream=f"bad-{number}")
            release_all(port)
            port.seal()
        port.stop()
        entries = {row[0]: row[1] for row in port.state("SELECT path, first_index || ' ' || last_index FROM seals ORDER BY entry")}
        bad, (first, last) = next(iter(entries)), map(int, next(iter(entries.values())).split())
        stays = {row[0] for row in port.state(f"SELECT lower(hex(sha256)) FROM images WHERE entry BETWEEN {first} AND {last}")}
        must(len(entries) >= 2 and stays and stays < blobs(port), f"{entries}")
        damage(port.store / "archive" / bad)
        second.mkdir()
        port.start()
        await_trouble(port, f"{bad}: ")
        wait_for(lambda: blobs(port) == stays, lambda: f"{kept(port)} {port.health()}")
        must(bad not in {entry["path"] for entry in port.entries("archive.copied")}, "a damaged file was copied")
        out = port.directory / "again"
        must(port.ctl_json("archive", "rebuild", "--out", out, pathlib.Path(bad).name)[0]["identical"], "rebuild")
        port.ctl("archive", "restore", "--from", out, pathlib.Path(bad).name)
        wait_for(lambda: not blobs(port) and trouble(port) == "", lambda: f"{kept(port)} {port.health()}")
        check_whole(port, "after a damaged file")
        port.stop()


def is_stopped(port):
    return "State:\tT" in pathlib.Path(f"/proc/{port.daemon.pid}/status").read_text()


def unmounted():
    """The disk goes between two copies (root only): nothing is written to its mount point, and no entry tells of it."""
    if not PRELOAD.exists():
        print("left out: a disk that goes (no library to preload)")
        return
    with Port(archive__copy="../small", archive__copy_same_device=True, retention__interval_s=0.2) as port:
        small = port.directory / "small"
        port.start()
        for number in range(3):
            feed(port, first=number, count=1, stream=f"gone-{number}")
            port.seal()
        port.stop()
        small.mkdir()
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(small)],
                                               capture_output=True).returncode != 0:
            print("left out: a disk that goes (no right to mount)")
            return
        mounted = True
        try:
            port.start(wait=False, prefix=("env", f"LD_PRELOAD={PRELOAD}", "TRIAGED_STOP_BEFORE=log"))
            wait_for(lambda: is_stopped(port), "the daemon does not come to its first copy")
            run("umount", "-l", str(small))
            mounted = False
            port.daemon.send_signal(signal.SIGCONT)
            port.await_healthy()
            await_trouble(port, "is its disk mounted?")
            must(not os.listdir(small), f"written to the mount point: {os.listdir(small)}")
            must(len(port.entries("archive.copied")) == 1, f"{port.entries('archive.copied')}")
            port.stop()
        finally:
            port.kill()
            if mounted:
                run("umount", "-l", str(small))


def damage(path):
    os.chmod(path, 0o600)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def full():
    """A full device (root only: a small tmpfs, which is another device too, so copy_same_device stays off)."""
    with Port(archive__copy="../small", retention__discard=True, retention__days=0.0, retention__found_days=0.0,
              retention__interval_s=0.2) as port:
        small = port.directory / "small"
        small.mkdir()
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)],
                                               capture_output=True).returncode != 0:
            print("left out: a full device (no right to mount)")
            return
        try:
            port.start()
            feed(port, count=2)
            release_all(port)
            port.seal()
            await_trouble(port, "No space left on device")
            must(len(blobs(port)) == 4 and not list(small.rglob("*.h5*")), "a full device")
            run("mount", "-o", "remount,size=64m", str(small))
            wait_for(lambda: not blobs(port), lambda: f"{kept(port)} {port.health()}")
            must(all(entry["same_device"] is False for entry in port.entries("archive.copied")), "another device")
            port.stop()
            must(port.verify()["good"] is True, "verify")
        finally:
            port.kill()
            run("umount", str(small))


# ---- kill

def restore(port, baseline):
    for name in ("store", "second"):
        shutil.rmtree(port.directory / name, ignore_errors=True)
        if name == "store":
            shutil.copytree(baseline, port.store, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
    (port.directory / "second").mkdir()


def watched(port, at, notes):
    port.start(prefix=("env", f"LD_PRELOAD={PRELOAD}", f"TRIAGED_KILL_AT={at}", f"TRIAGED_KILL_NOTES={notes}"))
    port.ctl("archive", "seal", check=False)


def chosen(words):
    """What the archiver itself does is killed in flow.archive_kill: from its finished name on, the first of each kind, the
    last of some, and a seeded few more; all with TRIAGED_KILL_ALL."""
    points = [(i, word) for i, word in enumerate(words, 1) if i > words.index("named")]
    if os.environ.get("TRIAGED_KILL_ALL"):
        return points
    keep = set()
    for kind in {word for _, word in points}:
        of_kind = [i for i, word in points if word == kind]
        keep |= {of_kind[0], of_kind[-1]} if kind in ("unlink", "log") else {of_kind[0]}
    others = [i for i, _ in points if i not in keep]
    keep |= set(random.Random(SEED).sample(others, min(2, len(others))))
    return [(i, word) for i, word in points if i in keep]


def finished(port):
    copied = {entry["path"] for entry in port.entries("archive.copied")}
    return not blobs(port) and {row["path"] for row in port.ctl_json("archive", "list")} <= copied


def kill():
    if not PRELOAD.exists():
        print("SKIP: this build has no library to preload (sanitizers)")
        sys.exit(77)
    with retaining(discard=False) as port:
        port.start()
        feed(port, count=3)
        release_all(port)
        port.stop()
        set_config(port, "discard", True)
        baseline = port.directory / "baseline"
        shutil.copytree(port.store, baseline, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
        restore(port, baseline)
        notes = port.directory / "notes-all"
        watched(port, 0, notes)
        wait_for(lambda: finished(port), lambda: f"{kept(port)} {port.health()}")
        port.stop()
        check_whole(port, "no kill")
        words = notes.read_text().split()
        must(words.count("unlink") == 6 and words.count("rename") >= 2 and "directory" in words, f"{words}")
        points = chosen(words)
        missed = [point for point in points if not cycle(port, baseline, *point)]
        must(len(missed) <= 2 and all(word == "log" for _, word in missed), f"not reached: {missed}")
        print(f"{len(words)} events, killed before {len(points) - len(missed)} of them (seed {SEED})")


def cycle(port, baseline, at, word):
    """False when the daemon came to the end without that event: how many writes a log takes may differ by one."""
    restore(port, baseline)
    notes = port.directory / "notes"
    notes.unlink(missing_ok=True)
    watched(port, at, notes)
    wait_for(lambda: port.daemon.poll() is not None or finished_quietly(port), f"kill {at} ({word})")
    if port.daemon.poll() is None:
        port.daemon.terminate()
    killed = port.daemon.wait(PATIENCE) == -9
    must(killed or port.daemon.returncode == 0, f"kill {at} ({word}): ended with {port.daemon.returncode}")
    check_promises(port, baseline, f"right after kill {at} ({word})")
    port.start()
    port.seal()
    wait_for(lambda: finished(port), lambda: f"kill {at} ({word}): {kept(port)} {port.health()}")
    port.stop()
    check_whole(port, f"kill {at} ({word})")
    for row in port.entries("archive.copied"):  # what was sealed just before the stop may wait for its copy
        must((port.directory / "second" / row["path"]).read_bytes() == (port.store / "archive" / row["path"]).read_bytes(),
             f"kill {at} ({word}): the copy differs")
    return killed


def check_promises(port, baseline, where):
    """On the disk as the kill left it: an entry comes after its copy, a removal after its entry."""
    for entry in port.entries("archive.copied"):
        copy = port.directory / "second" / entry["path"]
        must(copy.exists() and f"sha256:{hashlib.sha256(copy.read_bytes()).hexdigest()}" == entry["file"],
             f"{where}: the log tells of a copy that is not there: {copy}")
    before = {path.name for path in (baseline / "blobs" / "sha256").rglob("*") if path.is_file()}
    must(before - blobs(port) <= set(discarded(port)), f"{where}: removed before the entry: {before - blobs(port)}")


def finished_quietly(port):
    try:
        return finished(port)
    except (Failure, OSError):
        return False


# ---- restore drill

def drill_run(port, out, *words, shims=None):
    """`shims` stands in front of the tools that the drill calls."""
    tools = str(BIN) if shims is None else f"{shims}:{BIN}"
    environment = dict(os.environ, TRIAGED_BIN=tools, TRIAGED_POLICY=str(port.directory / "policy.conf"))
    return run("sh", SOURCE / "config" / "restore_drill.sh", "--log", port.store / "log", "--archive",
               port.directory / "second", *words, port.directory / out, check=False, env=environment)


def shim(folder, name, text):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def drill_troubles(port, private):
    """A disk that is not mounted, one with a copy that cannot be read, a daemon that never answers."""
    done = drill_run(port, "unmounted", "--archive", port.directory / "no such disk")
    must(done.returncode == 2 and "no such disk is no directory" in done.stderr, f"a missing directory: {done}")
    third, shims = port.directory / "third disk", port.directory / "shims"
    shutil.copytree(port.directory / "second", third)
    shim(shims, "cp", 'case $1 in */second/*) echo "cp: $1: Input/output error" >&2; exit 1 ;; esac\nexec /bin/cp "$@"')
    done = drill_run(port, "unreadable disk", "--archive", third, *private, shims=shims)
    must(done.returncode == 1 and "cannot be read" in done.stdout and "triage-verify: good" in done.stdout and
         "rebuilt, identical" in done.stdout, f"an unreadable copy: {done.stdout}{done.stderr}")
    shim(shims, "triagectl", "exit 1")
    shim(shims, "sleep", "exit 0")
    done = drill_run(port, "silent", *private, shims=shims)
    must(done.returncode == 1 and "does not answer" in done.stdout, f"a daemon that is silent: {done.stdout}{done.stderr}")


def drill():
    """The store put together again from copies: public ones, then with the private ones; and what is missing is named."""
    with retaining(oversight__keep_days=0.0) as port:
        port.start()
        (port.directory / "second").mkdir()
        feed(port)
        release_all(port)
        port.seal()
        wait_for(lambda: not blobs(port), lambda: f"{kept(port)} {port.health()}")
        port.seal()
        listed = port.ctl_json("archive", "list")
        wait_for(lambda: {row["path"] for row in listed} <= {entry["path"] for entry in port.entries("archive.copied")},
                 "not all copied")
        port.stop()
        for entry in port.entries("archive.seal"):  # sealed while it stopped: has no copy yet, and is in the log alone
            if not (port.directory / "second" / entry["path"]).exists():
                shutil.copy(port.store / "archive" / entry["path"], port.directory / "second" / entry["path"])
        done = drill_run(port, "public")
        must(done.returncode == 0 and "nothing is missing" in done.stdout, f"{done.stdout}{done.stderr}")
        private = ("--wal", port.store / "wal", "--packs", port.store / "packs", "--keys", port.store / "keys",
                   "--draw", port.store / "draw")
        if not (port.store / "packs").exists():
            (port.store / "packs").mkdir()
        done = drill_run(port, "whole", *private, "--rebuild", "1")
        must(done.returncode == 0 and "read model made again" in done.stdout and "rebuilt, identical" in done.stdout,
             f"{done.stdout}{done.stderr}")
        print(done.stdout)
        done = drill_run(port, "whole")
        must(done.returncode == 2 and "is not empty" in done.stderr, f"into a directory that is not empty: {done}")
        drill_troubles(port, private)
        (port.directory / "second" / listed[0]["path"]).unlink()
        done = drill_run(port, "lacking", *private)
        name = pathlib.Path(listed[0]["path"]).name
        must(done.returncode == 1 and name in done.stdout and "missing" in done.stdout, f"{done.stdout}{done.stderr}")
        shutil.rmtree(port.store / "wal")
        (port.store / "wal").mkdir()
        done = drill_run(port, "rolled-back", *private)
        must(done.returncode == 1 and "does not start" in done.stdout, f"without a write-ahead log: {done.stdout}")


if __name__ == "__main__":
    try:
        {"life": life, "trouble": troubles, "kill": kill, "drill": drill}[sys.argv[1]]()
    except Failure as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
    print("good")
