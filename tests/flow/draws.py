#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Flow test of the random arm's days: keys that nobody can know, the turn of the day, days without items, a daemon that was
away or killed at midnight, each checked by `triagectl verify-day` from a copy of log/ alone."""
import base64
import hashlib
import json
import os
import random
import shutil
import stat
import sys
import time

from port import BIN, BUILD, PATIENCE, Failure, Port, must, run

SHIFTED = BUILD / "tests" / "triaged_shifted"
DAY = 86400


class DrawPort(Port):
    """A port whose clock is shifted; local time is one with the most daylight saving that there is."""

    seconds = 0

    def start(self, wait=True, prefix=(), program=SHIFTED):
        os.environ["TRIAGED_TEST_SECONDS"] = str(self.seconds)
        os.environ["TZ"] = "Antarctica/Troll"
        super().start(wait=wait, prefix=prefix, program=program)

    def day(self, days=0):
        return time.strftime("%Y-%m-%d", time.gmtime(time.time() + self.seconds + DAY * days))

    def to(self, seconds_before_midnight):
        """The clock stands so long before the next midnight."""
        now = time.time() + self.seconds
        self.seconds += int(DAY - now % DAY - seconds_before_midnight)

    def declare(self, count, seed, stream):
        summary = self.feed("sim", "--count", str(count), "--seed", str(int(seed)), "--modes", "mail", "--scale", "0.1",
                            stream=stream)
        must(summary["refused"] == 0 and summary["waiting"] == 0, f"not everything was taken: {summary}")

    def await_entry(self, kind, day):
        self.await_that(lambda: any(entry["day"] == day for entry in self.entries(kind)), f"no {kind} of {day}")

    def verify_day(self, day):
        """By an outsider: nothing but a copy of log/."""
        self.ctl("log", "publish")
        copy = self.directory / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.store / "log", copy / "log")
        done = run(BIN / "triagectl", "verify-day", day, "--log", copy, "--json", check=False)
        must(done.stdout, f"verify-day said nothing: {done.stderr}")
        told = json.loads(done.stdout)
        must((done.returncode == 0) == told["good"], f"exit {done.returncode}: {told}")
        must(told["problems_count"] == 0, f"{done.stderr}")
        return told


def expect_secret(port):
    """The key of a day that is not over lies in its sealed file and nowhere else in the store."""
    directory = port.store / "draw"
    must(stat.S_IMODE(directory.stat().st_mode) == 0o700, "draw/ is not closed")
    needles = {}
    for day in (port.day(), port.day(1)):
        file = directory / f"{day}.key"
        must(stat.S_IMODE(file.stat().st_mode) == 0o600, f"{file} is not closed")
        key = bytes.fromhex(file.read_text().strip())
        must(len(key) == 32, f"{file}")
        needles[day] = (key, key.hex().encode(), key.hex().upper().encode(), base64.b64encode(key).rstrip(b"="))
        commit = [entry for entry in port.entries("draw.commit") if entry["day"] == day]
        must(commit and all(hashlib.sha256(key).hexdigest() in json.dumps(entry) for entry in commit),
             f"{day}: the commitment is not that of the key: {commit}")
    looked = 0
    for file in port.store.rglob("*"):
        if not file.is_file() or directory in file.parents:
            continue
        content = file.read_bytes()
        looked += 1
        for day, forms in needles.items():
            must(not any(form in content for form in forms), f"{file} holds the key of {day}")
    must(looked > 10, "hardly a file was looked at")
    must(not any(entry["day"] in needles for entry in port.entries("draw.reveal")), "a key was revealed too early")
    must(any(forms[1] in (directory / f"{day}.key").read_bytes() for day, forms in needles.items()), "the search finds nothing")


def case_days():
    with DrawPort() as port:
        first = port.day()
        port.start()
        port.declare(120, 5, "one")
        port.await_judged()
        expect_secret(port)
        told = port.verify_day(first)
        must(not told["good"] and not told["revealed"] and told["items"] > 0, f"{told}")
        keys = {file.name: file.read_text() for file in (port.store / "draw").iterdir()}
        port.kill()
        port.start()  # the same day, the same keys
        must(keys == {file.name: file.read_text() for file in (port.store / "draw").iterdir()}, "the dice were rolled again")
        port.kill()
        planted = port.store / "draw" / f"{port.day(2)}.key"  # as a stop leaves it between the key and its commitment
        planted.write_text("5c" * 32 + "\n")
        planted.chmod(0o600)
        port.seconds += DAY  # away over midnight: the day was committed before all the same
        port.start()
        second = port.day()
        must(planted.read_text() == "5c" * 32 + "\n", "a key without its commitment was replaced")
        expect_secret(port)
        told = port.verify_day(first)
        must(told["good"] and told["covered"] and told["made_again"] == told["items"] > 0, f"{told}")
        port.stop()
        port.seconds += DAY  # nothing was drawn on the second day
        port.start()
        told = port.verify_day(second)
        must(told["good"] and told["items"] == 0 and told["covered"], f"{told}")
        commits = [entry for entry in port.entries("draw.commit") if entry["day"] == second]
        must(commits[0]["t"][:10] == first, f"the key of {second} was committed on {commits[0]['t']}")
        third = port.day()
        port.declare(60, 6, "three")
        port.await_judged()
        port.stop()
        port.seconds += 5 * DAY  # the reveal is late, and comes
        port.start()
        told = port.verify_day(third)
        must(told["good"] and told["items"] > 0 and told["known_before"] == 0, f"{told}")
        must(port.metrics()["triaged_draw_days_late_total"] == 1, f"{port.metrics()}")
        must(port.health()["draw_overdue"] is False, f"{port.health()}")
        verdict = port.verify()
        must(verdict["good"], f"{verdict}")
        port.stop()
        (port.store / "draw" / f"{port.day(1)}.key").unlink()
        port.start(wait=False)
        must(port.daemon.wait(PATIENCE) != 0, "a lost key was replaced")
        must("key of a committed draw day is lost" in port.daemon_log(), port.daemon_log()[-500:])


def case_midnight():
    """The day turns under a running daemon that is fed; and under one that is killed at it."""
    chance = random.Random(int(os.environ.get("TRIAGED_SEED", "7")))
    with DrawPort() as port:
        for lead in (2.5, 10, 40, 120):  # what a slow machine needs to start and to take something in before midnight
            port.to(lead)
            before, after = port.day(), port.day(1)
            port.start()
            port.declare(60, lead, f"before-{lead}".replace(".", "-"))
            port.await_judged()
            if any(row[0] == before for row in port.state("SELECT draw_day FROM decisions")):
                break
            port.stop()
        port.await_entry("draw.reveal", before)
        port.declare(60, 6, "after")
        port.await_judged()
        told = port.verify_day(before)
        must(told["good"] and told["made_again"] == told["items"] > 0, f"{told}")
        days = {row[0] for row in port.state("SELECT draw_day FROM decisions")}
        must({before, after} <= days, f"{days}")
        port.stop()
        for turn in range(int(os.environ.get("TRIAGED_KILLS", "3"))):
            port.to(1)
            over = port.day()
            port.start(wait=False)
            time.sleep(max(0, DAY - (time.time() + port.seconds) % DAY) + chance.uniform(-0.02, 0.06))
            port.kill()
            port.start()
            port.await_entry("draw.reveal", over)
            told = port.verify_day(over)
            must(told["good"], f"killed at the turn {turn}: {told}")
            port.stop()
        verdict = port.verify()
        must(verdict["good"], f"{verdict}")


if __name__ == "__main__":
    cases = {"days": case_days, "midnight": case_midnight}
    if len(sys.argv) != 2 or sys.argv[1] not in cases:
        sys.exit(f"usage: draws.py {'|'.join(cases)}")
    try:
        cases[sys.argv[1]]()
    except Failure as failure:
        sys.exit(str(failure))
