#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A disk that is full at any moment, and one that is read-only: the log stops, keeps what it promised, and goes on when
there is room again."""
import pathlib
import sys

import rig

STEPS = "sbp*"
SIZES = range(4, 4096, 61)  # KiB of the whole file system; a log with one segment and a spare needs about 2400


def mount(place, options):
    status, out, err = rig.run(["mount", "-t", "tmpfs", "-o", options, "none", place])
    if status != 0:
        rig.skip("a file system in memory cannot be mounted here: " + (out + err).strip())


def full_disk(folder, kib):
    """From nothing until the disk is full; then the same files with room again."""
    place, ledger = pathlib.Path(folder) / f"full-{kib}", pathlib.Path(folder) / f"ledger-{kib}"
    place.mkdir()
    mount(place, f"size={kib}k")
    try:
        status, out, _ = rig.run([rig.CYCLE, "write", place, STEPS])
        if status != rig.REFUSED or "failed DISK_FULL" not in out:
            raise rig.Defect(f"{kib} KiB: status {status}: {out.strip().splitlines()[-1:]}")
        rig.check_no_ack_after_failure(out)
        ledger.write_text(rig.promises(out) + rig.outsider(place), encoding="ascii")
        status, again, _ = rig.run([rig.CYCLE, "write", place, "s"])  # still full: it may or may not find room
        if status not in (rig.GOOD, rig.REFUSED):
            raise rig.Defect(f"{kib} KiB: second start: status {status}")
        with open(ledger, "a", encoding="ascii") as file:
            file.write(rig.promises(again))
        rig.run(["mount", "-o", "remount,size=64m", place])
        rig.check_recovery(place, ledger)
        return out.count("ack ")
    finally:
        rig.run(["umount", place])


def read_only_disk(folder):
    """Readers and verifiers go on; a start says no and changes nothing; then it goes on."""
    place, ledger = pathlib.Path(folder) / "read-only", pathlib.Path(folder) / "ledger"
    place.mkdir()
    mount(place, "size=64m")
    try:
        status, out, _ = rig.run([rig.CYCLE, "write", place, "sgpbpbpbpss"])
        if status != rig.GOOD:
            raise rig.Defect(f"status {status}")
        ledger.write_text(rig.promises(out) + rig.outsider(place), encoding="ascii")
        rig.run(["mount", "-o", "remount,ro", place])
        if rig.run([rig.CYCLE, "check", place, ledger])[0] != rig.GOOD:
            raise rig.Defect("a reader cannot read a read-only log")
        rig.check_verify(place)
        status, out, _ = rig.run([rig.CYCLE, "write", place, "s"])
        if status != rig.REFUSED or "failed IO 30 " not in out:
            raise rig.Defect(f"start on a read-only disk: status {status}: {out}")
        rig.run(["mount", "-o", "remount,rw", place])
        rig.check_recovery(place, ledger)
    finally:
        rig.run(["umount", place])


def main():
    rig.enter_namespace("mount", "umount")
    with rig.folder("oversight-disk-") as folder:
        acked = [full_disk(folder, kib) for kib in SIZES]
        read_only_disk(folder)
    print(f"{len(acked)} full disks of {SIZES[0]} to {SIZES[-1]} KiB, 0 to {max(acked)} entries acknowledged on them, "
          "one read-only disk: nothing lost")
    if acked[0] != 0 or acked[-1] == 0:
        raise rig.Defect("the sizes do not reach from nothing to several segments")
    return 0


if __name__ == "__main__":
    sys.exit(main())
