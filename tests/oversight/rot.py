#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bits rot in a closed log: one place a row, and who must notice. Nowhere may what was acknowledged become silently less.

Three verdicts a row. A reader of the write-ahead log: all, short (see below), or its error. triage-verify: good or bad.
The next start: good, or the error it stops with; after a good one everything acknowledged must be there, or the reader
("unread") or triage-verify ("unfit") must say that something is wrong; "cut" when a torn tail was cut.

A reader is short only where the newest commit slots rot: it cannot tell such a slot from one that is being written. The
start tells, and brings the group back or stops.
"""
import pathlib
import shutil
import struct
import sys

import rig

STEPS = "spgpnbpbpbgpgps"  # two segments, two full tiles and bundles, a partial of each
ENTRIES = 619
RETIRED_STEPS = "sbbbggprs"  # three segments, the first retired into a pack
RETIRED_ENTRIES = 416
BLOCK = 4096


class Log:
    """Where things lie in the files of one log, read from the formats' page and not with the product's code."""

    def __init__(self, directory):
        self.directory, self.wal, self.shard = directory, directory / "wal", directory / "log" / "2026"
        segments = sorted(self.wal.glob("*.seg"))
        self.first, self.last = segments[0], segments[-1]
        self.pack = next((directory / "packs").glob("*.pack"), None)
        self.index = self.wal / "commit.idx"
        slots = []
        blocks = self.index.read_bytes()
        for at in range(0, len(blocks), BLOCK):
            if blocks[at:at + 4] == b"OVC1":
                slots.append((struct.unpack_from("<Q", blocks, at + 8)[0], at))
        self.slots = [at for _, at in sorted(slots)]

    def groups(self, segment):
        """[(offset, payload bytes, bytes of the entries, blocks)] of a segment."""
        found, at, content = [], BLOCK, segment.read_bytes()
        while content[at:at + 4] == b"OVG1":
            count, payload = struct.unpack_from("<II", content, at + 24)
            entries = 0
            for _ in range(count):
                entries += 2 + struct.unpack_from(">H", content, at + 64 + entries)[0]
            blocks = (64 + payload + BLOCK - 1) // BLOCK
            found.append((at, payload, entries, blocks))
            at += blocks * BLOCK
        return found


def flip(path, offset):
    path.chmod(0o644)
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def zero(path, offset, count):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(bytes(count))


def cut(path, size):
    path.chmod(0o644)
    with open(path, "r+b") as file:
        file.truncate(size)


def swap(path, other):
    kept = path.read_bytes()
    for target, content in ((path, other.read_bytes()), (other, kept)):
        target.chmod(0o644)
        target.write_bytes(content)


def swap_ranges(path, one, other, count):
    content = bytearray(path.read_bytes())
    content[one:one + count], content[other:other + count] = content[other:other + count], content[one:one + count]
    path.write_bytes(content)


NOTHING = ("all", "good", "good")
# Before the newest full tile a start does not look (FORMAT.md, section 5); the reader does, whoever reads.
DAMAGED = {"first": ("WAL_DAMAGED", "good", "unread"), "last": ("WAL_DAMAGED", "good", "WAL_DAMAGED")}


def rows_of_segment(which, pick):
    """The same places in the first segment, which is closed, and in the last one."""
    def at(offset):
        return lambda log: flip(pick(log), offset)

    def in_group(number, place):
        def change(log):
            start, payload, entries, _ = log.groups(pick(log))[number]
            flip(pick(log), start + place(payload, entries))
        return change

    def private(log):
        for start, payload, entries, _ in log.groups(pick(log)):
            if entries < payload:
                return start + 64 + entries
        raise rig.Defect("no group with a private record")

    def last(log):
        """Where the last group begins and ends."""
        start, _, _, blocks = log.groups(pick(log))[-1]
        return start, start + blocks * BLOCK

    damaged = DAMAGED[which]
    yield "magic of the header", at(3), damaged
    yield "origin in the header", at(20), damaged
    yield "root in the header", at(70), damaged
    yield "salt in the header", at(100), damaged
    yield "checksum of the header", at(125), damaged
    yield "padding of the header", at(3000), NOTHING
    yield "header zeroed", lambda log: zero(pick(log), 0, BLOCK), damaged
    yield "first group, magic", in_group(0, lambda payload, entries: 1), damaged
    yield "first group, number", in_group(0, lambda payload, entries: 8), damaged
    yield "first group, hash of the one before", in_group(0, lambda payload, entries: 50), damaged
    yield "first group, length of an entry", in_group(0, lambda payload, entries: 65), damaged
    yield "first group, an entry", in_group(0, lambda payload, entries: 64 + entries // 2), damaged
    yield "last group, header", in_group(-1, lambda payload, entries: 17), damaged
    yield "last group, an entry", in_group(-1, lambda payload, entries: 64 + entries // 2), damaged
    yield "last group, padding", in_group(-1, lambda payload, entries: 64 + payload), NOTHING
    yield "last group zeroed", lambda log: zero(pick(log), last(log)[0], last(log)[1] - last(log)[0]), damaged
    yield "private record, header", lambda log: flip(pick(log), private(log) + 5), damaged
    yield "private record, bytes", lambda log: flip(pick(log), private(log) + 100), damaged
    yield "zeros behind the last group", lambda log: flip(pick(log), last(log)[1] + 9), \
        damaged if which == "first" else ("all", "good", "good cut")
    yield "two groups swapped", lambda log: swap_ranges(
        pick(log), log.groups(pick(log))[0][0], log.groups(pick(log))[1][0], BLOCK), damaged
    yield "cut behind the last group", lambda log: cut(pick(log), last(log)[1]), NOTHING
    yield "cut in the last group", lambda log: cut(pick(log), last(log)[0] + 100), damaged
    yield "emptied", lambda log: cut(pick(log), 0), damaged
    yield "removed", lambda log: pick(log).unlink(), DAMAGED["last"]


def rows_of_index():
    def newest(number, offset):
        return lambda log: flip(log.index, log.slots[number] + offset)

    yield "newest slot", newest(-1, 30), ("short", "good", "good")
    yield "newest slot, padding", newest(-1, 200), NOTHING
    yield "newest slot zeroed", lambda log: zero(log.index, log.slots[-1], BLOCK), ("short", "good", "good")
    yield "older slot", newest(-2, 30), NOTHING
    yield "two newest slots", lambda log: (flip(log.index, log.slots[-1] + 9), flip(log.index, log.slots[-2] + 9)), \
        ("short", "good", "WAL_DAMAGED")
    yield "two slots swapped", lambda log: swap_ranges(log.index, log.slots[-1], log.slots[-2], BLOCK), \
        ("short", "good", "WAL_DAMAGED")
    yield "cut", lambda log: cut(log.index, log.slots[-1] + BLOCK), DAMAGED["last"]
    yield "an unused slot", newest(-1, 5 * BLOCK), NOTHING
    yield "removed", lambda log: log.index.unlink(), DAMAGED["last"]


# file: triage-verify and start, for a bit at the beginning, a bit at the end, cut by a byte, emptied, removed
PIECES = {
    "wal/last-signed": ["good KEY"] + ["good LOG_ROLLED_BACK"] * 4,
    "log/2026/checkpoint": ["bad KEY"] + ["bad TILE_DIFFERS"] * 3 + ["bad good"],
    "log/2026/checkpoints/202": ["bad unfit"] * 4 + ["good good"],
    "log/2026/checkpoints/619": ["bad TILE_DIFFERS"] * 4 + ["good good"],
    "log/shards": ["bad KEY"] + ["bad TILE_DIFFERS"] * 3 + ["good LOG_ROLLED_BACK"],
    "log/2026/vkey": ["bad KEY"] * 2 + ["good KEY"] + ["bad KEY", "bad good"],
    "log/2026/tile/0/000": ["bad TILE_DIFFERS"] * 4 + ["bad good"],
    "log/2026/tile/0/002.p/107": ["bad TILE_DIFFERS"] * 4 + ["bad good"],
    "log/2026/tile/1/000.p/2": ["bad TILE_DIFFERS"] * 4 + ["bad good"],
    "log/2026/tile/entries/000": ["bad unfit"] * 4 + ["bad good"],
    "log/2026/tile/entries/002.p/107": ["bad TILE_DIFFERS"] * 4 + ["bad good"],
}


def rows_of_pieces():
    """Small files: what is not the write-ahead log itself never hurts its reader."""
    hurts = {"a bit at the beginning": lambda path: flip(path, 5),
             "a bit at the end": lambda path: flip(path, path.stat().st_size - 2),
             "cut by a byte": lambda path: cut(path, path.stat().st_size - 1),
             "emptied": lambda path: cut(path, 0),
             "removed": lambda path: path.unlink()}
    for name, verdicts in PIECES.items():
        for (hurt, change), verdict in zip(hurts.items(), verdicts):
            yield f"{name}: {hurt}", lambda log, name=name, change=change: change(log.directory / name), \
                ("all", *verdict.split(" "))


def rows():
    yield "nothing", lambda log: None, NOTHING
    for name, change, verdict in rows_of_segment("first", lambda log: log.first):
        yield "first segment: " + name, change, verdict
    for name, change, verdict in rows_of_segment("last", lambda log: log.last):
        yield "last segment: " + name, change, verdict
    for name, change, verdict in rows_of_index():
        yield "commit.idx: " + name, change, verdict
    yield from rows_of_pieces()
    yield "two full tiles swapped", lambda log: swap(log.shard / "tile/0/000", log.shard / "tile/0/001"), \
        ("all", "bad", "TILE_DIFFERS")
    yield "two full bundles swapped", lambda log: swap(log.shard / "tile/entries/000",
                                                       log.shard / "tile/entries/001"), ("all", "bad", "unfit")
    yield "the two segments swapped", lambda log: swap(log.first, log.last), DAMAGED["last"]
    yield "checkpoint for an older one", lambda log: shutil.copy(
        log.shard / "checkpoints/202", log.shard / "checkpoint"), ("all", "bad", "good")
    yield "last-signed for an older one", lambda log: shutil.copy(
        log.shard / "checkpoints/202", log.wal / "last-signed"), ("all", "good", "LOG_ROLLED_BACK")


def rows_of_retired():
    """What is left of a retired segment. Packs are removed on purpose when their time is over, so that a whole pack is
    missing is not told from that, and has no row."""
    def pack(offset):
        return lambda log: flip(log.pack, offset if offset >= 0 else log.pack.stat().st_size + offset)

    unread = ("WAL_DAMAGED", "good", "unread")
    yield "nothing, with a segment retired", lambda log: None, NOTHING
    yield "wal/removed: a bit", lambda log: flip(log.wal / "removed", 20), DAMAGED["last"]
    yield "wal/removed: emptied", lambda log: cut(log.wal / "removed", 0), DAMAGED["last"]
    yield "wal/removed: removed", lambda log: (log.wal / "removed").unlink(), DAMAGED["last"]
    yield "pack: magic", pack(1), unread
    yield "pack: header", pack(20), unread
    yield "pack: a record", pack(1000), unread
    yield "pack: index", pack(-30), unread
    yield "pack: cut by a byte", lambda log: cut(log.pack, log.pack.stat().st_size - 1), unread
    yield "pack: emptied", lambda log: cut(log.pack, 0), unread
    yield "bundle of retired entries: a bit", lambda log: flip(log.shard / "tile/entries/000", 50), \
        ("TILE_DIFFERS", "bad", "unread")
    yield "bundle of retired entries: removed", lambda log: (log.shard / "tile/entries/000").unlink(), \
        ("WAL_DAMAGED", "bad", "WAL_DAMAGED")
    yield "tile of retired entries: a bit", lambda log: flip(log.shard / "tile/0/000", 50), \
        ("TILE_DIFFERS", "bad", "WAL_DAMAGED")


def verdict_reader(directory, ledger):
    status, out, _ = rig.run([rig.CYCLE, "check", directory, ledger])
    if status == rig.REFUSED:
        return out.split("refused ")[1].split()[0]
    if status == rig.GOOD and int(out.split()[-1]) not in (ENTRIES, RETIRED_ENTRIES):
        raise rig.Defect("the reader is content with another number of entries: " + out)
    return "all" if status == rig.GOOD else "short"


def verdict_verify(directory, _):
    status, out, _ = rig.run([rig.VERIFY, "--quiet", directory])
    if status not in (0, 1):
        raise rig.Defect(f"triage-verify: status {status}: {out[-200:]}")
    return "good" if status == 0 else "bad"


def verdict_start(directory, ledger):
    status, out, err = rig.run([rig.CYCLE, "open", directory])
    if status == rig.REFUSED:
        return out.split("failed ")[1].split()[0]
    if status != rig.GOOD:
        raise rig.Defect(f"status {status}: {err.strip()[-200:]}")
    torn = "" if out.split()[2] == "0" else " cut"
    status, out, _ = rig.run([rig.CYCLE, "check", directory, ledger])
    if status == rig.LOST:
        raise rig.Defect("the log began, and what was acknowledged is not there: " + out.strip().splitlines()[-1])
    if status == rig.REFUSED:
        return "unread" + torn
    return ("good" if verdict_verify(directory, ledger) == "good" else "unfit") + torn


def judge(pristine, scratch, change, ledger):
    directory = scratch / "d"
    for verdict in (verdict_reader, verdict_verify, verdict_start):
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(pristine, directory)
        change(Log(directory))
        yield verdict(directory, ledger)


def judge_log(scratch, steps, entries, table):
    """How many rows of the table a log made by these steps does not meet."""
    pristine, ledger = scratch / "pristine", scratch / "ledger"
    pristine.mkdir(parents=True)
    status, out, _ = rig.run([rig.CYCLE, "write", pristine, steps])
    if status != rig.GOOD or out.count("ack ") != entries - 1:
        raise rig.Defect(f"status {status}, {out.count('ack ')} entries")
    ledger.write_text(rig.promises(out) + rig.outsider(pristine), encoding="ascii")
    wrong = 0
    for name, change, expected in table:
        try:
            found = tuple(judge(pristine, scratch, change, ledger))
        except rig.Defect as defect:
            found = (str(defect),)
        if found != expected:
            wrong += 1
            print(f"{name}: {' | '.join(found)}, not {' | '.join(expected)}")
    print(f"{len(table)} places of rot in a log of {entries} entries, {wrong} not met by the verdicts of the table")
    return wrong


def main():
    with rig.folder("oversight-rot-") as folder:
        wrong = judge_log(pathlib.Path(folder) / "whole", STEPS, ENTRIES, list(rows()))
        wrong += judge_log(pathlib.Path(folder) / "retired", RETIRED_STEPS, RETIRED_ENTRIES, list(rows_of_retired()))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
