# SPDX-License-Identifier: Apache-2.0
"""What a researcher does with a day's sealed files, inside a flow test: recomputes the published figures with h5py alone, and
exports tables and a copy for publication. A digit that is changed anywhere must be noticed."""
import csv
import hashlib
import json
import math
import pathlib
import shutil
import subprocess
import sys
import time

from port import SOURCE, must, run

DEBIAN = pathlib.Path("/usr/bin/python3")  # has the h5py package; another python3 in front of it may not
PYTHON = DEBIAN if DEBIAN.exists() else sys.executable
CHANGE = """
import sys, h5py
with h5py.File(sys.argv[1], "r+") as file:
    if sys.argv[2] == "pixel":
        name = next(iter(file["images"]))
        pixels = file["images"][name]["pixels"]
        pixels[0, 0] = pixels[0, 0] ^ 1
    elif sys.argv[2] == "subtree":
        rows = file["entries/leaf"]
        rows[3, 0] = rows[3, 0] ^ 1
    else:
        column = file[sys.argv[2]]
        place = [i for i, value in enumerate(column[...]) if value == sys.argv[3].encode()][0]
        column[place] = sys.argv[4].encode()
"""


def has_h5py():
    if run(PYTHON, "-c", "import h5py", check=False).returncode == 0:
        return True
    print("SKIP reading the archive: python3-h5py is not installed")
    return False


def seal_all(port):
    """Everything that is in the log now is sealed. No file is made of seals alone: an access behind the last seal asks for one."""
    entry = port.state("SELECT min(entry) FROM records")[0][0]
    port.ctl("reveal", "--entry", str(entry), "--purpose", "a second file", "--actor", "auditor")
    port.seal()


def recompute(port):
    """Hit rate, funnel, digests: from the files of the day, as triagectl and the log have them; and changes are noticed."""
    if not has_h5py():
        return
    seal_all(port)
    listed = port.ctl_json("archive", "list")
    days = {row["day"] for row in listed}
    for row in listed:
        must(row["file"] == "present" and row["entries"] == row["last_index"] - row["first_index"] + 1, f"{row}")
    must(sum(row["entries"] for row in listed) == listed[-1]["last_index"] + 1, f"entries of {listed}")
    must(any(row["items"] > 0 for row in listed) and all(row["copies"] == 0 for row in listed), f"{listed}")
    files = [port.store / "archive" / row["path"] for row in listed]
    report, log = port.directory / "report.json", port.directory / "entries.jsonl"
    report.write_text(port.ctl("report", "--json").stdout)
    log.write_text(port.ctl("log", "cat", "--json").stdout)

    def ask(paths, its_report=report, check=True):
        return run(PYTHON, SOURCE / "tests" / "archive" / "recompute.py", "--report", its_report, "--log", log, *paths,
                   check=check)
    own = json.loads(ask(files).stdout)
    must(own["images"] > 0 and any(row["denominator"] for row in own["hit_rate_by_arm"]), f"{own}")
    must(sum(row["numerator"] for row in own["funnel"] if row["stage"] == "examined") == 2, f"{own['funnel']}")
    if len(days) == 1:  # else the port ran over midnight
        day = days.pop()
        midnight = time.strftime("%Y-%m-%d", time.gmtime(
            time.mktime(time.strptime(day + " UTC", "%Y-%m-%d %Z")) - time.timezone + 86400))
        of_day = port.directory / "report-day.json"
        of_day.write_text(port.ctl("report", "--json", "--from", day, "--to", midnight).stdout)
        done = run(PYTHON, SOURCE / "tests" / "archive" / "recompute.py", "--day", day, "--report", of_day, *files)
        must(json.loads(done.stdout)["funnel"] == own["funnel"], done.stdout)
    noticed(port, files, ask, report)
    if shutil.which("h5dump"):
        text = run("h5dump", "-H", files[0])
        must("decisions" in text.stdout and text.stderr == "", text.stderr)


def noticed(port, files, ask, report):
    """One digit of the report, one pixel, one leaf, one outcome, one arm: each makes the comparison fail."""
    whole = json.loads(report.read_text())
    row = next(metric for metric in whole["metrics"] if metric["name"] == "hit_rate_by_arm")["rows"]
    place = next(i for i, one in enumerate(row) if one["denominator"] > 0)
    for key in ("numerator", "lower"):
        kept = row[place][key]
        row[place][key] = kept + (1 if key == "numerator" else 1e-9)
        forged = port.directory / "forged.json"
        forged.write_text(json.dumps(whole))
        must(ask(files, forged, check=False).returncode == 1, f"a changed {key} of the report")
        row[place][key] = kept
    for words in (("pixel",), ("subtree",), ("outcomes/result", "found", "return"), ("decisions/mode", "truck", "mail")):
        copies = [shutil.copy(path, port.directory / path.name) for path in files]
        for path in map(pathlib.Path, copies):
            path.chmod(0o600)
        changed = [path for path in copies if run(PYTHON, "-c", CHANGE, path, *words, check=False).returncode == 0]
        must(changed, f"nothing to change: {words}")
        must(ask(copies, check=False).returncode == 1, f"changed and not noticed: {words}")


def table(folder, name):
    with open(folder / f"{name}.csv", encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def same_as_sheets(folder):
    """The dictionary names every column of every file; the digests hold."""
    schema = json.loads((folder / "csv-metadata.json").read_text())
    for one in schema["tables"]:
        with open(folder / one["url"], encoding="utf-8", newline="") as text:
            head = next(csv.reader(text))
        must(head == [column["name"] for column in one["tableSchema"]["columns"]], f"{one['url']}: {head}")
        must(all(column["dc:description"] and column["datatype"] for column in one["tableSchema"]["columns"]), one["url"])
    must("as text" in (folder / "README.txt").read_text(), "README.txt does not say how to import")
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    for line in sums:
        digest, name = line.split("  ")
        must(hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name)
    files = {path.name for path in folder.iterdir()}
    must({line.split("  ")[1] for line in sums} == files - {"SHA256SUMS"}, f"{files}")


def export(port):
    """CSV of everything: the same decisions as the log's. Copies for publication: nothing that points at anybody."""
    everything = port.directory / "export"
    port.ctl("archive", "export", "--out", everything)
    again = port.ctl("archive", "export", "--out", everything, check=False)
    must(again.returncode == 1 and "not empty" in again.stderr, "an export into a full directory")
    same_as_sheets(everything)
    logged = {entry["item"]: entry for entry in port.entries("referral.decision")}
    decisions = table(everything, "decisions")
    must({row["item"] for row in decisions} == {item.replace("-", "") for item in logged}, "decisions of the export")
    for row in decisions:
        entry = next(entry for item, entry in logged.items() if item.replace("-", "") == row["item"])
        must(float(row["propensity"]) == float(entry["propensity"]) and row["arm"] == entry["arm"], f"{row} {entry}")
        must(row["t_utc"] == entry["t"], f"{row['t_utc']} {entry['t']}")
    publish(port, everything)
    restore_without_copies(port)


def cells(rows, *names):
    counts = {}
    for row in rows:
        key = tuple(row[name] for name in names)
        counts[key] = counts.get(key, 0) + 1
    return counts


def restore_without_copies(port):
    """There is no archive.copy here: good files are told as good, and only a lost one is a failure."""
    done = port.ctl("archive", "restore", "--json", check=False)
    must(done.returncode == 0 and all(row["good"] and row["restore"] == "good" for row in json.loads(done.stdout)), f"{done}")
    lost = port.store / "archive" / port.ctl_json("archive", "list")[0]["path"]
    lost.rename(port.directory / "aside.h5")
    done = port.ctl("archive", "restore", lost.name, check=False)
    must(done.returncode == 1 and "archive.copy is empty" in done.stdout, f"{done}")
    (port.directory / "aside.h5").rename(lost)


def publish(port, everything):
    keys = port.directory / "export.key"
    keys.write_text("5c" * 32 + "\n")
    folders = [port.directory / name for name in ("public", "keyed", "keyed-again")]
    words = [(), ("--key", keys), ("--key", keys)]
    for folder, more in zip(folders, words):
        port.ctl("archive", "export", "--deidentified", "--hdf5", "--out", folder, *more)
        same_as_sheets(folder)
        must("publication.h5" in (folder / "SHA256SUMS").read_text(), "publication.h5 is in no sum")
        must("\npublication.h5: " in (folder / "README.txt").read_text(), "README.txt does not name publication.h5")
    must(table(folders[0], "items")[0]["item"] != table(folders[1], "items")[0]["item"], "a fresh key gave the same names")
    for path in folders[1].iterdir():
        must(path.read_bytes() == (folders[2] / path.name).read_bytes(), f"{path.name}: not the same bytes under one key")
    items, goods = table(folders[1], "items"), table(folders[1], "goods")
    must(len(items) == len({row["item"] for row in table(everything, "decisions")}), f"{len(items)} items")
    must(min(cells(items, "mode", "day", "site").values()) >= 5, f"{cells(items, 'mode', 'day', 'site')}")
    must(min(cells(items, "mode", "day", "random_rate", "site").values()) >= 5, f"rates: {cells(items, 'mode', 'random_rate')}")
    sure = ("target", "both", "cautious")
    for row in items:
        untold = math.isnan(float(row["random_rate"]))
        must(untold if "*" in (row["mode"], row["day"]) else not untold or row["site"] == "*", f"rate of a pooled row: {row}")
        must(math.isnan(float(row["propensity"])) == (untold and row["arm"] not in sure), f"propensity of a pooled row: {row}")
    for row in goods:
        must(row["mode"] != "*" or row["arm"] in sure or math.isnan(float(row["propensity"])), f"propensity of a pooled row: {row}")
    shared = ("mode", "referred", "arm", "propensity", "examined", "found")
    told = [row for row in goods if row["hs_chapter"] != "*"]
    must(told and min(cells(told, *shared, "hs_chapter").values()) >= 5, f"small cells of goods: {cells(told, *shared, 'hs_chapter')}")
    must(not {row["item"] for row in items} & {row["row"] for row in goods}, "items and goods can be joined")
    must(cells(items, "arm") == cells([{"arm": row["arm"]} for row in table(everything, "decisions")], "arm"), "arms")
    forbidden = {row[name] for kind, names in (
        ("decisions", ("item", "label", "draw", "t_utc", "entry_index")), ("scans", ("scan_id", "scanner", "acquired_utc")),
        ("declarations", ("declaration_id", "importer", "seller", "declarant", "courier")), ("entries", ("id",)),
        ("outcomes", ("actor",)), ("scan_images", ("sha256",))) for row in table(everything, kind) for name in names}
    text = b"".join(path.read_bytes() for path in folders[0].iterdir() if path.name not in ("README.txt", "sources.csv"))
    text += subprocess.run(["h5dump", folders[0] / "publication.h5"], capture_output=True, check=True).stdout \
        if shutil.which("h5dump") else b""
    shown = [word for word in forbidden if len(word) > 6 and word.encode() in text]
    must(not shown, f"in the copy for publication: {shown[:5]}")
    seals = {row["sha256"]: row["path"] for row in port.ctl_json("archive", "list")}
    must({row["sha256"].split(":")[-1]: row["path"] for row in table(folders[0], "sources")} == {
        sha256.split(":")[-1]: path for sha256, path in seals.items()}, "seals of the copy")
    few = port.ctl("archive", "export", "--deidentified", "--threshold", "100000", "--out", port.directory / "few", "--json")
    few = json.loads(few.stdout)
    must(few["items"] == 0 and few["items_withheld"] == len(items), f"{few}")
    must(port.ctl("archive", "export", "--deidentified", "--threshold", "2", "--out", port.directory / "two",
                  check=False).returncode == 2, "a threshold that hides nothing")
    plain = port.ctl("archive", "export", "--threshold", "5", "--out", port.directory / "plain", check=False)
    must(plain.returncode != 0 and not (port.directory / "plain").exists(), f"a threshold of a plain export: {plain}")
