#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The order of the log's system calls, as strace saw them: what an acknowledgement or a checkpoint hangs on was on the
disk before it. A power cut on one file system does not show a missing sync of a directory; the order of calls does.

usage: trace.py [--broken NAME]    with NAME: the build that is broken on purpose; status 0 when that is noticed
"""
import collections
import pathlib
import re
import shutil
import struct
import sys

import rig

STEPS = "spgpnbpbpbgpsrs"
TRACED = "trace=%file,%desc"
LINE = re.compile(r"^(\d+)\s+(.*)$")
CALL = re.compile(r"^(\w+)\((.*)\)\s+= (-?\d+)(.*)$")
DESCRIPTOR = re.compile(r"^(\d+)<(.*?)>$")


def unhex(text):
    return re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found.group(1), 16)), text)


class Event:
    """One system call: begin and end are line numbers of the trace, so that calls of several threads have an order."""

    def __init__(self, begin, end, name, arguments, result, tail):
        self.begin, self.end, self.name, self.result = begin, end, name, int(result)
        self.arguments = [unhex(part) for part in arguments.split(", ")]
        self.returned = DESCRIPTOR.match(unhex(result + tail).strip())

    def text(self, at):
        return self.arguments[at].strip('"').removesuffix('"...')

    def file(self):
        """Path behind the descriptor in the first argument."""
        found = DESCRIPTOR.match(self.arguments[0])
        return found.group(2).removesuffix("(deleted)") if found else ""

    def bytes(self, at):
        return self.text(at).encode("latin-1")


def read_trace(path):
    """Calls in the order in which they ended."""
    unfinished = {}
    for number, line in enumerate(path.read_text(encoding="latin-1").splitlines()):
        found = LINE.match(line)
        if not found:
            continue
        thread, text = found.groups()
        if text.endswith("<unfinished ...>"):
            unfinished[thread] = (number, text.removesuffix("<unfinished ...>").rstrip())
            continue
        begin = number
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)$", text)
        if resumed:
            begin, start = unfinished.pop(thread)
            text = start + resumed.group(1)
        call = CALL.match(text)
        if call:
            yield Event(begin, number, *call.groups())


class Order:
    """What is on the disk for certain, call by call, and the rules about it."""

    def __init__(self, root):
        self.root = root
        self.names = {}        # path -> line at whose end the name appeared; gone once its directory is synced
        self.dirty = {}        # path -> line of the newest write that nothing has synced
        self.synchronous = {}  # descriptor -> opened with O_DSYNC
        self.groups = []       # [first index, behind last, durable since line or None, path]
        self.slots = []        # [next index, begin, durable since line or None]
        self.texts = {}        # path -> beginning of what was written there
        self.remembered = None  # (text of last-signed, line since which it is durable)
        self.counts = collections.Counter()
        self.faults = []

    def fault(self, event, text):
        self.faults.append(f"line {event.begin + 1}: {event.name}: {text}")

    def take(self, event):
        if event.result < 0:
            return
        rule = getattr(self, "on_" + event.name, None)
        if rule:
            rule(event)

    def inside(self, path):
        return path.startswith(self.root)

    # ---- names ----

    def on_openat(self, event):
        flags = event.arguments[2]
        if event.returned and self.inside(event.returned.group(2)):
            self.synchronous[event.returned.group(1)] = "O_DSYNC" in flags or "O_SYNC" in flags
            if "O_CREAT" in flags:
                self.names[event.returned.group(2)] = event.end

    def on_mkdir(self, event):
        if self.inside(event.text(0)):
            self.names[event.text(0)] = event.end

    def on_unlink(self, event):
        if event.text(0).endswith(".seg"):
            self.counts["segments retired"] += 1
            for path in [*self.unsynced(self.root + "/packs"), *self.unsynced(self.root + "/wal")]:
                self.fault(event, f"a segment is removed while {path} is not synced")
        self.names.pop(event.text(0), None)
        self.dirty.pop(event.text(0), None)

    def on_rename(self, event):
        source, target = event.text(0), event.text(1)
        if not self.inside(target):
            return
        self.counts["renames"] += 1
        if source in self.dirty:
            self.fault(event, f"{source} is renamed before its bytes are synced")
        self.names.pop(source, None)
        self.names[target] = event.end
        self.texts[target] = self.texts.pop(source, b"")
        if target.endswith("/2026/checkpoint"):
            self.check_checkpoint(event)

    # ---- bytes ----

    def on_pwrite64(self, event):
        path = event.file()
        if not self.inside(path):
            return
        synced = self.synchronous.get(DESCRIPTOR.match(event.arguments[0]).group(1), False)
        if not synced:
            self.dirty[path] = event.end
        since = event.end if synced else None
        bytes_written = event.bytes(1)
        self.texts[path] = bytes_written
        if path.endswith(".seg") and bytes_written[:4] == b"OVG1":
            first, = struct.unpack_from("<Q", bytes_written, 16)
            count, = struct.unpack_from("<I", bytes_written, 24)
            self.groups.append([first, first + count, since, path])
        elif path.endswith("/commit.idx") and bytes_written[:4] == b"OVC1":
            self.slots.append([struct.unpack_from("<Q", bytes_written, 32)[0], event.begin, since])

    def on_fsync(self, event):
        path = event.file()
        self.counts["syncs"] += 1
        if self.dirty.get(path, event.begin) < event.begin:
            del self.dirty[path]
        for group in self.groups:
            group[2] = event.end if group[2] is None and group[3] == path else group[2]
        for slot in self.slots:
            slot[2] = event.end if slot[2] is None and path.endswith("/commit.idx") else slot[2]
        for name, since in list(self.names.items()):
            if str(pathlib.PurePath(name).parent) == path and since < event.begin:
                del self.names[name]
                if name.endswith("/last-signed"):
                    self.remembered = (self.texts[name], event.end)

    on_fdatasync = on_fsync

    # ---- promises ----

    def on_write(self, event):
        words = event.text(1).split()
        if event.arguments[0].startswith("1<") and words[:1] == ["ack"]:
            self.check_ack(event, int(words[1]))

    def unsynced(self, folder, but=()):
        """Names and bytes below a folder that a power cut may take; a name that ends in .tmp is nothing yet."""
        above = {str(parent) for parent in pathlib.PurePath(folder).parents} | {folder}
        for path in {**self.names, **self.dirty}:
            if (path.startswith(folder + "/") or path in above) and not path.endswith(".tmp") and path not in but:
                yield path

    def check_ack(self, event, index):
        self.counts["acknowledgements"] += 1
        for path in self.unsynced(self.root + "/wal", but=(self.root + "/wal/last-signed",)):
            self.fault(event, f"{index} is acknowledged while {path} is not synced")
        groups = [group for group in self.groups if group[0] <= index < group[1]]
        slots = [slot for slot in self.slots if slot[0] > index]
        if not groups or groups[0][2] is None or groups[0][2] > event.begin:
            self.fault(event, f"{index} is acknowledged before its group is on the disk")
        elif not slots or slots[0][2] is None or slots[0][2] > event.begin:
            self.fault(event, f"{index} is acknowledged before its commit slot is on the disk")
        elif slots[0][1] < groups[0][2]:
            self.fault(event, f"the commit slot of {index} is begun before its group is on the disk")

    def check_checkpoint(self, event):
        self.counts["checkpoints"] += 1
        shown = self.root + "/log/2026/checkpoint"
        if self.remembered is None or self.remembered[1] > event.begin or self.remembered[0] != self.texts[shown]:
            self.fault(event, "the checkpoint is shown before the same last-signed is on the disk")
        for path in self.unsynced(self.root + "/log/2026", but=(shown,)):
            self.fault(event, f"the checkpoint is shown while {path} is not synced")


def check_calls_known(events, directory, scratch):
    """The injecting rig must know every call that touches the log's files."""
    used = {event.name for event in events
            if any(directory in argument for argument in event.arguments)} - {"execve", "mmap", "fcntl"}
    report = scratch / "report"
    other = scratch / "other"
    other.mkdir()
    status, out, _ = rig.run([rig.INJECT, other, report, "--", rig.CYCLE, "write", other, STEPS])
    if status == 77:
        print("not compared with what the injecting rig knows: " + out.strip())
        return
    known = {line.split()[1] for line in report.read_text(encoding="utf-8").splitlines()}
    if used - known:
        raise rig.Defect(f"faults.py does not know these calls: {sorted(used - known)}")
    print(f"calls that touch the log, all of them known to faults.py: {' '.join(sorted(used))}")


def main():
    broken = sys.argv[2] if sys.argv[1:2] == ["--broken"] else None
    if not shutil.which("strace"):
        rig.skip("strace is not installed")
    with rig.folder("oversight-trace-", fast=False) as folder:
        scratch = pathlib.Path(folder)
        directory = scratch / "d"
        directory.mkdir()
        program = [rig.BROKEN, "write", directory, STEPS, "3600000", broken] if broken else \
            [rig.CYCLE, "write", directory, STEPS]
        status, out, err = rig.run(["strace", "-f", "-y", "-xx", "-s", "128", "-e", TRACED, "-e", "signal=none",
                                    "-o", scratch / "trace", *program])
        if "ptrace" in err and "closed" not in out:
            rig.skip("strace may not trace here: " + err.strip().splitlines()[-1])
        if status != rig.GOOD and not broken:
            raise rig.Defect(f"status {status}: {err}")
        events = list(read_trace(scratch / "trace"))
        order = Order(str(directory))
        for event in events:
            order.take(event)
        if not broken:
            check_calls_known(events, str(directory), scratch)
    print(f"{len(events)} calls, {len(order.groups)} groups, {len(order.slots)} commit slots, "
          + ", ".join(f"{count} {what}" for what, count in sorted(order.counts.items())))
    for fault in order.faults[:8]:
        print("  " + fault)
    if broken:
        print(f"{broken}: {len(order.faults)} faults noticed")
        return 0 if order.faults else 1
    enough = order.counts["acknowledgements"] == out.count("ack ") > 400 and order.counts["checkpoints"] > 5 \
        and order.counts["segments retired"] == 1
    if not enough:
        raise rig.Defect("the trace holds less than the program did")
    return 1 if order.faults else 0


if __name__ == "__main__":
    sys.exit(main())
