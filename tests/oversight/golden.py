#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Logs that were written by the first release of each format version: every later version reads them, entry for entry,
goes on with them, and what comes of it verifies. Files in golden/ are never changed, only added to.

usage: golden.py                check all of them
       golden.py --make VERSION  write new ones, named after the version; refuses to replace any
"""
import pathlib
import subprocess
import sys
import tarfile

import faults
import rig

STEPS = "spgpnbpbpbgps"
GOLDEN = pathlib.Path(__file__).parent / "golden"
KINDS = {"closed": "two segments, a full tile and partial ones", "unanswered": "a whole group without a slot",
         "torn": "a torn tail"}


OLD = ["3600000", "clock-old"]  # written at New Year 2026, whenever that is done: a verifier refuses what is to come


def make(version):
    program = [rig.BROKEN, "write"]
    with rig.folder("oversight-golden-") as scratch:
        for kind in KINDS:
            if kind == "closed":
                directory = pathlib.Path(scratch) / "closed"
                directory.mkdir()
                subprocess.run([*program, directory, STEPS, *OLD], check=True, stdout=subprocess.DEVNULL)
            else:
                directory, _ = faults.make_start(scratch, kind, kind == "torn", program, OLD)
            target = GOLDEN / f"{version}-{kind}.tar.gz"
            if target.exists():
                raise rig.Defect(f"{target} is there already, and golden files are never replaced")
            _, listed, _ = rig.run([rig.CYCLE, "list", directory])
            target.with_name(f"{version}-{kind}.ledger").write_text(listed + rig.outsider(directory), encoding="ascii")
            with tarfile.open(target, "w:gz") as archive:
                archive.add(directory / "wal", "wal", filter=plain)
                archive.add(directory / "log", "log", filter=plain)


def plain(member):
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mtime = 1767225600
    return member


def check(archive, folder):
    kind = archive.name.removesuffix(".tar.gz").rsplit("-", 1)[1]
    ledger = archive.with_name(archive.name.replace(".tar.gz", ".ledger"))
    directory = pathlib.Path(folder) / archive.name
    directory.mkdir()
    subprocess.run(["tar", "-C", directory, "-xzf", archive], check=True)
    promised = [line for line in ledger.read_text(encoding="ascii").splitlines() if line.startswith("ack ")]
    _, listed, _ = rig.run([rig.CYCLE, "list", directory])
    if listed.splitlines() != promised:
        raise rig.Defect(f"{archive.name}: a reader sees other entries than were written")
    if kind == "closed":
        rig.check_verify(directory)
    out = rig.check_recovery(directory, ledger)
    opened = next(line.split() for line in out.splitlines() if line.startswith("opened "))
    size, torn = int(opened[1]), int(opened[2])
    if (torn > 0) != (kind == "torn") or (size > len(promised)) != (kind == "unanswered"):
        raise rig.Defect(f"{archive.name}: opened with {size} entries after {len(promised)}, {torn} torn bytes")
    _, listed, _ = rig.run([rig.CYCLE, "list", directory])
    lines = listed.splitlines()
    told = 1 if kind == "torn" else 0  # the wal.recovered entry
    if lines[:len(promised)] != promised or len(lines) != size + told + 1:
        raise rig.Defect(f"{archive.name}: {len(lines)} entries after one more was written to {size}")
    print(f"{archive.name}: {KINDS[kind]}: {len(promised)} entries read, went on to {len(lines)}, verified")


def main():
    if sys.argv[1:2] == ["--make"]:
        make(sys.argv[2])
        return 0
    archives = sorted(GOLDEN.glob("*.tar.gz"))
    if len(archives) < len(KINDS):
        raise rig.Defect(f"only {len(archives)} golden logs in {GOLDEN}")
    with rig.folder("oversight-golden-") as folder:
        for archive in archives:
            check(archive, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
