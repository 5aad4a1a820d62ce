#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pruning as an operator does it: feed, seal, retire, prune; the log verifies, the daemon goes on, proofs stay."""
import json
import shutil
import sys

from port import PATIENCE, Failure, Port, must, wait_for


def seal(port):
    before = port.health()["sealed"]
    port.ctl("archive", "seal")
    wait_for(lambda: port.health()["sealed"] > before, "no archive file was sealed")
    port.await_judged()


def fill(port, seed, count=700):
    """700: enough for the segment to end."""
    port.feed("sim", "--count", str(count), "--seed", str(seed), "--modes", "mail,truck", "--scale", "0.1", "--mail-scale",
              "0.2", stream=f"s{seed}")
    port.await_judged()


def oldest_segment(port):
    return min(int("".join(filter(str.isdigit, path.name))) for path in (port.store / "wal").glob("*.wal"))


def bundles(shard):
    return sorted(path.name for path in (shard / "tile" / "entries").rglob("*") if path.is_file() and path.name.isdigit()
                  and path.parent.suffix != ".p")


def prune(port, below, *words, check=True, reason="kept as long as the rule says"):
    return port.ctl("log", "prune", "--below", str(below), "--reason", reason, *words, check=check)


def refusals(port):
    sealed = port.health()["sealed"]
    done = prune(port, 512, check=False)
    must(done.returncode != 0 and "--yes" in done.stderr, f"went without --yes: {done}")
    done = prune(port, port.health()["log_entries"], "--yes", check=False)
    must(done.returncode != 0 and f"entry {sealed}" in done.stderr + done.stdout or "segment" in done.stderr,
         f"what is not sealed: {done}")
    done = prune(port, 100, "--yes", check=False)
    must(done.returncode != 0 and "no whole bundle" in done.stderr, f"less than a bundle: {done}")
    done = prune(port, 512, "--yes", check=False, reason="")
    must(done.returncode != 0 and "reason" in done.stderr, f"without a reason: {done}")


def private_part(port, pruned):
    """What is kept of a pruned entry privately can still be shown and, when asked, deleted for good."""
    first, second = (entry["n"] for entry in pruned[:2])
    done = port.ctl("reveal", "--entry", str(first), "--actor", "officer", "--purpose", "a question")
    must("whose entry was pruned" in done.stdout, done.stdout)
    port.ctl("redact", "--entry", str(first), "--actor", "officer", "--legal-basis", "a request", "--yes")
    done = port.ctl("reveal", "--entry", str(first), "--actor", "officer", "--purpose", "a question", check=False)
    must(done.returncode != 0, f"shown after the redaction: {done}")
    wait_for(lambda: f"entry={first} " in port.daemon_log(), "the keeper did not take it off the disk")
    port.ctl("reveal", "--entry", str(second), "--actor", "officer", "--purpose", "a question")


def main():
    with Port(oversight__keep_days=0.0, oversight__segment_mib=1) as port:
        port.start()
        fill(port, 1)
        shard = next((port.store / "log").glob("*/checkpoint")).parent
        done = prune(port, 512, "--yes", check=False)
        must(done.returncode != 0 and "entry 0 is in no sealed archive file" in done.stderr, f"nothing is sealed: {done}")
        seal(port)
        fill(port, 2)
        seal(port)
        wait_for(lambda: prune(port, 520, "--dry-run", check=False).returncode == 0, "nothing was retired")
        before = bundles(shard)
        pruned = [entry for entry in port.entries("declaration.received") if 256 <= int(entry["n"]) < 512]
        pruned_entry = port.ctl("log", "cat", "--json", "--from", "300", "--to", "300").stdout
        copy = port.directory / "copy"
        shutil.copytree(shard, copy)
        refusals(port)
        must(bundles(shard) == before and not (shard / "minimum").exists(), "a dry run or a refusal pruned")
        prune(port, 520, "--yes")
        wait_for(lambda: bundles(shard) == before[:1] + before[2:], "the bundle did not go")
        must((shard / "minimum").read_text() == "512\n", "minimum")
        must((shard / "tile" / "0" / "001").read_bytes() == (copy / "tile" / "0" / "001").read_bytes(), "a hash tile changed")
        told = port.entries("blob.discard")[-1]
        must("pruned below 520: kept as long" in json.dumps(told), f"{told}")
        done = port.ctl("log", "cat")
        must("before 512 were pruned" in done.stderr, f"cat: {done.stderr}")
        must(not any(line.split()[0] == "300" for line in done.stdout.splitlines()), "cat shows a pruned entry")
        # proofs
        done = port.ctl("receipt", "300", "--out", "-", check=False)
        must(done.returncode != 0 and "pruned" in done.stderr and "--bare" in done.stderr, f"receipt: {done}")
        receipt = port.directory / "bare.tlog-proof"
        port.ctl("receipt", "300", "--bare", "--out", receipt)
        must(json.loads(pruned_entry)["n"] == "300" or json.loads(pruned_entry)["n"] == 300, "entry 300")
        private_part(port, pruned)
        verdict = port.verify()
        must(verdict["good"] is True and verdict["logs"][0]["pruned"] == 256, f"{verdict}")
        # the daemon goes on, over a restart and a kill
        fill(port, 3, count=100)
        port.stop()
        port.start()
        fill(port, 4, count=100)
        port.kill()
        port.start()
        port.await_judged()
        must(port.verify()["good"] is True, "after a restart")
        # a minimum that is there and a bundle that a stop left: the next start removes it
        port.stop()
        shutil.copy(copy / "tile" / "entries" / "001", shard / "tile" / "entries" / "001")
        port.start()
        wait_for(lambda: "001" not in bundles(shard), "a leftover stays")
        port.stop()
        rebuild(port, copy, shard)


def rebuild(port, copy, shard):
    """From entry 0 only with the bundles restored; the daemon says so."""
    for path in port.store.glob("state.db*"):
        path.rename(path.with_suffix(path.suffix + ".kept"))
    port.start(wait=False)
    code = port.daemon.wait(PATIENCE)
    must(code != 0 and "restore its bundle" in port.daemon_log(), f"exit {code}: {port.daemon_log()[-2000:]}")
    for path in port.store.glob("state.db*"):
        if path.suffix != ".kept":
            path.unlink()
    (shard / "minimum").unlink()
    shutil.copy(copy / "tile" / "entries" / "001", shard / "tile" / "entries" / "001")
    port.start()
    port.await_judged()
    must(port.verify()["good"] is True, "after the bundle was restored")
    port.stop()


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
    print("good")
