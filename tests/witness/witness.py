# SPDX-License-Identifier: Apache-2.0
"""Real triage-witness processes and the policy of a port that uses them."""
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "flow"))
from port import BIN, PATIENCE, Failure, free_port, must, run, wait_for  # noqa: E402


class Witness:
    """One witness: its directory, its port, its process."""

    def __init__(self, folder, name):
        self.directory = pathlib.Path(folder) / name
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.vkey = run(BIN / "triage-witness", "keygen", self.directory, "--name", f"witness.example.org/{name}").stdout.strip()

    def know(self, *vkeys):
        (self.directory / "logs").write_text("# logs of this port\n" + "".join(f"{key}\n" for key in vkeys))

    def start(self, wait=True, prefix=()):
        log = open(self.directory / "serve.log", "ab")
        self.process = subprocess.Popen([*map(str, prefix), str(BIN / "triage-witness"), "serve", str(self.directory), "--listen",
                                         f"127.0.0.1:{self.port}"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        if wait:
            self.await_up()

    def await_up(self):
        def answers():
            must(self.process.poll() is None, f"witness {self.name} ended with {self.process.returncode}: {self.said()}")
            try:
                return self.page()
            except OSError:
                return None
        wait_for(answers, lambda: f"witness {self.name} does not answer: {self.said()}")

    def said(self):
        path = self.directory / "serve.log"
        return path.read_text(errors="replace")[-2000:] if path.exists() else ""

    def page(self):
        with urllib.request.urlopen(self.url + "/", timeout=10) as page:
            return page.read().decode()

    def holds(self, origin):
        """Size that it has cosigned last."""
        for line in self.page().splitlines():
            words = line.split()
            if words and words[0] == origin:
                return int(words[1])
        return None

    def submit(self, old, proof, note):
        """Status, content type and text of an add-checkpoint request."""
        body = f"old {old}\n" + "".join(f"{line}\n" for line in proof) + "\n" + note
        return self.post(body.encode())

    def post(self, body):
        request = urllib.request.Request(self.url + "/add-checkpoint", data=body, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as fault:
            with fault:
                return fault.code, fault.headers["Content-Type"], fault.read().decode()

    def stop(self, expect=0):
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        if code != expect:
            raise Failure(f"witness {self.name} stopped with {code}: {self.said()}")

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait()


def policy_of(log_vkey, witnesses, threshold, with_urls=True):
    lines = [f"log {log_vkey}"]
    lines += [f"witness {w.name} {w.vkey}" + (f" {w.url}" if with_urls else "") for w in witnesses]
    lines += [f"group all-of-us {threshold} " + " ".join(w.name for w in witnesses), "quorum all-of-us"]
    return "".join(f"{line}\n" for line in lines)
