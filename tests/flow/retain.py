#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Second copies of sealed files and the discarding of payloads, with a real daemon. usage: retain.py life"""
import hashlib
import json
import os
import pathlib
import shutil
import sys
import time

from port import BIN, Failure, Port, must, run


def wait_for(what, words, timeout=60):
    end = time.monotonic() + timeout
    while not what():
        must(time.monotonic() < end, words() if callable(words) else words)
        time.sleep(0.02)


def seal(port):
    """Everything that is in the log now."""
    before = port.health()["log_entries"]

    def sealed():
        port.ctl("archive", "seal", check=False)
        return port.health()["sealed"] >= before
    wait_for(sealed, "no archive file was sealed")
    port.await_judged()


def blobs(port):
    return {path.name for path in (port.store / "blobs" / "sha256").rglob("*") if path.is_file()}


def place(port):
    return port.directory / "second"


def retaining(**more):
    settings = {"archive__copy": "../second", "archive__copy_same_device": True, "retention__discard": True,
                "retention__days": 0.0, "retention__found_days": 0.0, "retention__interval_s": 0.2}
    settings.update({key: value for key, value in more.items() if value is not None})
    return Port(**settings)


def feed(port, first=0, count=4, stream="one"):
    port.feed("sim", "--first", first, "--count", count, "--scale", "0.1", "--modes", "truck", "--scans-only", "--quiet",
              stream=stream)
    port.await_judged()


def life():
    with retaining() as port:
        place(port).mkdir()
        port.start()
        feed(port)
        time.sleep(1)
        print(len(blobs(port)), port.health()["copies"])
        seal(port)
        time.sleep(3)
        print(port.daemon_log())
        print(len(blobs(port)), port.health())
        print([(e["n"], e["type"]) for e in port.entries()])
        print(port.ctl("queue", check=False).stdout)


if __name__ == "__main__":
    try:
        {"life": life}[sys.argv[1]]()
    except Failure as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
