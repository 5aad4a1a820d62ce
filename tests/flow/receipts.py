#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Receipts as their users have them: an officer keeps one of his act, an outsider checks it with the key alone, on paper too."""
import base64
import hashlib
import json
import shutil
import sys

from port import BIN, Failure, Port, must, run


def check(vkey, *files, entry=None):
    words = ["--entry", entry] if entry else []
    return run(BIN / "triage-verify", "receipt", "--vkey", vkey, "--json", *words, *files, check=False)


def verdicts(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def by_hand(text):
    """The specification's steps with hashlib alone: the root that the receipt's hashes lead to is the checkpoint's."""
    proof, note = text.split("\n\n", 1)
    lines = proof.split("\n")
    must(lines[0] == "c2sp.org/tlog-proof@v1" and lines[1].startswith("extra ") and lines[2].startswith("index "), "form")
    entry, index = base64.b64decode(lines[1][6:]), int(lines[2][6:])
    size, root = int(note.split("\n")[1]), base64.b64decode(note.split("\n")[2])
    digest, last = hashlib.sha256(b"\0" + entry).digest(), size - 1
    for line in lines[3:]:
        other = base64.b64decode(line)
        if index & 1 or index == last:
            digest = hashlib.sha256(b"\1" + other + digest).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            digest = hashlib.sha256(b"\1" + digest + other).digest()
        index, last = index >> 1, last >> 1
    must(digest == root, "the receipt does not lead to the root")


def act_with_receipt(port):
    """An officer's act hands out its own proof at once, though no checkpoint covered it yet."""
    item = port.ctl_json("queue", "--limit", "1")[0]["item"]
    own = port.directory / "claim.tlog-proof"
    port.ctl("claim", item, "--actor", "officer one", "--receipt", own)
    verdict = verdicts(check(vkey_of(port), own))[0]
    must(verdict["good"] and verdict["type"] == "officer.action", f"{verdict}")
    return item


def vkey_of(port):
    return next((port.store / "log").glob("*/vkey"))


def every_entry(port):
    entries = port.entries()
    step = max(1, len(entries) // 25)
    files = []
    for entry in entries[::step] + entries[-1:]:
        file = port.directory / f"{entry['n']}.tlog-proof"
        told = json.loads(port.ctl("receipt", entry["n"], "--out", file, "--json").stdout)
        must(told["entry"] == int(entry["n"]), f"{told}")
        by_hand(file.read_text())
        files.append((file, entry))
    for verdict, (file, entry) in zip(verdicts(check(vkey_of(port), *(file for file, _ in files))), files):
        must(verdict["good"] and verdict["entry"] == int(entry["n"]) and verdict["type"] == entry["type"], f"{verdict}")
    return files[len(files) // 2][0]


def forgeries(port, good):
    """Another key, another entry, a receipt without its entry."""
    other = port.directory / "other"
    key = vkey_of(port).read_text().strip()
    other.write_text(key[:-6] + ("A" if key[-6] != "A" else "B") + key[-5:] + "\n")
    must(check(other, good).returncode == 2, "a mistyped key was taken")
    text = good.read_text()
    entry = port.directory / "entry"
    entry.write_bytes(base64.b64decode(text.split("\n")[1][6:]))
    must(check(vkey_of(port), good, entry=entry).returncode == 0, "its own entry beside it")
    entry.write_bytes(entry.read_bytes() + b"\0")
    must(check(vkey_of(port), good, entry=entry).returncode == 1, "another entry beside it was taken")
    bare = port.directory / "bare.tlog-proof"
    bare.write_text("\n".join(line for line in text.split("\n") if not line.startswith("extra ")))
    must(check(vkey_of(port), bare).returncode == 1, "a receipt without an entry was taken")
    must(check(vkey_of(port), port.directory / "nothing").returncode == 1, "a file that is not there was taken")
    must(run(BIN / "triage-verify", "receipt", good, check=False).returncode == 2, "a receipt vouched for itself")


def on_paper(port, good):
    if shutil.which("zbarimg") is None:
        print("SKIP the QR code: zbar-tools is not installed")
        return
    index = good.name.split(".")[0]
    picture, again = port.directory / "qr.png", port.directory / "again.tlog-proof"
    port.ctl("receipt", index, "--out", again, "--qr", picture)
    read = run("zbarimg", "-q", "--raw", "--nodbus", picture).stdout
    must(read.rstrip("\n") == again.read_text().rstrip("\n"), "the QR code reads otherwise")
    port.ctl("log", "checkpoint", "--qr", picture)
    read = run("zbarimg", "-q", "--raw", "--nodbus", picture).stdout
    checkpoint = next((port.store / "log").glob("*/checkpoint")).read_text()
    must(read.rstrip("\n") == checkpoint.rstrip("\n"), "the checkpoint's QR code reads otherwise")


def main():
    with Port() as port:
        port.start()
        port.train_on_sim()
        port.feed("sim", "--count", "60", "--seed", "7", "--scale", "0.2")
        port.await_judged()
        item = act_with_receipt(port)
        good = every_entry(port)
        port.ctl("receipt", "--item", item, "--out", port.directory / "decision.tlog-proof")
        decision = verdicts(check(vkey_of(port), port.directory / "decision.tlog-proof"))[0]
        must(decision["type"] == "referral.decision", f"{decision}")
        must(port.ctl("receipt", "999999999", check=False).returncode == 1, "a receipt of an entry that is not there")
        forgeries(port, good)
        on_paper(port, good)
        port.stop()
        must(check(vkey_of(port), good).returncode == 0, "needs the daemon")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        print(f"FAIL {failure}")
        sys.exit(1)
    print("receipts: good")
