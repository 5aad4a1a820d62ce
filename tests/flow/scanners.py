#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What scanners deliver, day by day, with a real daemon: one goes blurred, one loses detector channels, one stays as it is. The report
says so and since when, the alarm rises, and sealed files alone give the same figures."""
import datetime
import json
import random
import sqlite3
import struct
import sys
import zlib

from port import SOURCE, Failure, Port, must, run

DAYS, A_DAY, WIDTH, HEIGHT = 34, 6, 72, 48
BLURRED, DEAD = 24, 30
METRICS = ("--metrics", SOURCE / "config" / "metrics")


def png(rows):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 1)) + \
        chunk(b"IEND", b"")


def picture(rng, blur, dead):
    """A dark box before a bright ground. Sharp edges rise over one or two pixels, blurred ones over some six."""
    left, top = rng.randint(14, 22), rng.randint(8, 12)
    width = (6 if blur else 2) * rng.uniform(0.9, 1.3)
    deep = rng.randint(60, 90)
    rows = []
    for y in range(HEIGHT):
        inside = top <= y < HEIGHT - top
        row = []
        for x in range(WIDTH):
            edge = min(1.0, max(0.0, min(x - left, WIDTH - left - x) / width)) if inside else 0.0
            row.append(int(min(255, max(0, 220 - (220 - deep) * edge + rng.gauss(0, 2)))))
        rows.append(row)
    for x in dead:
        for row in rows:
            row[x] = 255
    return png(rows)


def make_scans(folder, first, scanners=("arch-1", "arch-2", "arch-3")):
    folder.mkdir()
    rng = random.Random(11)
    for scanner in scanners:
        for day in range(DAYS):
            for k in range(A_DAY):
                name = f"{scanner}-{day:02}-{k}"
                blur = scanner in ("arch-0", "arch-1") and day >= BLURRED
                dead = (30, 31, 52) if scanner == "arch-2" and day >= DEAD else ()
                (folder / f"{name}.png").write_bytes(picture(rng, blur, dead))
                moment = first + datetime.timedelta(days=day, hours=6, minutes=10 * k)
                (folder / f"{name}.json").write_text(json.dumps({
                    "scan_id": name, "scanner": scanner, "scanner_type": "arch", "mode": "passenger",
                    "acquired": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}))


def expect_report(port, first):
    quality = port.ctl_json("report", "image_quality", *METRICS)["image_quality"]
    rows = {row["scanner"]: row for row in quality["scanners"]}
    must(set(rows) == {"arch-1", "arch-2", "arch-3"}, f"{list(rows)}")
    must(all(len(row["days"]) == DAYS and all(day["images"] == A_DAY for day in row["days"]) for row in rows.values()),
         "days or images are missing")
    must([row["alarm"] for row in rows.values()] == [True, True, False], f"{ {name: row['alarm'] for name, row in rows.items()} }")
    blurred = [change for change in rows["arch-1"]["changes"] if change["figure"] == "sharpness"]
    must(len(blurred) == 1 and not blurred[0]["higher"] and blurred[0]["worse"], f"{rows['arch-1']['changes']}")
    since = datetime.date.fromisoformat(blurred[0]["since"])
    must(abs((since - (first + datetime.timedelta(days=BLURRED)).date()).days) <= 1, f"{blurred}")
    must(-0.85 < blurred[0]["lower"] <= blurred[0]["value"] <= blurred[0]["upper"] < -0.4, f"{blurred}")
    must("dead" not in rows["arch-1"] and "dead" not in rows["arch-3"], "dead lines where there are none")
    dead = rows["arch-2"]["dead"]
    must(dead["lines"] == 3 and dead["since"] == (first + datetime.timedelta(days=DEAD)).date().isoformat(), f"{dead}")
    must(not rows["arch-3"]["changes"], f"a change where there is none: {rows['arch-3']['changes']}")
    text = port.ctl("report", "image_quality", *METRICS).stdout
    for words in (f"scanner arch-1: {blurred[0]['words']}", f"scanner arch-2: {dead['words']}", "scanner arch-3: no change on"):
        must(words in " ".join(text.split()), f"{words} is not in\n{text}")
    early = (first + datetime.timedelta(days=BLURRED)).strftime("%Y-%m-%d")
    before = port.ctl_json("report", "image_quality", "--to", early, *METRICS)["image_quality"]["scanners"]
    must(all(not row["changes"] and len(row["days"]) == BLURRED for row in before), "--to looks beyond")
    return quality


def expect_cut(port):
    """More scanners than are looked at: that is said. Last, as it spoils the read model."""
    with sqlite3.connect(port.store / "state.db") as state:
        day = state.execute("SELECT max(day) FROM image_quality").fetchone()[0]
        columns = [row[1] for row in state.execute("PRAGMA table_info(image_quality)")]
        must(columns[:5] == ["scanner", "day", "figure", "value", "images"], f"{columns}")
        figures = state.execute("SELECT DISTINCT figure FROM image_quality").fetchall()
        here = state.execute("SELECT count(DISTINCT scanner) FROM image_quality").fetchone()[0]
        for count, cut in ((256 - here, False), (257 - here, True)):
            state.executemany("INSERT OR REPLACE INTO image_quality(scanner, day, figure, value, images) VALUES(?, ?, ?, 1, 9)",
                              [(f"more-{i:03}", day, figure) for i in range(count) for (figure,) in figures])
            state.commit()
            quality = port.ctl_json("report", "image_quality", *METRICS)["image_quality"]
            must(quality.get("cut", False) is cut and len(quality["scanners"]) == 256, f"{count}: {quality.get('cut')} {len(quality['scanners'])}")
            text = port.ctl("report", "image_quality", *METRICS).stdout
            must(("more scanners than the first 256" in text) == cut, text[-500:])


def told_of(port, scanner):
    return sum(f"event=quality scanner={scanner} " in line for line in port.daemon_log().splitlines())


def expect_told_once(port, first):
    """A scanner whose name stands before the others': its alarm is told, and not once more those that were."""
    port.await_that(lambda: port.metrics()["triaged_scanners_worse"] == 2, "the alarm does not rise after a restart")
    before = told_of(port, "arch-1"), told_of(port, "arch-2")
    must(before == (2, 2), port.daemon_log()[-2000:])  # once since each start
    make_scans(port.directory / "more", first, ("arch-0",))
    port.feed("images", port.directory / "more", "--quiet", stream="more")
    port.await_judged()
    port.await_that(lambda: port.metrics()["triaged_scanners_worse"] == 3, "the alarm of the new scanner does not rise")
    must(told_of(port, "arch-0") >= 1 and (told_of(port, "arch-1"), told_of(port, "arch-2")) == before, port.daemon_log()[-2000:])


def main():
    now = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    first = now - datetime.timedelta(days=DAYS)
    with Port(oversight__tick_s=1.0) as port:
        folder = port.directory / "scans"
        make_scans(folder, first)
        port.start()
        port.feed("images", folder, "--quiet")
        port.await_judged()
        quality = expect_report(port, first)
        port.await_that(lambda: port.metrics()["triaged_scanners_worse"] == 2, "the alarm does not rise")
        told = [line for line in port.daemon_log().splitlines() if "event=quality" in line]
        must(sum("scanner=arch-1" in line for line in told) == 1 and not any("arch-3" in line for line in told), f"{told}")
        port.ctl("archive", "seal")
        port.await_that(lambda: port.state("SELECT count(*) FROM seals")[0][0] > 0, "nothing was sealed")
        port.stop()
        report, log = port.directory / "report.json", port.directory / "log.jsonl"
        report.write_text(port.ctl("report", "--json", *METRICS).stdout)
        must(json.loads(report.read_text())["image_quality"] == quality, "the same log gives another report")
        log.write_text(port.ctl("log", "cat", "--json").stdout)
        files = sorted((port.store / "archive").rglob("*.h5"))
        done = run("/usr/bin/python3", SOURCE / "tests" / "archive" / "recompute.py", "--report", report, "--log", log, *files, check=False)
        if "No module named" in done.stderr:
            print(f"SKIP: {done.stderr.splitlines()[-1]}")
            return 77
        must(done.returncode == 0, f"sealed files say otherwise: {done.stderr[-3000:]}")
        # The read model made anew says the same.
        (port.store / "state.db").unlink()
        port.start()
        must(port.ctl_json("report", "image_quality", *METRICS)["image_quality"]["scanners"] == quality["scanners"], "rebuilt, it differs")
        expect_told_once(port, first)
        port.stop()
        expect_cut(port)
    print("scanners: good")
    return 0


try:
    sys.exit(main())
except Failure as failure:
    print(f"FAILED: {failure}", file=sys.stderr)
    sys.exit(1)
