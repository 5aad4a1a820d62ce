# SPDX-License-Identifier: Apache-2.0
"""A port of entry in a temporary folder: keys, configuration, a real daemon and real feeds. Used by the flow tests."""
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.request

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TRIAGED_BUILD", SOURCE / "build")).resolve()
BIN = BUILD / "bin"
SHARED = pathlib.Path(os.environ.get("TRIAGED_SHARED_DATA", SOURCE.parent / "shared" / "data"))


# Seconds that a test waits for what must come: to tell a hang from a slow machine, and from threads with a low priority (the
# archive's) on a busy one. ctest ends a test after 900.
PATIENCE = 600


class Failure(Exception):
    pass


def free_port():
    """Below the range that the system gives out by itself (32768 on): there a port that is free while the daemon restarts
    may go to anybody's outgoing connection meanwhile."""
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(12000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def run(*command, check=True, timeout=PATIENCE, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout, **more)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done


class Port:
    """with Port() as port: ... ; the folder is kept when the test fails."""

    def __init__(self, policy="demo_policy.conf", store=None, **settings):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="triaged-flow-"))
        self.store = pathlib.Path(store) if store else self.directory / "store"
        self.daemon = None
        self.starts = 0
        self.publish = f"tcp://127.0.0.1:{free_port()}"
        self.config = self.directory / "triaged.conf"
        shutil.copy(SOURCE / "config" / policy, self.directory / "policy.conf")
        groups = {
            "site": {"name": "flow", "organisation": "test"},
            "store": {"directory": str(self.store)},
            "ingest": {"publisher_endpoint": self.publish, "verdict_endpoint": f"tcp://127.0.0.1:{free_port()}"},
            "oversight": {"checkpoint_s": 0.2, "segment_mib": 4},
            "archive": {"interval_s": 3600.0},
            "console": {"port": free_port()},
        }
        for key, value in settings.items():
            group, name = key.split("__")
            groups.setdefault(group, {})[name] = value
        with open(self.config, "w", encoding="utf-8") as out:
            for group, keys in groups.items():
                out.write(f"{group}:\n{{\n")
                for key, value in keys.items():
                    out.write(f"  {key} = {self.literal(value)};\n")
                out.write("};\n")
        self.http = f"http://127.0.0.1:{groups['console']['port']}"
        self.verdicts = groups["ingest"]["verdict_endpoint"]
        self.ctl("keys", "init")
        self.ctl("keys", "publisher", "flow")

    @staticmethod
    def literal(value):
        if isinstance(value, bool):
            return "true" if value else "false"
        return json.dumps(value) if isinstance(value, str) else repr(value)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.kill()
        if kind is None:
            shutil.rmtree(self.directory, ignore_errors=True)
        else:
            print(f"the folder of this run is kept: {self.directory}")

    # ---- the daemon

    def start(self, wait=True, prefix=(), program=BIN / "triaged"):
        self.starts += 1
        log = open(self.directory / f"daemon-{self.starts}.log", "wb")
        self.daemon = subprocess.Popen([*map(str, prefix), str(program), "--config", str(self.config)],
                                       stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        if wait:
            self.await_healthy()

    def daemon_log(self):
        return "".join((self.directory / f"daemon-{i}.log").read_text(errors="replace")
                       for i in range(1, self.starts + 1))

    def await_that(self, good, words, longest=0.2):
        """wait_for() while the daemon lives; a failure shows what it said."""
        def look():
            must(self.daemon.poll() is None, f"the daemon ended with {self.daemon.returncode}:\n{self.daemon_log()[-4000:]}")
            return good()
        return wait_for(look, lambda: f"{words() if callable(words) else words}\n{self.daemon_log()[-4000:]}", longest)

    def await_healthy(self):
        self.await_that(lambda: self.ctl("health", "--json", check=False).returncode == 0, "the daemon did not become healthy")

    def health(self):
        return json.loads(self.ctl("health", "--json").stdout)

    def accepted(self):
        """Records accepted by this process of the daemon so far; 0 when nobody answers yet."""
        try:
            with urllib.request.urlopen(self.http + "/metrics", timeout=10) as page:
                for line in page.read().decode().splitlines():
                    if line.startswith("triaged_records_accepted_total "):
                        return int(line.rsplit(" ", 1)[1])
        except (OSError, http.client.HTTPException):
            pass
        return 0

    def metrics(self):
        with urllib.request.urlopen(self.http + "/metrics", timeout=10) as page:
            lines = [line for line in page.read().decode().splitlines() if line[0] != "#"]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def await_accepted(self, count):
        # many a test kills the daemon at this moment
        self.await_that(lambda: self.accepted() >= count, f"{count} records were not accepted", longest=0.005)

    def await_judged(self):
        """Until every durable entry is applied, nothing is held and, 0.3 s later, nothing more came."""
        def standing():
            health = self.health()
            return health, (health["log_entries"], health["judged"], health["held_items"])

        def judged():
            _, before = standing()
            if before[0] != before[1] or before[2] != 0:
                return None
            time.sleep(0.3)
            health, now = standing()
            return health if now == before else None
        return self.await_that(judged, lambda: f"not everything was judged: {self.health()}")

    def seal(self):
        """Asks until everything that is in the log now is sealed: a file that a crash left is made again first, alone."""
        wanted = self.health()["log_entries"]

        def sealed():
            self.ctl("archive", "seal", check=False)
            return self.health()["sealed"] >= wanted
        self.await_that(sealed, "not everything was sealed")

    def kill(self):
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGKILL)
        if self.daemon is not None:
            self.daemon.wait()

    def stop(self, expect=0):
        self.daemon.send_signal(signal.SIGTERM)
        code = self.daemon.wait(PATIENCE)
        if code != expect:
            raise Failure(f"the daemon stopped with {code}, not {expect}:\n{self.daemon_log()[-4000:]}")

    # ---- tools

    def ctl(self, *words, check=True, **more):
        return run(BIN / "triagectl", "--config", self.config, *words, check=check, **more)

    def ctl_json(self, *words):
        return json.loads(self.ctl(*words, "--json").stdout)

    def feed_command(self, *words, stream=None):
        keys = self.store / "keys"
        name = stream or str(words[0])
        return [str(BIN / "triage-feed"), *map(str, words), "--endpoint", self.publish, "--key",
                str(keys / "private" / "flow.key"), "--daemon-key", str(keys / "daemon.key.pub"), "--spool",
                str(self.directory / f"spool-{name}"), "--stream", name, "--timeout", str(PATIENCE), "--json"]

    def feed(self, *words, stream=None, check=True):
        done = run(*self.feed_command(*words, stream=stream), check=check)
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def feed_start(self, *words, stream=None):
        return subprocess.Popen(self.feed_command(*words, stream=stream), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def train_on_sim(self):
        """Models from a clean simulated world, installed."""
        normal, models = self.directory / "normal", self.directory / "models"
        run(BIN / "triage-feed", "sim", "--write", normal, "--clean", "--count", "60", "--seed", "100", "--scale", "0.2",
            "--scans-only", "--quiet")
        run(BIN / "triage-feed", "sim", "--history", self.directory / "history.csv", "--count", "3000", "--quiet")
        for folder in sorted(normal.iterdir()):
            self.ctl("model", "train", "appearance", "--images", folder, "--scanner-type", folder.name, "--out", models)
        self.ctl("model", "train", "history", "--declarations", self.directory / "history.csv", "--mapping",
                 SOURCE / "config" / "mappings" / "customs-import.json", "--out", models)
        for file in sorted(models.glob("*.h5")):
            self.ctl("model", "install", file)

    def entries(self, kind=None):
        words = ["log", "cat", "--json"] + (["--type", kind] if kind else [])
        return [json.loads(line) for line in self.ctl(*words).stdout.splitlines() if line.strip()]

    def state(self, sql):
        """Rows of the read model."""
        with sqlite3.connect(f"file:{self.store / 'state.db'}?mode=ro", uri=True) as model:
            return model.execute(sql).fetchall()

    def verify(self, check=True):
        done = run(BIN / "triage-verify", self.store, "--json", check=False)
        if check and done.returncode != 0:
            raise Failure(f"triage-verify found problems:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
        return json.loads(done.stdout)


def must(condition, words):
    if not condition:
        raise Failure(words)


def wait_for(what, words, longest=0.2):
    """Looks again, after ever longer pauses (in s), until it is true, and returns what it saw; words may be a function."""
    end = time.monotonic() + PATIENCE
    pause = 0.005
    while True:
        seen = what()
        if seen:
            return seen
        must(time.monotonic() < end, words() if callable(words) else words)
        time.sleep(pause)
        pause = min(1.3 * pause, longest)
