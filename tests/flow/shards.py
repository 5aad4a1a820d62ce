#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Flow tests of what changes below a running log: its shard, its key. usage: shards.py CASE"""
import collections
import os
import random
import shutil
import sys
import time

from port import BIN, BUILD, PATIENCE, Failure, Port, must, run

SHIFTED = BUILD / "tests" / "triaged_shifted"


class ShiftedPort(Port):
    """A port whose daemon's clock can be shifted by days."""

    days = 0

    def start(self, wait=True, prefix=(), program=SHIFTED):
        os.environ["TRIAGED_TEST_DAYS"] = str(self.days)
        super().start(wait=wait, prefix=prefix, program=program)

    def to_next_year(self):
        now = time.gmtime(time.time() + 86400 * self.days)
        self.days += 366 - now.tm_yday + 1

    def shards(self):
        return [line.split() for line in (self.store / "log" / "shards").read_text().splitlines()]

    def year(self):
        return time.gmtime(time.time() + 86400 * self.days).tm_year

    def declare(self, count, seed, stream):
        summary = self.feed("sim", "--count", str(count), "--seed", str(seed), "--modes", "mail,truck", "--scale", "0.1",
                            stream=stream)
        must(summary["refused"] == 0 and summary["waiting"] == 0, f"not everything was taken: {summary}")
        return summary["acknowledged"]


def expect_whole(port, shards_count):
    """n counts on without a gap; every shard but the last ends in log.close, and the next begins behind it."""
    shards = port.shards()
    must(len(shards) == shards_count, f"{shards}")
    entries = port.entries()
    must([int(entry["n"]) for entry in entries] == list(range(len(entries))), "the numbers do not count on")
    kinds = [entry["type"] for entry in entries]
    firsts = [int(first) for first, _, _ in shards]
    must([n for n, kind in enumerate(kinds) if kind == "log.open"] == firsts, f"log.open is not at {firsts}")
    must([n + 1 for n, kind in enumerate(kinds) if kind == "log.close"] == firsts[1:], "log.close is not before them")
    for (_, origin, _), opened in zip(shards, (entries[first] for first in firsts)):
        must(opened["origin"] == origin, f"{origin}: {opened}")
    return entries, firsts


def expect_archive(port, firsts):
    """No file over a border, and nothing left out before the last shard."""
    files = sorted((int(f["first"]), int(f["last"]), f["path"]) for f in
                   ({"first": e["first_index"], "last": e["last_index"], "path": e["path"]}
                    for e in port.entries("archive.seal")))
    covered = 0
    for first, last, path in files:
        must(first == covered, f"{path} begins at {first}, not at {covered}")
        covered = last + 1
        must(not any(first < border <= last for border in firsts), f"{path} lies over a border of {firsts}")
    must(covered >= firsts[-1], f"entries from {covered} on are in no file, the last shard begins at {firsts[-1]}")


def seal(port):
    before = len(port.entries("archive.seal"))
    port.ctl("archive", "seal")
    port.await_that(lambda: len(port.entries("archive.seal")) > before, "no archive file was sealed")
    port.await_judged()


def case_year():
    """Records before and after the turn of the year, items that live across it, archive files, draws, verification."""
    with ShiftedPort() as port:
        port.start()
        before = port.declare(150, 5, "old")
        seal(port)
        more = port.declare(100, 6, "older")
        port.kill()  # with items that are held or not yet decided
        first_year = port.year()
        port.to_next_year()
        port.start()
        after = port.declare(150, 7, "new")
        port.await_judged()
        seal(port)
        entries, firsts = expect_whole(port, 2)
        shards = port.shards()
        must(shards[0][1] == f"oversight.test/flow/{first_year}" and shards[1][1] == f"oversight.test/flow/{port.year()}",
             f"{shards}")
        must(port.health()["origin"] == shards[1][1], "the daemon says another origin")
        got = sum(1 for entry in entries if entry["type"] in ("scan.received", "declaration.received"))
        must(got == before + more + after, f"{got} records, not {before + more + after}")
        expect_archive(port, firsts)
        port.stop()
        verdict = port.verify()
        must(verdict["good"] is True, f"{verdict}")
        must(len(verdict["logs"]) == 2, f"{verdict}")
        port.start()  # and the read model can be made again out of both
        port.await_judged()
        decided = port.state("SELECT count(*) FROM decisions")
        port.stop()
        (port.store / "state.db").unlink()
        port.start()
        port.await_judged()
        must(port.state("SELECT count(*) FROM decisions") == decided, "the read model forgot decisions")
        port.stop()
        public_copy(port, entries)
        # A clock that went back: the open shard stays.
        port.days = -800
        port.start()
        port.stop()
        must(port.shards() == shards, f"{port.shards()}")
        must("the clock is behind" in port.daemon_log(), "nobody was told of the clock")


def public_copy(port, entries):
    """The public log alone, all shards or one, gives the entries with their numbers."""
    copy = port.directory / "copy"
    shutil.copytree(port.store / "log", copy)
    for directory, lines in ((copy, len(port.entries())), (copy / port.shards()[1][2], None)):
        out = port.ctl("log", "cat", "--json", "--public", directory).stdout.splitlines()
        if lines is not None:
            must(len(out) == lines, f"{len(out)} entries in the copy, {lines} in the log")
        else:
            must(0 < len(out) < len(port.entries()), f"{len(out)} entries in one shard")
    one = port.ctl("log", "cat", "--json", "--public", copy, "--from", str(int(entries[-1]["n"]) - 1), "--to",
                   entries[-1]["n"]).stdout.splitlines()
    must(len(one) == 2, f"{one}")
    newest = port.ctl("log", "checkpoint").stdout
    must(newest.splitlines()[0] == port.shards()[-1][1], f"the newest checkpoint is {newest}")


def acknowledged_once(port, stream, count):
    seen = collections.Counter()
    for kind in ("scan.received", "declaration.received", "record.refused"):
        for entry in port.entries(kind):
            seen[(entry["stream"], int(entry["sequence"]))] += 1
    must(all(times == 1 for times in seen.values()), "a record is in the log twice")
    have = sorted(sequence for name, sequence in seen if name == stream)
    must(have == list(range(1, count + 1)), f"stream {stream}: {len(have)} of {count} records")


def case_close():
    """An operator closes the shard while records come in: the daemon ends with 0, the next start goes on in a new shard."""
    with ShiftedPort() as port:
        port.start()
        feed = port.feed_start("sim", "--count", "6000", "--seed", "3", "--modes", "mail", "--declarations-per-scan",
                               "1000000", "--rate", "600", stream="declarations")
        port.await_accepted(300)
        missing = port.ctl("log", "close", check=False)
        must(missing.returncode == 2, "a shard was closed without a reason")
        closed = port.ctl("log", "close", "--reason", "the seed was seen by somebody", "--actor", "ada")
        must("entry" in closed.stdout, closed.stdout)
        must(port.daemon.wait(PATIENCE) == 0, "the daemon did not end with 0")
        must("closed=1" in port.daemon_log(), "no line says that the shard was closed")
        must(feed.poll() is None, "the feed was done before")
        last = port.entries()[-1]
        must(last["type"] == "log.close" and last["reason"] == "the seed was seen by somebody" and
             last["next_origin"].endswith("-2"), f"{last}")
        must(last["actor"] not in ("daemon", "ada"), f"{last}")
        must(port.verify()["good"] is True, "a closed log alone")
        port.start()
        out, err = feed.communicate(timeout=PATIENCE)
        must(feed.returncode == 0, f"feed: {err[-1000:]}")
        port.await_judged()
        seal(port)
        entries, firsts = expect_whole(port, 2)
        acknowledged_once(port, "declarations", 6000)
        expect_archive(port, firsts)
        port.stop()
        must(port.verify()["good"] is True, "verify")


def case_turn_kill():
    """kill -9 while the year turns, again and again."""
    rng = random.Random(5)
    with ShiftedPort() as port:
        port.start()
        port.declare(60, 5, "old")
        port.stop()
        for turn in range(1, 4):
            port.to_next_year()
            for _ in range(6):
                port.start(wait=False)
                time.sleep(rng.uniform(0.0, 0.25))
                port.kill()
            port.start()
            port.declare(10, 10 + turn, f"new-{turn}")
            port.await_judged()
            expect_whole(port, turn + 1)
            port.stop()
            must(port.verify()["good"] is True, "verify")


def vkeys(port):
    shard = port.store / "log" / port.shards()[-1][2]
    old = sorted((shard / "vkeys").iterdir(), key=lambda f: int(f.name)) if (shard / "vkeys").exists() else []
    return [f.read_text().strip() for f in old] + [(shard / "vkey").read_text().strip()]


def verify_with(port, key):
    return run(BIN / "triage-verify", "--quiet", "--vkey", key, port.store, check=False)


def expect_rotated(port, known):
    """Whoever holds any of the keys follows the log to its end."""
    keys = vkeys(port)
    must(keys == known + [keys[-1]] and len(set(keys)) == len(keys), f"{keys} after {known}")
    names = {f.name for f in (port.store / "keys").iterdir()}
    must("signing.seed" in names and not names & {"signing.next", "signing.old"}, f"{names}")
    rotations = port.entries("key.rotate")
    must([(e["old_vkey"], e["new_vkey"]) for e in rotations] == list(zip(keys, keys[1:])), f"{rotations}")
    for key in keys:
        done = verify_with(port, key)
        must(done.returncode == 0, f"with {key}: {done.stdout}{done.stderr}")
    return keys


def case_rotate():
    """Two rotations with records between them, one of them across a year; old and new keys verify, forgeries do not."""
    with ShiftedPort() as port:
        port.start()
        port.declare(60, 5, "one")
        known = vkeys(port)
        seed = (port.store / "keys" / "signing.seed").read_text()
        port.ctl("keys", "rotate", "--reason", "a machine was replaced")
        must(port.ctl("keys", "rotate", check=False).returncode == 1, "a second new key before the first was used")
        port.stop()
        port.start()
        must((port.store / "keys" / "signing.seed").read_text() != seed, "the seed is the old one")
        port.declare(60, 6, "two")
        known = expect_rotated(port, known)
        must(port.entries("key.rotate")[0]["reason"] == "a machine was replaced", "the reason is not in the log")
        port.ctl("keys", "rotate")
        port.stop()
        port.start()
        port.declare(60, 7, "three")
        known = expect_rotated(port, known)
        port.stop()
        stranger = known[0][:-6] + "AAAAA="
        must(verify_with(port, stranger).returncode == 1, "a stranger's key was taken")
        port.ctl("keys", "rotate")
        port.to_next_year()
        port.start()
        port.declare(60, 8, "four")
        port.stop()
        expect_whole(port, 2)
        must(port.verify()["good"] is True, "verify")
        for key in known:  # of the year before: followed over the border
            done = verify_with(port, key)
            must(done.returncode == 0, f"with {key}: {done.stdout}{done.stderr}")
        must("destroyed" in port.daemon_log(), "nobody says that the old seed is gone")


def case_rotate_kill():
    """kill -9 around every step of a rotation."""
    rng = random.Random(7)
    with ShiftedPort() as port:
        port.start()
        port.declare(30, 5, "one")
        port.stop()
        known = vkeys(port)
        for turn in range(4):
            port.ctl("keys", "rotate")
            for _ in range(5):
                port.start(wait=False)
                time.sleep(rng.uniform(0.0, 0.2))
                port.kill()
            port.start()
            port.declare(10, 20 + turn, f"new-{turn}")
            known = expect_rotated(port, known)
            port.stop()
        must(port.verify()["good"] is True, "verify")


CASES = {name[5:]: call for name, call in list(globals().items()) if name.startswith("case_")}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CASES:
        print(f"usage: shards.py {'|'.join(CASES)}")
        sys.exit(2)
    try:
        CASES[sys.argv[1]]()
    except Failure as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
    print("good")
