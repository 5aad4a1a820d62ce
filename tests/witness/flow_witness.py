#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Witnesses and the daemon that needs them, all of them real. usage: flow_witness.py CASE ; exit 77 is SKIP with the reason."""
import base64
import contextlib
import hashlib
import http.client
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

from witness import BIN, Witness, policy_of

from port import PATIENCE, Failure, Port, must, run, wait_for

SKIP = 77
NAMES = ("lab", "court", "harbour")


# ---- RFC 6962, section 2.1.2, as it stands there, over the leaf hashes of a log's tiles

def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves):
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root_of(leaves[:k]), root_of(leaves[k:]))


def proof_of(m, leaves, whole=True):
    n = len(leaves)
    if m == n:
        return [] if whole else [root_of(leaves)]
    k = 1 << (n - 1).bit_length() - 1
    if m <= k:
        return proof_of(m, leaves[:k], whole) + [root_of(leaves[k:])]
    return proof_of(m - k, leaves[k:], False) + [root_of(leaves[:k])]


def leaves_of(shard, size):
    must(size <= 256, f"{size} leaves are more than this test reads")
    tiles = sorted(shard.glob("tile/0/000*")) + sorted(shard.glob("tile/0/000.p/*"))
    longest = max((tile.read_bytes() for tile in tiles if tile.is_file()), key=len)
    return [longest[i * 32:i * 32 + 32] for i in range(size)]


def encoded(hashes):
    return [base64.b64encode(value).decode() for value in hashes]


# ---- a port with witnesses

class Watched(Port):
    """A port whose log exists, and three witnesses that know it."""

    def __init__(self, threshold=2, **settings):
        settings = {"oversight__witness_s": 0.1, "oversight__witness_policy": "", "oversight__witness_timeout_s": 3.0, **settings}
        super().__init__(**settings)
        self.witnesses = []
        self.grown = 0
        self.start()
        self.stop()
        self.shard = next((self.store / "log").glob("2*"))
        self.vkey = (self.shard / "vkey").read_text().splitlines()[0]
        self.origin = self.vkey.split("+")[0]
        self.witnesses = [Witness(self.directory, name) for name in NAMES]
        for witness in self.witnesses:
            witness.know(self.vkey)
        self.policy = self.store / "witnesses"
        self.policy.write_text(policy_of(self.vkey, self.witnesses, threshold))

    def use_policy(self, name="witnesses"):
        lines = self.config.read_text().splitlines()
        lines = [f'  witness_policy = "{name}";' if "witness_policy" in line else line for line in lines]
        self.config.write_text("\n".join(lines) + "\n")

    def __exit__(self, kind, value, trace):
        for witness in self.witnesses:
            witness.kill()
        super().__exit__(kind, value, trace)

    def size(self):
        return int((self.shard / "checkpoint").read_text().splitlines()[1])

    def cosigned_size(self):
        path = self.shard / "checkpoint.cosigned"
        return int(path.read_text().splitlines()[1]) if path.exists() else 0

    def grow(self):
        """One more checkpoint, of a larger tree."""
        before = self.size()
        self.grown += 1  # a stream of its own: what a spool remembers does not fit a restored store
        self.feed("sim", "--declarations-only", "--modes", "mail", "--count", "2", "--seed", str(self.grown), stream=f"grow-{self.grown}")
        self.ctl("log", "publish")
        must(self.size() > before, "the log did not grow")
        return self.size()

    def await_cosigned(self, size):
        return wait_for(lambda: self.cosigned_size() >= size and self.cosigned_size(), f"a quorum over {size} entries: {self.health()}")

    def check(self, policy=None):
        done = run(BIN / "triage-verify", self.store, "--json", "--quorum", policy or self.policy, check=False)
        return done.returncode, json.loads(done.stdout)


def lines_of(rows):
    return [f"{row['where']}: {row['what']}" for row in rows]


def state_of(health, name):
    return next(row["state"] for row in health["witnesses"] if row["name"].endswith("/" + name))


def case_quorum():
    """Two of three: all there; one down; two down; back again."""
    with Watched() as port:
        lab, court, harbour = port.witnesses
        for witness in port.witnesses:
            witness.start()
        port.use_policy()
        port.start()
        port.await_cosigned(port.grow())
        health = port.health()
        must(health["quorum"] == "met" and health["quorum_age_s"] < 60, f"{health}")
        note = (port.shard / "checkpoint.cosigned").read_text()
        must(note.startswith(port.origin + "\n") and note.count("— witness.example.org/") == 3, note)
        must(note == (port.shard / "checkpoints" / f"{port.cosigned_size()}.cosigned").read_text(), "two different notes of a size")

        harbour.stop()
        port.await_cosigned(port.grow())
        health = wait_for(lambda: port.health() if state_of(port.health(), "harbour") != "well" else None, "harbour is told to be down")
        told = dict(line.split(None, 1) for line in port.ctl("health").stdout.splitlines() if len(line.split(None, 1)) == 2)
        must(told["quorum"] == "met" and told["witnesses.0.state"].strip() == "well", f"{told}")
        must(health["quorum"] == "met" and "connect" in state_of(health, "harbour").lower(), f"{health}")
        must((port.shard / "checkpoint.cosigned").read_text().count("— witness.example.org/") == 2, "two lines")

        court.kill()
        last = port.cosigned_size()
        size = port.grow()
        health = wait_for(lambda: port.health() if port.health()["quorum"] == "missed" else None, "the quorum is missed")
        must(health["well"] and health["quorum_size"] == last == port.cosigned_size(), f"{health}")
        must(not (port.shard / "checkpoints" / f"{size}.cosigned").exists(), "cosigned by one of three")
        metrics = port.metrics()
        must(metrics["triaged_quorum_size"] == last and metrics["triaged_witness_failures_total"] >= 2, f"{metrics}")
        port.grow()  # the log goes on

        court.start()
        port.await_cosigned(port.size())
        port.stop()
        must(port.cosigned_size() == port.size(), "the last checkpoint of the run was not cosigned")
        code, report = port.check()
        quorum = report["logs"][0]["quorum"]
        must(code == 0 and quorum["size"] == port.size() and quorum["receipts"] >= 3, f"{code} {report}")
        must({w["name"]: w["time_s"] > 0 for w in quorum["witnesses"]} ==
             {f"witness.example.org/{name}": name != "harbour" for name in NAMES}, f"{quorum}")
        port.verify()
        receipts = port.entries("witness.receipt")
        must(len(receipts) <= 6, f"{len(receipts)} receipts of a short run")
        print(f"{len(list((port.shard / 'checkpoints').glob('*.cosigned')))} cosigned checkpoints, {len(receipts)} receipts")


def tampered(port, words, change):
    """The report on a copy of the log in which something was changed."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="copy-", dir=port.directory))
    shutil.copytree(port.store / "log", place / "log")
    change(place / "log" / port.shard.name)
    done = run(BIN / "triage-verify", place, "--json", "--quorum", port.policy, check=False)
    report = json.loads(done.stdout)
    must(done.returncode == 1 and any(words in line for line in lines_of(report["problems"])), f"{words}: {done.returncode} {report['problems']}")


def case_verify():
    """What --quorum finds, and what it does not take for a fault."""
    with Watched() as port:
        for witness in port.witnesses:
            witness.start()
        port.use_policy()
        port.start()
        port.await_cosigned(port.grow())
        port.stop()
        newest = port.shard / "checkpoint.cosigned"
        copy = port.shard / "checkpoints" / f"{port.cosigned_size()}.cosigned"
        lines = newest.read_text().splitlines(keepends=True)

        def without(count):
            def change(shard):
                text = "".join(lines[:5] + lines[5 + count:])
                for path in shard.glob("checkpoints/*.cosigned"):
                    path.unlink()
                (shard / "checkpoint.cosigned").write_text(text)
            return change

        must(lines[4].startswith("— " + port.origin) and len(lines) == 8, f"{lines}")
        tampered(port, "no checkpoint meets the quorum", without(2))

        def forge(shard):
            swapped = lines[:6] + [lines[6][:-12] + lines[7][-12:]] + lines[7:]
            path = shard / "checkpoints" / copy.name
            path.chmod(0o644)
            path.write_text("".join(swapped))
        tampered(port, "signature of a witness does not fit", forge)

        def cut_tail(shard):  # back to an earlier state, but for what the witnesses signed
            first = min((path for path in shard.glob("checkpoints/*") if path.name.isdigit()), key=lambda path: int(path.name))
            for path in shard.glob("checkpoints/*"):
                if path.name.isdigit() and path != first or path.name.endswith(".cosigned"):
                    path.unlink()
            shutil.copy(first, shard / "checkpoint")
        tampered(port, "was rolled back", cut_tail)

        other = Witness(port.directory, "stranger")
        policy = port.directory / "other-policy"
        policy.write_text(policy_of(port.vkey, [other], 1))
        code, report = port.check(policy)
        must(code == 1 and any("no checkpoint meets" in line for line in lines_of(report["problems"])), f"{report}")
        must(any("receipts are of witnesses" in line for line in lines_of(report["warnings"])), f"{report}")
        policy.write_text("witness a b\n")
        done = run(BIN / "triage-verify", port.store, "--quorum", policy, check=False)
        must(done.returncode == 2 and "line 1" in done.stderr, f"{done}")
        code, report = port.check()
        must(code == 0, f"{report}")
        # the same witness under a key of its own: every receipt by that name is a forgery
        again = Witness(port.directory, "again")
        shutil.rmtree(again.directory)
        key = run(BIN / "triage-witness", "keygen", again.directory, "--name", "witness.example.org/lab").stdout.strip()
        policy.write_text(f"witness court {port.witnesses[1].vkey}\nwitness lab {key}\nquorum court\n")
        code, report = port.check(policy)
        must(code == 1 and any("does not verify by the key of its witness" in line for line in lines_of(report["problems"])), f"{report}")
        text = run(BIN / "triage-verify", port.store, "--quorum", port.policy).stdout
        must("witness.example.org/court 2" in text, text)


def case_rollback():
    """A store that was put back to an earlier state is stopped by the memory of its witnesses."""
    with Watched() as port:
        for witness in port.witnesses:
            witness.start()
        port.use_policy()
        port.start()
        port.grow()
        port.stop()
        backup = port.directory / "backup"
        shutil.copytree(port.store, backup, ignore=shutil.ignore_patterns("*.sock"))
        port.start()
        port.grow()
        port.stop()
        seen = port.size()
        cosigned = (port.shard / "checkpoint.cosigned").read_text()
        must(all(witness.holds(port.origin) == seen for witness in port.witnesses), "the witnesses have seen it all")

        def restore():
            shutil.rmtree(port.store)
            shutil.copytree(backup, port.store)

        def must_halt(words):
            code = port.daemon.wait(PATIENCE)
            log = port.daemon_log()
            must(code == 1 and "error=LOG_ROLLED_BACK" in log, f"{words}: {code}\n{log[-2000:]}")

        restore()
        logs = len(port.daemon_log())
        port.start(wait=False)
        must_halt("at start")
        said = port.daemon_log()[logs:]
        must("event=console" not in said and "event=started" not in said, f"somebody could have been answered:\n{said}")
        must(f"holds={seen}" in said, said)

        # nobody to ask at the start: the stop comes when the first witness is back
        restore()
        for witness in port.witnesses:
            witness.stop()
        port.start()
        port.witnesses[0].start()
        must_halt("while it runs")

        # grown beyond what the witnesses hold, so that no size gives it away: the proof does
        restore()
        port.witnesses[0].stop()
        port.start()
        while port.size() <= seen:
            port.grow()
        port.witnesses[1].start()
        must_halt("regrown")
        must("it has seen another tree" in port.daemon_log(), port.daemon_log()[-2000:])
        must(port.witnesses[1].holds(port.origin) == seen, "the witness took the other tree")
        # and who has a cosigned checkpoint proves it to the log that was regrown
        (port.shard / "checkpoint.cosigned").write_text(cosigned)
        code, report = port.check()
        must(code == 1 and any(f"cosigned a tree of {seen} entries that this log does not have" in line for line in lines_of(report["problems"])),
             f"{lines_of(report['problems'])}")
        print(f"witnesses hold {seen} entries, the restored log was stopped three times")


def case_fork():
    """Two logs of one key that differ: a witness takes one of them only."""
    with Watched() as port:
        lab = port.witnesses[0]
        lab.start()
        port.start()
        port.grow()
        port.stop()
        other = port.directory / "other"
        shutil.copytree(port.store, other, ignore=shutil.ignore_patterns("*.sock"))
        common = port.size()
        notes = {}
        for branch in ("ours", "theirs"):
            port.start()
            while port.grow() <= (max(key for key in notes["ours"] if isinstance(key, int)) if notes else 0):
                pass  # theirs must be the longer one
            port.stop()
            notes[branch] = {size: (port.shard / "checkpoints" / str(size)).read_text()
                             for size in range(1, port.size() + 1) if (port.shard / "checkpoints" / str(size)).exists()}
            notes[branch]["leaves"] = leaves_of(port.shard, port.size())
            if branch == "ours":
                shutil.rmtree(port.store)
                shutil.move(other, port.store)
        ours, theirs = notes["ours"], notes["theirs"]
        size = max(key for key in ours if isinstance(key, int))
        other_size = max(key for key in theirs if isinstance(key, int))
        must(root_of(ours["leaves"]) == base64.b64decode(ours[size].splitlines()[2]), "the test's own tree")

        must(lab.submit(0, [], ours[common])[0] == 200, "the first checkpoint")
        status, _, line = lab.submit(common, encoded(proof_of(common, ours["leaves"])), ours[size])
        must(status == 200 and line.startswith("— witness.example.org/lab "), f"{status} {line}")
        must(lab.submit(size, [], ours[size])[0] == 200, "the same again")
        # behind: the size it holds
        status, kind, text = lab.submit(common, encoded(proof_of(common, ours["leaves"])), ours[size])
        must((status, kind, text) == (409, "text/x.tlog.size", f"{size}\n"), f"{status} {kind} {text}")
        status, kind, text = lab.submit(0, [], ours[common])
        must((status, text) == (409, f"{size}\n"), f"back to {common}: {status} {text}")
        # another tree of the same size
        if size in theirs:
            status, kind, text = lab.submit(size, [], theirs[size])
            must(status == 409 and kind != "text/x.tlog.size", f"a fork of the same size: {status} {kind} {text}")
        # another tree that is larger, with the proof that is right for it and for nothing else
        must(other_size > size, f"{other_size} {size}")
        status, _, text = lab.submit(size, encoded(proof_of(size, theirs["leaves"])), theirs[other_size])
        must(status == 422, f"a larger fork: {status} {text}")
        status, _, text = lab.submit(size, [], theirs[other_size])
        must(status == 422, f"no proof at all: {status} {text}")
        must(lab.submit(size + 5, [], ours[size])[0] == 400, "an old size beyond the checkpoint")
        must(lab.post(b"old 0\n\n" + ours[size].encode()[:-1])[0] == 400, "a cut request")
        must(lab.submit(0, [], ours[size].replace(port.origin, "oversight.nobody/x/2026"))[0] == 404, "an unknown log")
        broken = ours[size].splitlines(keepends=True)
        broken[1] = f"{size + 1}\n"
        must(lab.submit(size, [], "".join(broken))[0] == 403, "a forged checkpoint")
        must(lab.post(b"x" * 30000)[0] == 413, "a body beyond all bounds")
        must(lab.holds(port.origin) == size, lab.page())


def case_survive():
    """Killed at every system call of the write of its memory: a witness never goes back, and never forgets what it gave away."""
    if shutil.which("strace") is None:
        print("SKIP: strace is not installed")
        return SKIP
    with Watched() as port:
        lab = port.witnesses[0]
        port.start()
        for _ in range(3):
            port.grow()
        port.stop()
        sizes = sorted(int(path.name) for path in (port.shard / "checkpoints").iterdir() if path.name.isdigit())
        leaves = leaves_of(port.shard, sizes[-1])
        notes = {size: (port.shard / "checkpoints" / str(size)).read_text() for size in sizes}
        lab.start()
        if lab.submit(0, [], notes[sizes[0]])[0] != 200:
            raise Failure("the first checkpoint")
        lab.stop()
        memory = lab.directory / "memory"
        start = {path.name: path.read_bytes() for path in memory.iterdir()}
        kills = 0
        for call in ("unlink", "openat", "pwrite64", "fdatasync", "rename", "fsync", "sendto", "sendmsg", "writev", "write"):
            for path in memory.iterdir():
                path.unlink()
            for name, content in start.items():
                (memory / name).write_bytes(content)
            lab.start()
            tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", str(port.directory / "trace"), "-p", str(lab.process.pid),
                                       "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when=1+"], stderr=subprocess.PIPE)
            traced = port.directory / "trace"
            status = pathlib.Path(f"/proc/{lab.process.pid}/status")
            attached = wait_for(lambda: tracer.poll() is not None or "TracerPid:\t0\n" not in status.read_text(), "strace holds the witness")
            if tracer.poll() is not None:
                print(f"SKIP: strace may not attach here: {tracer.stderr.read().decode()[:200]}")
                return SKIP
            must(attached, "attached")
            answered = None
            with contextlib.suppress(OSError, ConnectionError, http.client.HTTPException):
                answered = lab.submit(sizes[0], encoded(proof_of(sizes[0], leaves[:sizes[1]])), notes[sizes[1]])
            if answered is None:
                lab.process.wait(PATIENCE)
                kills += 1
            else:
                lab.kill()
            tracer.wait(PATIENCE)
            tracer.stderr.close()
            lab.start()
            holds = lab.holds(port.origin)
            must(holds in (sizes[0], sizes[1]), f"killed in {call}: holds {holds}")
            must(answered is None or answered[0] != 200 or holds == sizes[1], f"killed after {call}: forgot what it gave away")
            if call in ("sendto", "sendmsg", "writev", "write") and answered is None:
                must(holds == sizes[1], f"killed in {call}: an answer was under way before the memory was written")
            status, _, text = lab.submit(0, [], notes[sizes[0]])
            must(status == 409 and text == f"{holds}\n", f"killed in {call}: {status} {text}")
            lab.stop()
            traced.unlink(missing_ok=True)
        must(kills >= 6, f"only {kills} of the calls were met")
        # a damaged memory is no memory: the witness does not start
        victim = next(path for path in memory.iterdir() if not path.name.endswith(".tmp"))
        content = bytearray(victim.read_bytes())
        content[-20] ^= 1
        victim.write_bytes(content)
        lab.start(wait=False)
        must(lab.process.wait(PATIENCE) == 1 and "not what it wrote" in lab.said(), lab.said())
        print(f"killed at {kills} system calls")
    return 0


class Odd(http.server.BaseHTTPRequestHandler):
    """A witness that answers what it was told to."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        status, kind, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", self.server.elsewhere)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *words):
        pass


class OddServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that hangs up is what some of the answers are for."""


def case_hostile():
    """Witnesses that answer nonsense are failures and nothing else; one that has seen more stops the log."""
    with Watched(threshold=1) as port:
        lab, court, _ = port.witnesses
        odd = OddServer(("127.0.0.1", 0), Odd)
        odd.asked, odd.elsewhere = 0, lab.url + "/add-checkpoint"
        threading.Thread(target=odd.serve_forever, daemon=True).start()
        court.url = f"http://127.0.0.1:{odd.server_port}/"
        lab.start()
        port.policy.write_text(policy_of(port.vkey, [lab, court], 1))
        port.use_policy()
        answers = [
            (200, "text/plain", b""), (200, "text/plain", b"\xff" * 100),
            (200, "text/plain", "— witness.example.org/court AAAAAQECAwQF\n".encode()),
            (200, "text/plain", b"x" * 100000), (302, "text/plain", b"go there"), (404, "text/plain", b"?"), (403, "text/plain", b"?"),
            (400, "text/plain", b"?"), (500, "text/plain", b"?"), (409, "text/x.tlog.size", b""), (409, "text/x.tlog.size", b"12"),
            (409, "text/x.tlog.size", b"-1\n"), (409, "text/x.tlog.size", b"18446744073709551616\n"), (409, "text/plain", b"5\n"),
            (422, "text/plain", b"?"), (409, "text/x.tlog.size", b"0\n"),
        ]
        for answer in answers:
            odd.answer = answer
            asked = odd.asked
            port.start()
            health = wait_for(lambda: port.health() if state_of(port.health(), "court") not in ("well", "not asked yet") else None, f"{answer}")
            must(odd.asked > asked and health["well"] and health["quorum"] == "met", f"{answer}: {health}")
            must(state_of(health, "lab") == "well", f"{answer}: {health}")
            port.stop()
        odd.answer = (409, "text/x.tlog.size", f"{port.size() + 1000}\n".encode())
        port.start(wait=False)
        must(port.daemon.wait(PATIENCE) == 1 and "error=LOG_ROLLED_BACK" in port.daemon_log(), port.daemon_log()[-2000:])
        odd.shutdown()
        odd.server_close()
        port.use_policy("")
        port.start()
        port.stop()
        port.verify()
        # a policy that cannot be used is told, and nothing starts
        for text, words in (("witness a b\n", "line 1"), ("quorum none\nquorum none\n", "line 2"),
                            (policy_of(lab.vkey.replace("+", "x", 1), [lab], 1), "line 1")):
            port.policy.write_text(text)
            port.use_policy()
            logs = len(port.daemon_log())
            port.start(wait=False)
            must(port.daemon.wait(PATIENCE) == 2 and words in port.daemon_log()[logs:], f"{text}: {port.daemon_log()[logs:]}")
            done = run(BIN / "triaged", "--config", port.config, "--check", check=False)
            must(done.returncode == 2 and words in done.stderr, f"--check: {done}")
        # log lines are for readers elsewhere: a file of last year warns and serves
        port.policy.write_text(policy_of("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", [lab], 1))
        port.start()
        port.await_cosigned(port.grow())
        must("no log line is of" in port.daemon_log(), "no warning")
        port.stop()
        print(f"{len(answers)} kinds of nonsense")


def case_close():
    """A shard that is closed ends with a checkpoint that its witnesses have signed; the next one needs its line with them."""
    with Watched() as port:
        for witness in port.witnesses:
            witness.start()
        policy = "".join(line + "\n" for line in port.policy.read_text().splitlines() if not line.startswith("log "))
        port.policy.write_text(policy)
        port.use_policy()
        port.start()
        port.grow()
        port.ctl("log", "close", "--reason", "test", check=False)  # the answer may come too late for the socket
        must(port.daemon.wait(PATIENCE) == 0, port.daemon_log()[-2000:])
        entries = port.entries()
        must(entries[-1]["type"] == "log.close" and port.cosigned_size() == port.size() == len(entries), f"{port.cosigned_size()} {len(entries)}")
        first = port.shard
        port.start()
        port.shard = wait_for(lambda: next((path for path in (port.store / "log").glob("2*-2") if (path / "checkpoint").exists()), None), "shard")
        health = wait_for(lambda: port.health() if state_of(port.health(), "lab") == "answered 404" else None, "nobody knows the new shard")
        must(health["quorum"] == "missed" and health["well"], f"{health}")
        keys = [(path / "vkey").read_text().splitlines()[0] for path in (first, port.shard)]
        for witness in port.witnesses:
            witness.stop()
            witness.know(*keys)
            witness.start()
        port.await_cosigned(port.size())
        port.stop()
        code, report = port.check()
        must(code == 0 and [log["quorum"]["size"] for log in report["logs"]] == [len(entries), port.size()], f"{report}")


def go_programs(port):
    """The same program twice: on Debian's x/mod, and on the modules of other people where they can be fetched."""
    here = pathlib.Path(__file__).resolve().parent
    go = shutil.which("go")
    gocode = pathlib.Path("/usr/share/gocode")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-p=1", "GOTOOLCHAIN": "local"}
    if go is None:
        print("no go (package golang-go)")
        return
    if (gocode / "src/golang.org/x/mod/sumdb/note").is_dir():
        place = port.directory / "go"
        shutil.copytree(here / "go", place / "src" / "cosignature")
        run(go, "build", "-o", place / "program", "cosignature", cwd=place,
            env={**environment, "GO111MODULE": "off", "GOPATH": f"{place}:{gocode}", "GOCACHE": str(BIN.parent / "foreign" / "go-cache")})
        yield "x/mod", place / "program"
    else:
        print(f"no golang.org/x/mod in {gocode}")
    modules = port.directory / "modules"
    shutil.copytree(here / "modules", modules)
    environment.update(GOFLAGS="-mod=readonly -modcacherw -p=1", GOWORK="off", GOPATH=str(BIN.parent / "foreign" / "go-path"),
                       GOCACHE=str(BIN.parent / "foreign" / "go-cache-modules"))
    done = run(go, "build", "-o", modules / "program", ".", cwd=modules, env=environment, check=False)
    if done.returncode == 0:
        yield "transparency-dev/formats", modules / "program"
    elif (BIN.parent / "foreign" / "go-path" / "pkg" / "mod" / "github.com" / "transparency-dev").is_dir():
        raise Failure(f"the module is there, but: {done.stderr[-2000:]}")
    else:
        print("modules cannot be fetched:", done.stderr.strip().splitlines()[-1])


def case_interop():
    """Other people's code takes our cosignatures, and we take theirs."""
    with Watched() as port:
        lab, court, harbour = port.witnesses
        lab.start()
        court.start()
        seed = "00112233445566778899aabbccddeeff" * 2
        port.use_policy()
        used = []
        for library, program in go_programs(port):
            port.start()
            port.await_cosigned(port.grow())
            port.stop()
            note = (port.shard / "checkpoint.cosigned").read_text()
            keys = (port.vkey, lab.vkey, court.vkey)
            told = run(program, "verify", *keys, input=note).stdout.splitlines()
            port_told = {w["name"]: w["time_s"] for w in port.check()[1]["logs"][0]["quorum"]["witnesses"]}
            must(len(told) == 2 and all(port_told[line.split()[0]] == int(line.split()[1]) for line in told), f"{library}: {told} {port_told}")
            lines = note.splitlines(keepends=True)
            for at, old in ((1, lines[1]), (2, lines[2]), (5, lines[5]), (6, lines[6])):
                changed = lines[:at] + [old[:-8] + ("B" if old[-8] == "A" else "A") + old[-7:] if at > 1 else f"{int(old) + 1}\n"] + lines[at + 1:]
                done = run(program, "verify", *keys, input="".join(changed), check=False)
                must(done.returncode == 1 and done.stdout.startswith("reject"), f"{library} took line {at} changed: {done}")

            # the other way: a witness of theirs, which came by mail
            name = f"witness.example.org/{program.parent.name}"
            theirs = run(program, "sign", name, seed, input=note).stdout.splitlines(keepends=True)
            must(len(theirs) == 2, f"{theirs}")
            port.policy.write_text(f"witness theirs {theirs[0]}witness lab {lab.vkey} {lab.url}\nwitness court {court.vkey} {court.url}\n"
                                   "group all-of-us 2 lab court\nquorum all-of-us\n")
            mail = port.directory / "mail"
            mail.write_text(theirs[1])
            port.start()
            port.ctl("log", "cosign", mail)
            port.stop()
            must(any(row["witness"] == name and row["line"] == theirs[1].strip() for row in port.entries("witness.receipt")), "no receipt")
            code, report = port.check()
            must(code == 0, f"{library}: {report}")
            used.append(library)
        if not used:
            print("SKIP: none of the libraries is here")
            return SKIP
        print("agreed:", ", ".join(used))
    return 0


def case_offline():
    """Witnesses without a network: checkpoint and proof go out on a stick, or the whole log; a line comes back."""
    with Watched() as port:
        lab, court, harbour = port.witnesses
        port.policy.write_text(f"log {port.vkey}\nwitness lab {lab.vkey} {lab.url}\nwitness court {court.vkey}\nwitness harbour {harbour.vkey}\n"
                               "group paper all court harbour\nquorum paper\n")
        port.use_policy()
        lab.start()
        port.start()
        stick = port.directory / "stick"
        stick.mkdir()

        def carry(old):
            """A checkpoint, and the proof from what the court signed last, in files."""
            (stick / "checkpoint").write_text(port.ctl("log", "checkpoint").stdout)
            (stick / "proof").write_text(port.ctl("log", "proof", "--from", old, stick / "checkpoint").stdout)
            return int((stick / "checkpoint").read_text().splitlines()[1])

        def cosign(witness, *more, good=True):
            done = run(BIN / "triage-witness", "cosign", witness.directory, *more, check=False)
            must((done.returncode == 0) == good, f"{more}: {done}")
            (stick / witness.name).write_text(done.stdout)
            return done

        old = 0
        for step in range(2):
            port.grow()
            size = carry(old)
            cosign(court, "--checkpoint", stick / "checkpoint", "--proof", stick / "proof")
            shutil.rmtree(stick / "log", ignore_errors=True)
            shutil.copytree(port.shard, stick / "log")
            cosign(harbour, "--checkpoint", stick / "checkpoint", "--log", stick / "log")
            port.grow()  # the log goes on meanwhile
            port.ctl("log", "cosign", stick / "court")
            must(port.cosigned_size() == old, "one of two is no quorum")
            port.ctl("log", "cosign", stick / "harbour")
            must(port.cosigned_size() == size, f"{port.cosigned_size()} is not {size}")
            text = (port.shard / "checkpoints" / f"{size}.cosigned").read_text()
            for name in ("court", "harbour"):  # and of the lab, when it came by while this size was the newest
                must(text.count(f"— witness.example.org/{name} ") == 1, f"a line of the {name}: {text}")
            old = size
        must([row["size"] for row in port.entries("witness.receipt") if row["witness"].endswith("court")][-1:] == [str(old)], "no receipt")
        # what is not right is refused, by whom it should be
        said = cosign(court, "--checkpoint", stick / "checkpoint", good=True)  # the same again
        must("witness.example.org/court" in said.stdout, f"{said}")
        port.grow()
        carry(0)
        said = cosign(court, "--checkpoint", stick / "checkpoint", "--proof", stick / "proof", good=False)
        must(f"must begin at size {old}" in said.stderr, said.stderr)
        said = cosign(court, "--checkpoint", stick / "checkpoint", good=False)
        must("422" in said.stderr, said.stderr)
        first = sorted(port.shard.glob("checkpoints/?"))[0]
        said = cosign(court, "--checkpoint", first, "--log", stick / "log", good=False)
        must("were cosigned before" in said.stderr, said.stderr)
        stranger = Witness(port.directory, "stranger")
        stranger.know(port.vkey)
        cosign(stranger, "--checkpoint", stick / "checkpoint")
        done = port.ctl("log", "cosign", stick / "stranger", check=False)
        must(done.returncode == 1 and "by no witness" in done.stderr, f"{done}")
        done = port.ctl("log", "cosign", "--size", port.size(), stick / "stranger", check=False)
        must(done.returncode == 1 and "not a cosignature by a witness" in done.stderr, f"{done}")
        cosign(court, "--log", port.shard)
        done = port.ctl("log", "cosign", "--size", old, stick / "court", check=False)
        must(done.returncode == 1 and "not a cosignature by a witness" in done.stderr, f"{done}")
        lab_directory = run(BIN / "triage-witness", "cosign", lab.directory, "--log", port.shard, check=False)
        must(lab_directory.returncode == 1 and "another process holds" in lab_directory.stderr, f"{lab_directory}")
        port.stop()
        code, report = port.check()
        must(code == 0 and report["logs"][0]["quorum"]["size"] == old, f"{report}")


def main():
    cases = {name[5:]: function for name, function in globals().items() if name.startswith("case_")}
    if len(sys.argv) != 2 or sys.argv[1] not in cases:
        print(f"usage: flow_witness.py {{{'|'.join(cases)}}}", file=sys.stderr)
        return 2
    try:
        return cases[sys.argv[1]]() or 0
    except (Failure, subprocess.TimeoutExpired, KeyError, StopIteration, json.JSONDecodeError) as fault:
        print(f"FAIL {sys.argv[1]}: {type(fault).__name__}: {fault}")
        return 1


sys.exit(main())
