#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Other people's verifiers on logs of our writer, honest ones and tampered ones.

usage: foreign.py logs|clean|VERIFIER      environment: TRIAGED_SOURCE, TRIAGED_BUILD    exit 77: what is missing

`logs` writes the cases once (CTest fixture) into BUILD/foreign; each VERIFIER (see VERIFIERS below) then must accept
every honest one, and reject or accept each tampered one as the table in daemon/verify/FOREIGN.md says. A rejection is a
line of the verifier that says so: a verifier that dies is a failure.
"""
import concurrent.futures
import contextlib
import io
import os
import pathlib
import random
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
import time

import attacks

SOURCE = pathlib.Path(os.environ["TRIAGED_SOURCE"]).resolve()
BUILD = pathlib.Path(os.environ["TRIAGED_BUILD"]).resolve()
HERE = SOURCE / "tests" / "foreign"
WORK = BUILD / "foreign"
WHERE = WORK / "where"  # names the folder of the cases
LOGS = pathlib.Path(WHERE.read_text()) if WHERE.exists() else None
TOOLS = BUILD / "tests"
EVERY = 600
BIG = [65535, 65536, 65537]
WIDE = [1000, 256001]  # bundle 1000 and its tile are the first in a folder x001
KINDS = ("empty", "every", "odd", "big", "wide")
DECODED = ("empty", "every", "big", "wide")  # for verifiers that decode entries: the odd ones are none
SOME_OF_EVERY = {1, 2, 3, 255, 256, 257, 511, 512, 513, EVERY}
OLDER = {"every": 500, "big": 65535, "odd": 200}
NEWEST = {"every": EVERY, "big": 65537, "odd": 300}
PROOFS_OF_BIG = ("1024", "31")  # entries proved from the first on, then every 31st; and the last 300
HONEST = ("untouched", "cosigned")  # among the tampered ones, for comparison
LEFT_OUT = "left-out"  # an honest case that a slow verifier was not asked about
GO_FLAGS = {"GOFLAGS": "-trimpath", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}


def skip(reason):
    print("SKIP: " + reason)
    sys.exit(77)


def fail(reason):
    print("FAIL: " + reason)
    sys.exit(1)


# ---- cases -----------------------------------------------------------------------------------------------------------

def sizes_of(kind):
    """Honest sizes of a kind, smallest first."""
    return sorted(int(path.name) for path in (LOGS / kind).iterdir() if path.name.isdigit())


def honest(kind):
    return [LOGS / kind / str(size) for size in sizes_of(kind)]


def attacked(kind):
    return sorted((LOGS / "attacks" / kind).iterdir())


def make_proofs(case):
    """Our proofs for their checkers. Where none can be made there is no file, and the checkers reject for that."""
    held = sorted((int(path.name) for path in (case / "held").iterdir()))
    size = int((case / "log" / "checkpoint").read_bytes().split(b"\n")[1])
    some = ("1000000", "1") if size <= 1000 or size == BIG[-1] and case.parent.parent == LOGS else PROOFS_OF_BIG
    with open(case / "proofs", "wb") as file:
        made = subprocess.run([TOOLS / "foreign_print_proofs", "all", case / "log", *some, *map(str, held)],
                              stdout=file, stderr=subprocess.PIPE, text=True)
    if made.returncode == 3:
        (case / "proofs").unlink()
    elif made.returncode != 0:
        fail(f"print_proofs {case}: {made.stderr}")
    make_receipts(case, size)


def make_receipts(case, size):
    """c2sp.org/tlog-proof files of some entries, by the code behind `triagectl receipt`; of some honest cases by that
    command itself, with the entry in them."""
    (case / "tlog").mkdir()
    wanted = sorted({0, 1, 255, 256, attacks.ENTRY - 1, attacks.ENTRY, attacks.ENTRY + 1, size // 3, size - 2, size - 1})
    made = subprocess.run([TOOLS / "foreign_print_proofs", "tlog", case / "log", case / "tlog",
                           *(str(index) for index in wanted if 0 <= index < size)] if size else ["true"],
                          stderr=subprocess.PIPE, text=True)
    if made.returncode == 3:
        shutil.rmtree(case / "tlog")
    elif made.returncode != 0:
        fail(f"print_proofs {case}: {made.stderr}")
    if case.parent.parent == LOGS and case.parent.name in ("every", "big", "wide") and (
            case.parent.name != "every" or size in SOME_OF_EVERY):
        (case / "receipts").mkdir()
        for index in (index for index in wanted if 0 <= index < size):
            with open(case / "receipts" / f"{index}.tlog-proof", "wb") as file:
                subprocess.run([BUILD / "bin" / "triagectl", "receipt", "--public", case / "log", "--out", "-", str(index)],
                               check=True, stdout=file)


def clean():
    if LOGS is not None:
        shutil.rmtree(LOGS, ignore_errors=True)
        WHERE.unlink()


def make_folder():
    """In memory where there is some: the writer syncs ten thousand files, and this is not about a disk."""
    global LOGS
    clean()
    WORK.mkdir(parents=True, exist_ok=True)
    memory = pathlib.Path("/dev/shm")
    enough = memory.is_dir() and shutil.disk_usage(memory).free > 2**30
    LOGS = pathlib.Path(tempfile.mkdtemp(prefix="triaged-foreign-", dir=memory if enough else WORK))
    WHERE.write_text(str(LOGS))


def make_logs():
    seed = int(os.environ.get("TRIAGED_SEED") or time.time_ns() % 2**32)
    print(f"TRIAGED_SEED={seed}")
    choice = random.Random(seed)
    make_folder()
    tool = TOOLS / "foreign_make_logs"
    others = sorted(choice.sample(range(EVERY + 1, BIG[0]), 3))
    for kind in KINDS:
        sizes = {"big": others + BIG, "wide": WIDE}.get(kind, [])
        subprocess.run([tool, kind, LOGS / kind, *map(str, sizes)], check=True)
        for live in ("live", "fork-live"):  # what the writer needs besides: links of the rest stay
            shutil.rmtree(LOGS / kind / live, ignore_errors=True)
    maker = attacks.Maker(LOGS, tool)
    for kind in KINDS:
        sizes = sizes_of(kind)
        for at, size in enumerate(sizes):
            held = {sizes[at - 1], choice.choice(sizes[:at])} if at else set()
            maker.case(LOGS / kind / str(size), LOGS / kind / str(size) / "log",
                       [LOGS / kind / str(other) / "log" / "checkpoint" for other in sorted(held)])
    for kind in OLDER:
        maker.attacks(kind, OLDER[kind], NEWEST[kind])
    cases = [case for kind in KINDS for case in honest(kind)]
    cases += [case for kind in OLDER for case in attacked(kind)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(make_proofs, cases))
    print(f"{len(cases)} cases: sizes 0..{EVERY}, {', '.join(map(str, others + BIG + WIDE))}, odd entries; "
          f"{sum(len(attacked(kind)) for kind in OLDER)} of them tampered with")


# ---- verifiers: each gives a function that takes cases and gives one line for each --------------------------------------

def lines_of(command, cases, environment=None):
    """Run a verifier over many cases: its lines, by case."""
    WORK.mkdir(exist_ok=True)
    listed = WORK / f"cases-{os.getpid()}"
    listed.write_text("\n".join(str(case) for case in cases) + "\n")
    run = subprocess.run([*command, f"@{listed}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         env={**os.environ, **(environment or {})})
    listed.unlink()
    if run.returncode != 0:
        fail(f"{command[0]} died: {run.stderr[-2000:]}")
    return dict(line.split(" ", 1) for line in run.stdout.splitlines())


def find_go(least=(1, 0), prefer=("/usr/bin/go",)):
    for path in (*prefer, shutil.which("go")):
        if path and os.access(path, os.X_OK):
            text = subprocess.run([path, "version"], stdout=subprocess.PIPE, text=True,
                                  env={**os.environ, **GO_FLAGS}).stdout
            found = re.search(r"go(\d+)\.(\d+)", text)
            if found and tuple(map(int, found.groups())) >= least:
                return path
    return None


def debian_go(name, package):
    """A program of tests/foreign/go, from the sources in Debian's packages alone."""
    go = find_go()
    if go is None:
        skip("no go (package golang-go)")
    gocode = pathlib.Path("/usr/share/gocode")
    if not (gocode / "src" / package).is_dir():
        skip(f"no {package} in {gocode}: its Debian package is not installed")
    root = WORK / f"go-{name}"
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("logdir", name):
        shutil.copytree(HERE / "go" / folder, root / "src" / "foreign" / folder)
    program = root / name
    subprocess.run([go, "build", "-o", program, f"foreign/{name}"], check=True, cwd=root,
                   env={**os.environ, **GO_FLAGS, "GO111MODULE": "off", "GOPATH": f"{root}:{gocode}",
                        "GOCACHE": str(WORK / "go-cache")})
    print(subprocess.run([go, "version"], stdout=subprocess.PIPE, text=True).stdout.strip())
    return program


def xmod():
    program = debian_go("xmod", "golang.org/x/mod/sumdb/tlog")

    def flips():
        for kind in ("every", "odd"):
            case = LOGS / kind / str(NEWEST[kind])
            run = subprocess.run([program, "-flips", "40", "-seed", str(time.time_ns() % 2**31), case],
                                 stdout=subprocess.PIPE, text=True)
            print(f"{kind}: {run.stdout.strip()}")
            if run.returncode != 0:
                fail("a flipped bit was not noticed")
    flips()
    return lambda cases: lines_of([program], cases)


def ct():
    program = debian_go("ct", "github.com/google/certificate-transparency/go/merkletree")
    return lambda cases: lines_of([program], cases)


def nebulous():
    program = debian_go("nebulous", "github.com/NebulousLabs/merkletree")
    return lambda cases: lines_of([program], cases)


def own():
    """Our own triage-verify in the same matrix."""
    program = BUILD / "bin" / "triage-verify"

    def one(case):
        against = [word for held in sorted((case / "held").iterdir()) for word in ("--against", str(held))]
        run = subprocess.run([program, "--quiet", "--vkey", case / "vkey", *against, case / "log"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if run.returncode == 0:
            size = (case / "log" / "checkpoint").read_text().split("\n")[1]
            return f"accept {1 + len(against) // 2} {size} 0"
        problem = [line for line in run.stdout.splitlines() if line.startswith("problem")]
        return "reject " + problem[0] if run.returncode == 1 and problem else f"died {run.returncode} {run.stderr}"
    return lambda cases: {str(case): one(case) for case in cases}


def find_sigstore():
    """The folder of @sigstore/verify: the one that npm 11 brings along, or installed into the build folder."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        skip("no node and npm")
    version = subprocess.run([node, "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
    if tuple(map(int, version[1:].split(".")[:2])) < (20, 17):
        skip(f"node {version} is older than @sigstore/verify 3.1.1 wants (20.17)")
    root = subprocess.run([npm, "root", "-g"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()
    bundled = pathlib.Path(root) / "npm" / "node_modules" / "@sigstore" / "verify"
    if (bundled / "dist" / "tlog" / "checkpoint.js").exists():
        return node, bundled
    installed = WORK / "npm"
    installed.mkdir(parents=True, exist_ok=True)
    run = subprocess.run([npm, "install", "--prefix", installed, "--cache", WORK / "npm-cache", "--ignore-scripts",
                          "--no-audit", "--no-fund", "@sigstore/verify@3.1.1"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode != 0:
        skip("@sigstore/verify is not in npm and cannot be installed: " + run.stdout.strip().split("\n")[0])
    return node, installed / "node_modules" / "@sigstore" / "verify"


def sigstore():
    node, folder = find_sigstore()
    print(f"{folder}: {re.search(r'version.: .([0-9.]+)', (folder / 'package.json').read_text()).group(1)}")
    return lambda cases: lines_of([node, HERE / "check_sigstore.js", folder], cases)


def go_modules(name, folder="modules"):
    """A program of tests/foreign/modules, or of a folder of its own, with the module versions of its go.mod and go.sum."""
    go = find_go((1, 25), (shutil.which("go"), "/usr/bin/go"))
    if go is None:
        skip("no go of 1.25 or newer: Tessera and its modules want it")
    root = WORK / f"go-{folder}"
    for part in (folder, "go/logdir"):
        shutil.copytree(HERE / part, root / ("logdir" if part == "go/logdir" else ""), dirs_exist_ok=True)
    environment = {**os.environ, **GO_FLAGS, "GOFLAGS": "-trimpath -mod=readonly -modcacherw", "GOPATH": str(WORK / "go-path"),
                   "GOCACHE": str(WORK / "go-cache-modules"), "GOWORK": "off"}
    fetched = subprocess.run([go, "mod", "download"], cwd=root, env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    if fetched.returncode != 0:
        skip("modules cannot be fetched: " + fetched.stdout.strip().split("\n")[-1])
    subprocess.run([go, "build", "-o", root / f"{name}-program", f"./{name}"], check=True, cwd=root, env=environment)
    print(subprocess.run([go, "version"], stdout=subprocess.PIPE, text=True).stdout.strip())
    return root / f"{name}-program"


def tessera():
    program = go_modules("tessera")
    return lambda cases: lines_of([program], cases)


def tlog_proof():
    program = go_modules("tlog_proof")
    return lambda cases: lines_of([program], cases)


def torchwood():
    program = go_modules("torchwood", "torchwood")
    return lambda cases: lines_of([program], cases)


def hand():
    if shutil.which("openssl") is None:
        skip("no openssl")
    check_commands_by_hand()

    def one(case):
        size = int((case / "log" / "checkpoint").read_bytes().split(b"\n")[1])
        index = attacks.ENTRY if size > attacks.ENTRY else size - 1
        run = subprocess.run(["sh", HERE / "check_hand.sh", case / "log", case / "vkey", str(index)],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return run.stdout.strip() if run.returncode in (0, 1) and not run.stderr else f"died {run.stderr}"
    left_out = {LOGS / "every" / str(size) for size in range(1, EVERY + 1) if size not in SOME_OF_EVERY}
    return lambda cases: {str(case): one(case) if case not in left_out else LEFT_OUT
                          for case in cases}


def check_commands_by_hand():
    """The commands that FOREIGN.md shows say yes to an honest checkpoint and no to one with another root."""
    page = (SOURCE / "daemon/verify/FOREIGN.md").read_text(encoding="utf-8")
    commands = re.search(r"```sh\n(.*?)```", page, re.S).group(1)
    folder = WORK / "hand"
    folder.mkdir(parents=True, exist_ok=True)
    for case, wanted in ((LOGS / "every" / "7", 0), (LOGS / "attacks" / "every" / "root-flipped", 1)):
        run = subprocess.run(["sh", "-eu", "-c", commands], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, env={**os.environ, "log": str(case / "log"), "vkey": (case / "vkey").read_text()})
        if run.returncode != wanted or f"Signature {'Verification Failure' if wanted else 'Verified'}" not in run.stdout:
            fail(f"the commands in FOREIGN.md said of {case}: {run.returncode} {run.stdout}")


def python():
    """The example for researchers, as it stands on the page, on every case; the decoder is protoc's own output."""
    if shutil.which("protoc") is None:
        skip("no protoc")
    generated = WORK / "python"
    generated.mkdir(parents=True, exist_ok=True)
    subprocess.run(["protoc", f"--proto_path={SOURCE}", f"--python_out={generated}", "proto/oversight.proto"], check=True)
    sys.path.insert(0, str(generated))
    try:
        from google.protobuf.message import DecodeError
    except ImportError:
        skip("no protobuf module for python (package python3-protobuf)")
    check_page()
    example = SOURCE / "daemon" / "verify" / "read_log.py"

    def one(case):
        sys.argv = [str(example), str(case / "log")]
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                runpy.run_path(str(example), run_name="__main__")
        except SystemExit as ended:
            if ended.code:
                return f"reject {ended.code}"
            return "accept 1 %s 0" % re.search(r": (\d+) entries", printed.getvalue()).group(1)
        except (AssertionError, DecodeError, FileNotFoundError) as error:
            return f"reject {error}"
        return "died: it did not exit"
    return lambda cases: {str(case): one(case) for case in cases}


def check_page():
    """What FORMAT.md shows to readers is what is tested: the example, and the commands with protoc --decode."""
    page = (SOURCE / "daemon/oversight/FORMAT.md").read_text(encoding="utf-8")
    example = (SOURCE / "daemon/verify/read_log.py").read_text(encoding="utf-8").split("\n", 1)[1]
    if f"```python\n{example}```\n" not in page:
        fail("the example in daemon/oversight/FORMAT.md is not daemon/verify/read_log.py")
    if "daemon/verify/read_log.py" not in (SOURCE / "README.md").read_text(encoding="utf-8"):
        fail("README.md does not name daemon/verify/read_log.py")
    commands = re.search(r"```sh\n(.*?)```", page, re.S).group(1)
    case = LOGS / "every" / str(EVERY)
    run = subprocess.run(["sh", "-eu", "-c", commands], cwd=SOURCE, stdout=subprocess.PIPE, text=True,
                         env={**os.environ, "log": str(case / "log")})
    for wanted in (f"{EVERY}\n", "type: ENTRY_LOG_OPEN", f'origin: "{attacks.ORIGIN}"'):
        if run.returncode != 0 or wanted not in run.stdout:
            fail(f"the commands in FORMAT.md do not print {wanted!r}: {run.stdout}")
    print("FORMAT.md: the example is the file, its commands print the first entry")


# name: (function, kinds it is asked about)
VERIFIERS = {
    "own": (own, DECODED),
    "sigstore": (sigstore, KINDS),
    "tessera": (tessera, KINDS),
    "tlog_proof": (tlog_proof, KINDS[1:]),
    "torchwood": (torchwood, KINDS[1:]),
    "hand": (hand, KINDS[1:]),
    "python": (python, DECODED),
    "xmod": (xmod, KINDS),
    "ct": (ct, KINDS),
    "nebulous": (nebulous, KINDS),
}


# ---- verdicts ----------------------------------------------------------------------------------------------------------

def expected(name):
    """The column of a verifier in the page: {attack: "reject" or "accept"}."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in (SOURCE / "daemon/verify/FOREIGN.md").read_text(encoding="utf-8").splitlines()
            if line.startswith("|")]
    head = next(row for row in rows if row[0] == "what was done to the copy")
    column = head.index(name)
    words = {"rejects": "reject", "-": "accept"}
    return {row[0]: words[row[column]] for row in rows if len(row) == len(head) and row[column] in words}


def check_honest(name, verify, kinds):
    totals = [0, 0, 0, 0]
    for kind in kinds:
        cases = honest(kind)
        lines = verify(cases)
        for case in cases:
            verdict = lines.get(str(case), "no line").split(" ")
            if verdict == [LEFT_OUT]:
                continue
            if verdict[0] != "accept":
                fail(f"{name} does not accept {case}: {' '.join(verdict)}")
            counts = [int(word) for word in verdict[1:4]]
            size = int(case.name)
            if counts[0] < 1 or (size and counts[1] < 1):
                fail(f"{name} looked at nothing of {case}: {verdict}")
            totals = [totals[0] + 1] + [a + b for a, b in zip(totals[1:], counts)]
    print("%s: OK %d logs, %d checkpoints, %d leaves, %d proofs" % (name, *totals))


def check_attacked(name, verify, kinds):
    table = expected(name)
    faults = 0
    for kind in (kind for kind in kinds if kind in OLDER):
        cases = attacked(kind)
        lines = verify(cases)
        for case in cases:
            line = lines.get(str(case), "no line")
            wanted = "accept" if case.name in HONEST else table[case.name]
            good = line.split(" ")[0] == wanted
            faults += not good
            print(f"{'  ' if good else '! '}{kind:6} {case.name:28} {line[:100]}" + ("" if good else f" WANTED {wanted}"))
        missing = set(table) - {case.name for case in cases} - {"tile-2-flipped"}
        if missing:
            fail(f"no case for {missing}")
    if faults:
        fail(f"{name}: {faults} verdicts are not those of daemon/verify/FOREIGN.md")
    print(f"{name}: OK every tampered copy is judged as daemon/verify/FOREIGN.md says")


def main():
    what = sys.argv[1]
    if what == "logs":
        make_logs()
    elif what == "clean":
        clean()
    elif LOGS is None:
        fail("no logs: run `foreign.py logs` first")
    else:
        function, kinds = VERIFIERS[what]
        verify = function()
        check_honest(what, verify, kinds)
        check_attacked(what, verify, kinds)


main()
