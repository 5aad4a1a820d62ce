#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Power cuts: the log lies on an ext4 image on a loop device, EXT4_IOC_SHUTDOWN takes away whatever was not forced to
it, the image is mounted again, and the ledger, which was kept elsewhere, must be found in the log.

usage: power.py [--cycles N] [--seed N] [--broken NAME]    with NAME: status 0 when the broken build is noticed

What it does not show: a group torn in the middle (one write goes to the device as a whole or not at all) and a name
without its file (ext4 keeps them together). For these there are test_wal_recover.c and trace.py.

Needs root, loop devices and a private mount namespace; says SKIP otherwise. The mount lives in that namespace and the
loop device clears itself with the mount, so nothing stays behind however this ends.
"""
import argparse
import collections
import fcntl
import os
import pathlib
import random
import select
import shutil
import signal
import struct
import subprocess
import sys
import time

import rig

EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
FLUSH_ALL, FLUSH_JOURNAL, FLUSH_NOTHING = 0, 1, 2
# What is written, and at most how many acknowledgements of it; few large ones, as the whole log is read every time.
STEPS = [("ssgsp*", 250), ("snsssp*", 60), ("sssss*", 60), ("sgs*", 250), ("sssp*", 40), ("ssspb*", 12),
         ("ssgpnsr*", 300)]
IMAGE_BYTES = 1 << 30  # sparse


class Disk:
    def __init__(self, folder):
        image, self.mount = pathlib.Path(folder) / "image", pathlib.Path(folder) / "mnt"
        self.mount.mkdir()
        self.file = open(image, "w+b")  # pylint: disable=consider-using-with
        self.file.truncate(IMAGE_BYTES)
        self.call("mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=4", image)
        image.unlink()  # so that it ends with us, too
        self.image = f"/proc/{os.getpid()}/fd/{self.file.fileno()}"

    @staticmethod
    def call(*command):
        status, out, err = rig.run(command)
        if status != 0:
            raise rig.Defect(f"{command[0]}: {(out + err).strip()}")

    def attach(self):
        status, out, err = rig.run(["mount", "-t", "ext4", "-o", "loop,noatime", self.image, self.mount])
        if status != 0:
            rig.skip("a loop device cannot be mounted here: " + (out + err).strip())

    def cut(self, flag):
        """From here on nothing reaches the image any more."""
        descriptor = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", flag))
        except OSError as error:
            rig.skip(f"EXT4_IOC_SHUTDOWN: {error}")
        finally:
            os.close(descriptor)

    def detach(self, *options):
        if os.path.ismount(self.mount):
            self.call("umount", *options, self.mount)


class Ledger:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.write_text("", encoding="ascii")
        self.acks = 0
        self.packs = 0

    def add(self, lines):
        with open(self.path, "a", encoding="ascii") as file:
            file.write(lines)
        self.acks += lines.count("ack ")


def read_acks(child, wanted, seconds):
    """What the program says until it said so many acknowledgements, or the time is over."""
    taken = b""
    deadline = time.monotonic() + seconds
    while taken.count(b"ack ") < wanted:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
            break
        some = os.read(child.stdout.fileno(), 65536)
        if not some:
            break
        taken += some
    return taken


def write_until_cut(disk, directory, program, flag, acks_wanted, seconds_wanted):
    """Runs the program, cuts the power after so many acknowledgements or so long, returns what it promised."""
    with subprocess.Popen([str(part) for part in program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        try:
            taken = read_acks(child, acks_wanted, seconds_wanted)
            seen = rig.outsider(directory)
            disk.cut(flag)
            rest, _ = child.communicate(timeout=rig.SECONDS_MAX)
        except subprocess.TimeoutExpired as error:
            raise rig.Defect("the program did not end after the power cut") from error
        finally:
            child.kill()  # it is dead already unless something else went wrong
    lines = (taken + rest).decode("ascii")
    rig.check_no_ack_after_failure(lines)
    if child.returncode != rig.REFUSED:
        raise rig.Defect(f"status {child.returncode} after a power cut")
    return rig.promises(lines) + seen


class Rig:
    def __init__(self, folder, seed, broken):
        self.random = random.Random(seed)
        self.folder = pathlib.Path(folder)
        self.disk = Disk(folder)
        self.broken = broken
        self.logs = 0
        self.tally = collections.Counter()

    def new_log(self):
        self.logs += 1
        return f"log-{self.logs}", Ledger(self.folder / f"ledger-{self.logs}")

    def cycle(self, name, ledger, early, last):
        """Mount, write, cut, mount, check; after the last cycle of a log a stranger's check, and it goes."""
        self.disk.attach()
        directory = self.disk.mount / name
        directory.mkdir(exist_ok=True)
        self.disk.call("sync", "-f", directory)  # the folder itself is not the log's business
        steps, acks_max = self.random.choice(STEPS)
        program = [rig.BROKEN if self.broken else rig.CYCLE, "write", directory, steps,
                   self.random.choice(["1", "5", "3600000"]), *([self.broken] if self.broken else [])]
        flag = self.random.choice([FLUSH_NOTHING] * 6 + [FLUSH_JOURNAL, FLUSH_ALL])
        acks = acks_max if early else self.random.randint(1, acks_max)
        seconds = self.random.uniform(0, 0.03) if early else 10
        ledger.add(write_until_cut(self.disk, directory, program, flag, acks, seconds))
        self.disk.detach()
        self.disk.attach()
        status, out, err = rig.run([rig.CYCLE, "recover", directory, ledger.path])
        if status != rig.GOOD:
            raise rig.Defect(f"{name}, flag {flag}: recover ended with {status}: {(out + err).strip()[-200:]}")
        self.tally["torn tails"] += sum(1 for line in out.splitlines()
                                        if line.startswith("opened ") and line.split()[2] != "0")
        ledger.add(rig.promises(out))
        if last or self.random.random() < 0.1:
            rig.check_verify(directory)
        self.tally["segments retired"] += len(list(directory.glob("packs/*.pack"))) - ledger.packs
        ledger.packs = len(list(directory.glob("packs/*.pack")))
        if last:
            self.tally["acknowledged"] += ledger.acks
            shutil.rmtree(directory)
        self.disk.detach()
        self.tally[f"flag {flag}"] += 1

    def campaign(self, cycles):
        """Most cuts hit one log that grows, up to 200 times; every eighth a new one, in its first moments."""
        for number in range(cycles):
            if number % 200 == 0:
                name, ledger = self.new_log()
            if number % 8 == 7 and number + 1 < cycles and number % 200 != 199:
                self.cycle(*self.new_log(), early=True, last=True)
            else:
                self.cycle(name, ledger, early=number % 8 == 3, last=number % 200 == 199 or number + 1 == cycles)


def campaign_broken(machine, cycles):
    for number in range(cycles):
        name, ledger = machine.new_log()
        try:
            machine.cycle(name, ledger, early=False, last=True)
        except rig.Defect as defect:
            print(f"{machine.broken}: noticed in cycle {number + 1}: {defect}")
            return 0
        finally:
            machine.disk.detach()
    print(f"{machine.broken}: not noticed in {cycles} power cuts")
    return 1


def terminate(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: what follows cleans up
    sys.exit(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--broken")
    options = parser.parse_args()
    rig.enter_namespace("mkfs.ext4", "mount", "umount")
    if not os.path.exists("/dev/loop-control"):
        rig.skip("the kernel has no loop devices")
    signal.signal(signal.SIGTERM, terminate)
    began = time.monotonic()
    with rig.folder("oversight-power-") as folder:
        machine = Rig(folder, options.seed, options.broken)
        try:
            if options.broken:
                return campaign_broken(machine, options.cycles)
            machine.campaign(options.cycles)
        except rig.Defect as defect:
            print(f"DEFECT in a run with --seed {options.seed}: {defect}")
            return 1
        finally:
            machine.disk.detach("--lazy")  # whoever still holds it
    print(f"{options.cycles} power cuts, {machine.logs} logs, nothing acknowledged was lost; "
          + ", ".join(f"{what} {count}" for what, count in sorted(machine.tally.items()))
          + f"; {time.monotonic() - began:.0f} s, --seed {options.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
