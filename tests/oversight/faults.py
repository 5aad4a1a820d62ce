#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every file system call of a life of the oversight log goes wrong once, in every way that fits it; then restart, and
what was acknowledged must be there byte for byte.

usage: faults.py [CAMPAIGN...]    life, start-after-death, start-with-a-torn-tail, retirement; all when none is named
       faults.py --broken NAME    the build that is broken on purpose; status 0 when that is noticed
"""
import collections
import concurrent.futures
import itertools
import os
import pathlib
import shutil
import sys
import time

import rig

# Two segments, a full tile and partial ones, groups with and without private records, publications between them.
STEPS = "spgpnbpbpbgps"
EIO, EINTR, ENOSPC, EROFS = "5", "4", "28", "30"
NAMES = {EIO: "EIO", EINTR: "EINTR", ENOSPC: "ENOSPC", EROFS: "EROFS"}
# Which faults fit which call; every call gets EIO and SIGKILL.
FITTING = {
    "pwrite64": [ENOSPC, EINTR, "short", "lie"],
    "pread64": [EINTR, "short"],
    "fdatasync": [ENOSPC], "fsync": [ENOSPC],
    "mkdir": [ENOSPC, EROFS], "mkdirat": [ENOSPC, EROFS],
    "rename": [ENOSPC, EROFS], "renameat2": [ENOSPC, EROFS],
    "unlink": [EROFS], "unlinkat": [EROFS], "rmdir": [EROFS],
}
CREATING = [ENOSPC, EROFS]  # an openat of a name that ends in .tmp

def may_go_on(call, file):
    """Errors that need not stop the log, because no promise hangs on them: a close behind a sync, the seek of
    rewinddir(), and the next segment being prepared, which stops the log when it is wanted. All others must."""
    return call in ("close", "lseek") or file == "./wal/spare.tmp"



def read_report(path):
    """[(thread, call, number, file)] in the order of the calls, and which one was hit."""
    made, hit = [], None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line == "stuck":
            raise rig.Defect("the program did not end")
        words = line.removeprefix("hit ").split(" ", 3)
        made.append((words[0], words[1], int(words[2]), words[3]))
        if line.startswith("hit "):
            hit = made[-1]
    return made, hit


def faults_for(call, file, broken):
    yield EIO
    if broken:
        return
    yield "kill"
    yield from FITTING.get(call, [])
    if call in ("openat", "open") and file.endswith(".tmp"):
        yield from CREATING


def judge_status(chosen, fault, status, out, err):
    """What became of the program; a Defect when it should not have."""
    rig.check_no_ack_after_failure(out)
    if fault == "kill":
        if status != 128 + 9:
            raise rig.Defect(f"status {status} instead of death")
        return "killed"
    if status == rig.REFUSED and "failed " in out:
        if fault in (EINTR, "short"):
            raise rig.Defect("stopped by what is no error: " + out.strip().splitlines()[-1])
        return "stopped"
    if status != rig.GOOD:
        raise rig.Defect(f"status {status}")
    if fault in (EINTR, "short", "lie"):
        return "went on"
    if "event=halt" in err:
        return "told of while closing"
    if not may_go_on(chosen[1], chosen[3]):
        raise rig.Defect("the error was ignored")
    return "forgiven"


def judge_files(fault, directory, ledger):
    """Restart without a fault. A lie of the kernel cannot be made good, but must be found: never a silent loss.
    (A slot that was never written hides its group from readers until the start finds the group.)"""
    if fault != "lie":
        rig.check_recovery(directory, ledger)
        return ""
    if rig.run([rig.CYCLE, "open", directory])[0] == rig.REFUSED:
        return ", found at the start"
    status, out, err = rig.run([rig.CYCLE, "recover", directory, ledger])
    if status == rig.REFUSED:
        return ", found at the start"
    if status != rig.GOOD:
        raise rig.Defect(f"silent loss: {(out + err).strip().splitlines()[-1]}")
    status, _, _ = rig.run([rig.VERIFY, "--quiet", directory])
    return ", found by triage-verify" if status == 1 else ", nothing was lost"


class Campaign:
    """One program, every call of it, every fault that fits."""

    def __init__(self, name, scratch, program, start, promised="", broken=False):
        self.name, self.scratch, self.program = name, pathlib.Path(scratch), program
        self.start, self.promised = start, promised  # a folder to begin with, and what it promised
        self.broken = broken  # then failing writes are enough
        self.numbers = itertools.count()
        self.tally = collections.Counter()
        self.missed = []
        self.defects = []

    def run_once(self, chosen, fault):
        place = self.scratch / f"{self.name}-{next(self.numbers)}"
        try:
            return self.run_in(place, chosen, fault)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def run_in(self, place, chosen, fault):
        directory, report, ledger = place / "d", place / "report", place / "ledger"
        place.mkdir()
        if self.start:
            shutil.copytree(self.start, directory)
        else:
            directory.mkdir()
        aim = [chosen[0], chosen[1], chosen[2], fault] if chosen else []
        status, out, err = rig.run([rig.INJECT, directory, report, *aim, "--", *self.program(directory)])
        if status == 77:
            rig.skip(out.strip().removeprefix("SKIP: "))
        made, hit = read_report(report)
        if chosen is None:
            if status != rig.GOOD:
                raise rig.Defect(f"without a fault: status {status}: {out[-200:]} {err[-200:]}")
            return made
        ledger.write_text(self.promised + rig.promises(out) + self.seen(directory, fault), encoding="ascii")
        if hit is None:
            rig.check_recovery(directory, ledger)
            return None
        outcome = judge_status(chosen, fault, status, out, err)
        return outcome + judge_files(fault, directory, ledger)

    @staticmethod
    def seen(directory, fault):
        try:
            return rig.outsider(directory)
        except rig.Defect:
            if fault != "lie":  # then even a checkpoint may be empty, and triage-verify says so
                raise
            return ""

    def attempt(self, chosen, fault):
        thread, call, number, file = chosen
        what = f"{self.name}: {thread} {call} {number} ({file}) {NAMES.get(fault, fault)}"
        try:
            for _ in range(3):  # the threads may meet in another order than the first time
                outcome = self.run_once(chosen, fault)
                if outcome is not None:
                    self.tally[(call, NAMES.get(fault, fault), outcome)] += 1
                    return
            self.missed.append(what)
        except rig.Defect as defect:
            self.defects.append(f"{what}: {defect}")

    def run(self):
        began = time.monotonic()
        made = self.run_once(None, None)
        chances = [(chosen, fault) for chosen in made if chosen[1] == "pwrite64" or not self.broken
                   for fault in faults_for(chosen[1], chosen[3], self.broken)]
        with concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            list(pool.map(lambda chance: self.attempt(*chance), chances))
        self.tell(len(made), len(chances), time.monotonic() - began)

    def tell(self, calls, chances, seconds):
        print(f"{self.name}: {calls} file system calls, {chances} runs, {seconds:.0f} s")
        grouped = collections.defaultdict(list)
        for (call, fault, outcome), count in sorted(self.tally.items()):
            grouped[call].append(f"{fault} {count} {outcome}")
        for call, parts in sorted(grouped.items()):
            print(f"  {call:<12} " + "; ".join(parts))
        for what in self.missed:
            print(f"  not reached again: {what}")
        for defect in self.defects[:20]:
            print(f"  DEFECT {defect}")
        if len(self.missed) * 50 > chances:
            raise rig.Defect(f"{len(self.missed)} of {chances} calls were not reached")


def make_start(scratch, name, torn, program=(rig.CYCLE, "write"), tail=()):
    """A log whose writer died between a group and its commit slot; with torn, before all of the group was there."""
    place = pathlib.Path(scratch) / name
    directory = place / "d"
    directory.mkdir(parents=True)
    program = [*program, directory, "spgpnbpbp", *tail]
    rig.run([rig.INJECT, directory, place / "report", "--", *program])
    made, _ = read_report(place / "report")
    slots = [entry for entry in made if entry[:2] == ("commit", "pwrite64") and entry[3] == "./wal/commit.idx"]
    shutil.rmtree(directory)
    directory.mkdir()
    status, out, _ = rig.run([rig.INJECT, directory, place / "report", "commit", "pwrite64", slots[-1][2], "kill",
                              "--", *program])
    if status != 128 + 9:
        raise rig.Defect(f"{name}: the writer did not die: {status}")
    if torn:
        segment = sorted((directory / "wal").glob("*.seg"))[-1]
        end = len(segment.read_bytes().rstrip(b"\0"))
        with open(segment, "r+b") as file:
            file.seek(end - 200000)
            file.write(bytes(100000))
    return directory, rig.promises(out) + rig.outsider(directory)


def make_segments(scratch):
    """A closed log whose first segment holds few entries, which a full bundle holds too: it can be retired."""
    directory = pathlib.Path(scratch) / "segments"
    directory.mkdir()
    status, out, _ = rig.run([rig.CYCLE, "write", directory, "sbbbggp"])
    if status != rig.GOOD:
        raise rig.Defect(f"segments: status {status}")
    return directory, rig.promises(out) + rig.outsider(directory)


def make_campaigns(scratch, broken):
    program = [rig.BROKEN if broken else rig.CYCLE, "write"]
    tail = ["3600000", broken] if broken else []
    yield Campaign("life", scratch, lambda directory: [*program, directory, STEPS, *tail], None, broken=bool(broken))
    if not broken:
        for name, start, steps in (("start-after-death", make_start(scratch, "death", False), "sp"),
                                   ("start-with-a-torn-tail", make_start(scratch, "torn", True), "sp"),
                                   ("retirement", make_segments(scratch), "rs")):
            yield Campaign(name, scratch, lambda where, steps=steps: [*program, where, steps], *start)


def main():
    broken = sys.argv[2] if sys.argv[1:2] == ["--broken"] else None
    with rig.folder("oversight-faults-") as scratch:
        campaigns = list(make_campaigns(scratch, broken))
        for campaign in campaigns:
            if campaign.name in (sys.argv[1:] or [campaign.name]) or broken:
                campaign.run()
    if not any(campaign.tally or campaign.defects for campaign in campaigns):
        raise rig.Defect("nothing was tried")
    defects = sum(len(campaign.defects) for campaign in campaigns)
    if broken:
        print(f"{broken}: {defects} runs noticed")
        return 0 if defects else 1
    print(f"{sum(sum(campaign.tally.values()) for campaign in campaigns)} injections, {defects} defects")
    return 1 if defects else 0


if __name__ == "__main__":
    sys.exit(main())
