# SPDX-License-Identifier: Apache-2.0
"""The archiver is killed before every single thing it does to its file, its name and its seal; after a restart no sealed
file is damaged, no part file is left, nothing is missing, no range is sealed twice. Then files are made again from log and
blobs: identical, or it is told what differs. usage: archive.py kill|rebuild"""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

from port import BIN, BUILD, PATIENCE, Port, must

SEED = int(os.environ.get("TRIAGED_SEED", "1"))
WRITES = 12  # of the many writes to the part file, besides the first and the last
PRELOAD = BUILD / "tests" / "libkill_archive.so"


def feed_some(port):
    port.start()
    port.feed("sim", "--count", "8", "--scale", "0.1", "--modes", "truck,mail", "--scans-only", "--quiet")
    port.await_judged()


def parts(port):
    return list((port.store / "archive").rglob("*.part"))


def check(port, where):
    """Everything is sealed once, files are what the seals say, nothing else is there."""
    must(not parts(port), f"{where}: part files {parts(port)}")
    report = port.verify()
    must(not any("archive" in line for line in report.get("warnings", [])), f"{where}: {report.get('warnings')}")
    seals = port.state("SELECT first_index, last_index, path FROM seals ORDER BY entry")
    must(seals and seals[0][0] == 0, f"{where}: first seal {seals[:1]}")
    for one, other in zip(seals, seals[1:]):
        must(other[0] == one[1] + 1, f"{where}: {one} is followed by {other}")
    files = {str(path.relative_to(port.store / "archive")) for path in (port.store / "archive").rglob("*.h5")}
    must(files == {path for _, _, path in seals}, f"{where}: files {files} and seals {seals}")
    must(port.ctl("archive", "verify").returncode == 0, f"{where}: archive verify")


def restore(port, baseline):
    shutil.rmtree(port.store)
    shutil.copytree(baseline, port.store, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))


def watch(port, at, notes):
    port.start(prefix=("env", f"LD_PRELOAD={PRELOAD}", f"TRIAGED_KILL_AT={at}", f"TRIAGED_KILL_NOTES={notes}"))


def ask_until_killed(port, what):
    """Asked as often as in the run without a kill: what is sealed after the file has events of its own. Nobody waits for an
    answer that a dead daemon owes."""
    end = time.monotonic() + PATIENCE
    while port.daemon.poll() is None:
        must(time.monotonic() < end, f"{what}: not in time")
        ask = subprocess.Popen([str(BIN / "triagectl"), "--config", str(port.config), "archive", "seal"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while ask.poll() is None and port.daemon.poll() is None:
            time.sleep(0.02)
        if ask.poll() is None:
            ask.kill()
        ask.wait()
        time.sleep(0.05)


def cycle(port, baseline, at, word):
    restore(port, baseline)
    notes = port.directory / "notes"
    notes.unlink(missing_ok=True)
    watch(port, at, notes)
    ask_until_killed(port, f"the kill before {at} ({word})")
    must(port.daemon.returncode == -9, f"kill {at} ({word}): ended with {port.daemon.returncode}\n{port.daemon_log()[-2000:]}")
    port.start()
    must(not parts(port), f"kill {at} ({word}): part files after the restart")
    port.seal()
    port.stop()
    check(port, f"kill {at} ({word})")


def chosen(words):
    """Every event but writes in the middle, of which a seeded sample."""
    writes = [i for i, word in enumerate(words, 1) if word == "write"]
    middle = random.Random(SEED).sample(writes[1:-1], min(WRITES, max(0, len(writes) - 2)))
    keep = {writes[0], writes[-1], *middle}
    return [(i, word) for i, word in enumerate(words, 1) if word != "write" or i in keep]


def kill():
    if not PRELOAD.exists():
        print("SKIP: this build has no library to preload (sanitizers)")
        sys.exit(77)
    with Port() as port:
        feed_some(port)
        port.stop()
        baseline = port.directory / "baseline"
        shutil.copytree(port.store, baseline, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
        notes = port.directory / "notes-all"
        watch(port, 0, notes)
        port.seal()
        port.stop()
        check(port, "no kill")
        words = notes.read_text().split()
        for word in ("open", "write", "close", "sync", "rename", "named", "log"):
            must(word in words, f"the archiver never did '{word}': {words}")
        points = chosen(words)
        for at, word in points:
            cycle(port, baseline, at, word)
        print(f"{len(words)} events, killed before {len(points)} of them (seed {SEED})")


def rebuild():
    with Port() as port:
        feed_some(port)
        port.seal()
        port.feed("sim", "--first", "8", "--count", "4", "--scale", "0.1", "--modes", "truck", "--quiet", stream="more")
        port.await_judged()
        port.seal()
        day = time.strftime("%Y-%m-%d", time.gmtime())
        out = port.directory / "rebuilt"
        files = port.ctl_json("archive", "list")
        must(len(files) >= 2, f"files {files}")
        made = port.ctl_json("archive", "rebuild", "--out", out, pathlib.Path(files[0]["path"]).name)
        must([one["identical"] for one in made] == [True], f"rebuild of one file: {made}")
        first_day = files[0]["path"][:10].replace("/", "-")
        text = port.ctl("archive", "rebuild", "--out", out / "day", first_day).stdout
        must(text.count(": identical") == sum(one["path"].startswith(files[0]["path"][:10]) for one in files), text)
        must(day >= first_day, "the day of the first entry")
        rebuild_with_other_settings(port, files[0])
        verify_damaged(port, files[0])


def rebuild_with_other_settings(port, seal_row):
    """Another number of threads: identical. A lost blob, a damaged blob: refused. Another pseudonym key: told which object."""
    name = pathlib.Path(seal_row["path"]).name
    config = port.config.read_text()
    port.config.write_text(config.replace("archive:\n{\n", "archive:\n{\n  threads = 7;\n"))
    text = port.ctl("archive", "rebuild", "--out", port.directory / "threads", name).stdout
    must(": identical" in text, text)
    port.config.write_text(config)
    rebuild_without_metrics(port, name)
    blob = next(path for path in (port.store / "blobs" / "sha256").rglob("*") if path.is_file())
    kept = blob.read_bytes()
    os.chmod(blob, 0o600)
    blob.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    done = port.ctl("archive", "rebuild", "--out", port.directory / "damaged", name, check=False)
    must(done.returncode == 1 and "missing or damaged" in done.stderr, f"damaged blob: {done.stdout}{done.stderr}")
    must(not list((port.directory / "damaged").rglob("*.h5*")), "a file made of a damaged blob was left")
    blob.unlink()
    done = port.ctl("archive", "rebuild", "--out", port.directory / "missing", name, check=False)
    must(done.returncode == 1 and "missing or damaged" in done.stderr, f"missing blob: {done.stdout}{done.stderr}")
    blob.write_bytes(kept)
    port.stop()
    key = port.store / "keys" / "pseudonym.key"
    secret = key.read_text()
    key.write_text("00" * 32 + "\n")
    done = port.ctl("archive", "rebuild", "--out", port.directory / "key", pathlib.Path(
        port.ctl_json("archive", "list")[1]["path"]).name, check=False)
    must(done.returncode == 1 and "differs, first differing object: /declarations/" in done.stdout,
         f"another pseudonym key: {done.stdout}{done.stderr}")
    key.write_text(secret)


def rebuild_without_metrics(port, name):
    """The definitions come from where the seal's digest says, not from those in force now: lost or changed, they are missed."""
    kept = list((port.store / "metrics").iterdir())
    sealed = {entry["metrics"] for entry in port.entries("archive.seal")}
    must({"sha256:" + path.name for path in kept} == sealed and len(kept) == 1, f"kept {kept}, sealed {sealed}")
    whole = kept[0].read_bytes()
    for word, bytes_ in (("changed", whole.replace(b"60 s", b"61 s")), ("gone", None)):
        must(bytes_ != whole, "a digit of the definitions")
        kept[0].unlink()
        if bytes_ is not None:
            kept[0].write_bytes(bytes_)
        done = port.ctl("archive", "rebuild", "--out", port.directory / f"metrics-{word}", name, check=False)
        must(done.returncode == 1 and "identical" not in done.stdout, f"definitions {word}: {done.stdout}{done.stderr}")
        if bytes_ is None:
            kept[0].write_bytes(whole)


def verify_damaged(port, seal_row):
    path = port.store / "archive" / seal_row["path"]
    os.chmod(path, 0o600)
    bytes_ = bytearray(path.read_bytes())
    bytes_[len(bytes_) // 2] ^= 4
    path.write_bytes(bytes_)
    done = port.ctl("archive", "verify", path.name, check=False)
    must(done.returncode == 1 and "SHA-256 is not that of its seal" in done.stdout, f"verify of damage: {done.stdout}")
    path.write_bytes(bytes_[:-1])
    done = port.ctl("archive", "verify", check=False)
    must(done.returncode == 1 and "wrong size" in done.stdout, f"verify of a cut file: {done.stdout}")
    done = port.ctl("archive", "verify", "1999-01-01", check=False)
    must(done.returncode == 1, "a day without files")


if __name__ == "__main__":
    {"kill": kill, "rebuild": rebuild}[sys.argv[1]]()
