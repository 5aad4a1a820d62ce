# SPDX-License-Identifier: Apache-2.0
"""What the tests of the oversight log on the real kernel share: programs, ledgers, what outsiders see."""
import base64
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

BUILD = pathlib.Path(os.environ.get("TRIAGED_BUILD", "build")).resolve()
CYCLE = BUILD / "tests" / "oversight_cycle"
BROKEN = BUILD / "tests" / "oversight_broken"
INJECT = BUILD / "tests" / "oversight_inject"
VERIFY = BUILD / "bin" / "triage-verify"
GOOD, LOST, REFUSED = 0, 1, 2  # statuses of the cycle program, see cycle.h
SECONDS_MAX = 120
INSIDE = "TRIAGED_TEST_NAMESPACE"


class Defect(Exception):
    """The log broke a promise, or the rig itself did not do what it says."""


def skip(reason):
    print("SKIP: " + reason)
    sys.exit(77)


def fast_folder():
    """Memory where there is some: these tests are about calls and bytes, not about a disk."""
    shm = pathlib.Path("/dev/shm")
    return str(shm) if "TMPDIR" not in os.environ and shm.is_dir() and os.access(shm, os.W_OK) else None


def folder(prefix, fast=True):
    return tempfile.TemporaryDirectory(prefix=prefix, dir=fast_folder() if fast else None)


def enter_namespace(*tools):
    """Runs this program again where mounts are nobody else's and end with it."""
    os.environ["PATH"] += os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"
    if os.environ.get(INSIDE):
        return
    if os.geteuid() != 0:
        skip("needs root for mounts")
    for tool in (*tools, "unshare"):
        if not shutil.which(tool):
            skip(tool + " is not installed (e2fsprogs, mount, util-linux)")
    if run(["unshare", "--mount", "true"])[0] != 0:
        skip("no mount namespace may be made here")
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])


def run(command, **options):
    """Status and both outputs; a sanitizer's leak check would not work under a tracer."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=SECONDS_MAX,
                          check=False, **options)
    return done.returncode, done.stdout, done.stderr


def outsider(directory):
    """Ledger lines for every checkpoint that anybody could have read by now."""
    shard = pathlib.Path(directory) / "log" / "2026"
    lines = []
    for path in [shard / "checkpoint", *sorted((shard / "checkpoints").glob("[0-9]*"))]:
        if path.suffix != ".tmp" and path.exists():
            parts = path.read_text(encoding="utf-8").split("\n")
            if len(parts) < 6:
                raise Defect(f"{path.name}: somebody outside sees half a checkpoint")
            lines.append(f"seen {int(parts[1])} {base64.b64decode(parts[2]).hex()}\n")
    return "".join(lines)


def promises(lines):
    """The part of a program's output that goes into the ledger."""
    return "".join(line for line in lines.splitlines(True) if line.startswith("ack "))


def check_no_ack_after_failure(lines):
    _, failed, rest = lines.partition("failed ")
    if failed and ("ack " in rest or "published" in rest):
        raise Defect("acknowledged or published after the failure: " + rest.strip().splitlines()[-1])


def check_recovery(directory, ledger):
    """Restart and compare with the ledger, then everything as a stranger would check it."""
    status, out, err = run([CYCLE, "recover", directory, ledger])
    if status != GOOD:
        raise Defect(f"recover ended with {status}: {(out + err).strip().splitlines()[-1:]}")
    check_verify(directory)
    return out


def check_verify(directory):
    status, out, err = run([VERIFY, "--quiet", directory])
    if status != 0:
        raise Defect(f"triage-verify ended with {status}: {(out + err).strip()[:300]}")
