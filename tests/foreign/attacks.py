# SPDX-License-Identifier: Apache-2.0
"""Cases for the verifiers: what each is given (see go/logdir), honest ones and copies that somebody tampered with.

A case is a folder with log/ (the copy), vkey (the key the reader trusts) and held/ (checkpoints kept from before). Files
are hard links until an attack replaces them; nothing is written in place.
"""
import base64
import os
import pathlib
import shutil
import struct
import subprocess

ORIGIN = "oversight.test/foreign/2026"
OTHER_ORIGIN = "oversight.test/elsewhere/2026"
KEY, OTHER_KEY = "7", "8"
WITNESSES = (("witness.test/lab", "20"), ("witness.test/ombudsman", "21"))
ATTACKED = 1          # the bundle, and the tile of level 0, that attacks change
ENTRY = 256 + 37      # the entry in it


def link_tree(source, target):
    shutil.copytree(source, target, copy_function=os.link)


class Log:
    """A copy of a log directory, with the strokes of somebody who can write to it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def read(self, name):
        return (self.folder / name).read_bytes()

    def write(self, name, data):
        (self.folder / name).unlink(missing_ok=True)
        (self.folder / name).write_bytes(data)

    def remove(self, name):
        (self.folder / name).unlink()

    def flip(self, name, offset):
        data = bytearray(self.read(name))
        data[offset] ^= 1
        self.write(name, bytes(data))

    @property
    def size(self):
        return int(self.read("checkpoint").split(b"\n")[1])

    def file(self, kind, n):
        """The name of a bundle or tile in a tree of this size: full or partial."""
        level = 0 if kind == "entries" else int(kind)
        width = (self.size >> (8 * level)) - 256 * n
        return f"tile/{kind}/{n:03d}" + ("" if width >= 256 else f".p/{width}")

    def cut(self, n):
        data, entries = self.read(self.file("entries", n)), []
        while data:
            length, = struct.unpack(">H", data[:2])
            entries.append(data[2:2 + length])
            data = data[2 + length:]
        return entries

    def paste(self, n, entries):
        self.write(self.file("entries", n), b"".join(struct.pack(">H", len(entry)) + entry for entry in entries))


def entry_offset(log, n, at):
    """Where entry number `at` of bundle n begins, behind its length."""
    return sum(2 + len(entry) for entry in log.cut(n)[:at]) + 2


def swap_hashes(log, a, b):
    name = log.file("0", ATTACKED)
    hashes = [log.read(name)[i:i + 32] for i in range(0, len(log.read(name)), 32)]
    hashes[a], hashes[b] = hashes[b], hashes[a]
    log.write(name, b"".join(hashes))


def swap_entries(log):
    entries = log.cut(ATTACKED)
    at = ENTRY - 256
    assert entries[at] != entries[at - 1]
    entries[at], entries[at - 1] = entries[at - 1], entries[at]
    log.paste(ATTACKED, entries)


def swap_bundles(log, full):
    """Two full bundles and their tiles; where there is only one full one, the halves of it."""
    if full < 2:
        entries = log.cut(0)
        log.paste(0, entries[128:] + entries[:128])
        data = log.read(log.file("0", 0))
        log.write(log.file("0", 0), data[128 * 32:] + data[:128 * 32])
        return
    for kind in ("entries", "0"):
        first, second = log.read(log.file(kind, 0)), log.read(log.file(kind, 1))
        log.write(log.file(kind, 0), second)
        log.write(log.file(kind, 1), first)


class Maker:
    """Makes the cases below `folder` out of what make_logs wrote into it."""

    def __init__(self, folder, make_logs):
        self.folder = pathlib.Path(folder)
        self.make_logs = str(make_logs)
        self.vkey = self.tool("vkey", ORIGIN, KEY)

    def tool(self, *words):
        return subprocess.run([self.make_logs, *words], check=True, stdout=subprocess.PIPE).stdout

    def head(self, log, origin=ORIGIN, name=ORIGIN, key=KEY):
        lines = log.read("checkpoint").decode().split("\n")
        return self.tool("sign", origin, name, key, lines[1], lines[2])

    def case(self, path, log, held):
        """An honest case: log is a folder of make_logs, held are checkpoint files."""
        path.mkdir(parents=True, exist_ok=True)
        if log != path / "log":
            link_tree(log, path / "log")
        (path / "vkey").write_bytes(self.vkey)
        (path / "held").mkdir()
        for checkpoint in held:
            text = pathlib.Path(checkpoint).read_bytes()
            (path / "held" / text.split(b"\n")[1].decode()).write_bytes(text)
        return path

    def attack(self, kind, name, newest, held, change=None, log=None):
        """A copy of the log of size `newest` with `change` done to it; or of another folder."""
        checkpoints = [self.folder / kind / str(size) / "log" / "checkpoint" for size in held]
        source = log or (self.folder / kind / str(newest) / "log")
        path = self.case(self.folder / "attacks" / kind / name, source, checkpoints)
        if change:
            change(Log(path / "log"), path)
        return path

    def attacks(self, kind, older, newest):
        """Every attack on the log of this kind; the reader holds the checkpoint of `older` entries, too."""
        fork, longer = sorted((self.folder / kind).glob("fork-[0-9]*"), key=lambda path: int(path.name[5:]))
        full = newest // 256
        made = []

        def add(name, change=None, held=(), **more):
            made.append(self.attack(kind, name, newest, held, change, **more))

        def bundle(log, offset):
            log.flip(log.file("entries", ATTACKED), offset)

        def key_of_another(log, path):
            vkey = self.tool("vkey", ORIGIN, OTHER_KEY)
            log.write("checkpoint", self.head(log, key=OTHER_KEY))
            log.write("vkey", vkey)

        def flip_root(log, path):
            root = log.read("checkpoint").split(b"\n")[2]
            raw = bytearray(base64.b64decode(root))
            raw[10] ^= 1
            log.write("checkpoint", log.read("checkpoint").replace(root, base64.b64encode(bytes(raw))))

        def flip_signature(log, path):
            text = log.read("checkpoint")
            blob = text.rstrip(b"\n").rsplit(b" ", 1)[1]
            raw = bytearray(base64.b64decode(blob))
            raw[40] ^= 1
            log.write("checkpoint", text.replace(blob, base64.b64encode(bytes(raw))))

        def flip_vkey(log, path):
            head, blob = self.vkey.rstrip(b"\n").rsplit(b"+", 1)
            raw = bytearray(base64.b64decode(blob))
            raw[20] ^= 1
            for name in (path / "vkey", log.folder / "vkey"):
                name.unlink()
                name.write_bytes(head + b"+" + base64.b64encode(bytes(raw)) + b"\n")

        def drop(log, path):
            entries = log.cut(ATTACKED)
            del entries[ENTRY - 256]
            log.paste(ATTACKED, entries)

        def swap_with_leaves(log, path):
            swap_entries(log)
            swap_hashes(log, ENTRY - 256, ENTRY - 257)

        def truncate(log, path):
            name = log.file("entries", ATTACKED)
            log.write(name, log.read(name)[:entry_offset(log, ATTACKED, ENTRY - 256) + 1])

        def roll_back(log, path):
            log.write("checkpoint", (self.folder / kind / str(older) / "log" / "checkpoint").read_bytes())

        def cosign(log, path):
            """Two witnesses sign as well; whoever reads CASE/witnesses wants to see them both."""
            lines = [self.tool("cosign", str(log.folder / "checkpoint"), *witness) for witness in WITNESSES]
            log.write("checkpoint", log.read("checkpoint") + b"".join(lines))
            (path / "witnesses").write_bytes(b"".join(self.tool("witness", *witness) for witness in WITNESSES))

        def flip_cosignature(log, path):
            cosign(log, path)
            flip_signature(log, path)  # the last line of the checkpoint

        both = (older, newest)  # what the reader holds where the copy alone tells nothing
        add("untouched", held=both)
        add("cosigned", cosign, held=both)
        add("cosignature-flipped", flip_cosignature)
        add("entry-flipped", lambda log, path: bundle(log, entry_offset(log, ATTACKED, ENTRY - 256)))
        add("length-flipped", lambda log, path: bundle(log, entry_offset(log, ATTACKED, ENTRY - 256) - 1))
        add("tile-0-flipped", lambda log, path: log.flip(log.file("0", ATTACKED), (ENTRY - 256) * 32 + 5))
        add("tile-1-flipped", lambda log, path: log.flip(log.file("1", 0), 5))
        if newest >= 65536:
            add("tile-2-flipped", lambda log, path: log.flip(log.file("2", 0), 5))
        add("root-flipped", flip_root)
        add("signature-flipped", flip_signature)
        add("vkey-flipped", flip_vkey)
        add("entries-swapped", lambda log, path: swap_entries(log))
        add("entries-and-leaves-swapped", swap_with_leaves)
        add("bundles-and-tiles-swapped", lambda log, path: swap_bundles(log, full))
        add("entry-dropped", drop)
        add("bundle-removed", lambda log, path: log.remove(log.file("entries", ATTACKED)))
        add("tile-removed", lambda log, path: log.remove(log.file("0", ATTACKED)))
        add("bundle-truncated", truncate)
        add("checkpoint-rolled-back", roll_back, held=both)
        add("log-cut", held=both, log=self.folder / kind / str(older) / "log")
        add("forked", held=both, log=fork / "log")
        add("forked-and-grown", held=both, log=longer / "log")
        add("forked-nothing-held", log=fork / "log")
        add("wrong-key", key_of_another)
        add("wrong-origin", lambda log, path: log.write("checkpoint", self.head(log, origin=OTHER_ORIGIN)))
        return made
