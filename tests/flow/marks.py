#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What officers marked teaches the next model: scans with objects go through a real daemon, officers open them and mark what they
found, the archive is exported, a model learns from the export alone, and finds the like on scans that nobody has seen."""
import csv
import json
import pathlib
import random
import shlex
import struct
import sys
import zlib

from port import BIN, Failure, Port, must, run

SIDE, OBJECT = 80, 14
TYPE = "belt's /7"  # no name for a folder, and no bare word of a shell


def png(rows):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 1)) + \
        chunk(b"IEND", b"")


def pixels_of(path):
    """Of a grey PNG of 8 bits whose rows have the filters none, sub or up only; None where another is used."""
    body, at, packed = pathlib.Path(path).read_bytes(), 8, b""
    while at < len(body):
        size, kind = struct.unpack(">I4s", body[at:at + 8])
        if kind == b"IHDR":
            width, height, bits = struct.unpack(">IIB", body[at + 8:at + 17])
            must(bits == 8, "not 8 bits")
        packed += body[at + 8:at + 8 + size] if kind == b"IDAT" else b""
        at += 12 + size
    rows, out, above = zlib.decompress(packed), bytearray(), bytes(width)
    for y in range(height):
        kind, line = rows[y * (width + 1)], bytearray(rows[y * (width + 1) + 1:(y + 1) * (width + 1)])
        for x in range(width):
            left, corner = (line[x - 1], above[x - 1]) if x else (0, 0)
            guess = left + above[x] - corner
            paeth = min((abs(guess - left), 0, left), (abs(guess - above[x]), 1, above[x]), (abs(guess - corner), 2, corner))[2]
            line[x] = (line[x] + (0, left, above[x], (left + above[x]) // 2, paeth)[kind]) & 255
        out += line
        above = line
    return width, height, bytes(out)


def picture(rng, box):
    """Noise, some grey smears, and where there is a box a dark cross in it."""
    rows = [[170 + rng.randrange(14) for _ in range(SIDE)] for _ in range(SIDE)]
    for _ in range(3):
        x0, y0, deep = rng.randrange(SIDE - 24), rng.randrange(SIDE - 24), rng.randrange(15, 40)
        for y in range(y0, y0 + 20):
            for x in range(x0, x0 + 20):
                rows[y][x] -= deep
    if box:
        for y in range(OBJECT):
            for x in range(OBJECT):
                if abs(x - y) < 3 or abs(x + y - OBJECT + 1) < 3:
                    rows[box[1] + y][box[0] + x] = 40 + rng.randrange(12)
    return png(rows)


def write_scan(folder, name, views, **more):
    """views: {ending: (rng, box)}"""
    for ending, (rng, box) in views.items():
        (folder / f"{name}{ending}.png").write_bytes(picture(rng, box))
    (folder / f"{name}.json").write_text(json.dumps({"scan_id": name, "mode": "passenger", "scanner": "b7", "scanner_type": TYPE,
                                                     "keys": [{"scheme": "plate", "value": f"PLATE {name}"}]} | more))


def make_scans(folder):
    """{name: box}: 30 with an object, 30 without; one of two energies besides."""
    rng, boxes = random.Random(5), {}
    folder.mkdir()
    for i in range(60):
        name = f"s{i:02}"
        boxes[name] = (rng.randrange(SIDE - OBJECT), rng.randrange(SIDE - OBJECT)) if i % 2 == 0 else None
        write_scan(folder, name, {"": (rng, boxes[name])})
    boxes["pair"] = (20, 30)
    write_scan(folder, "pair", {"_low": (rng, (20, 30)), "_high": (rng, (20, 30))},
               images=[{"energy": "low", "view": 0}, {"energy": "high", "view": 0}])
    return boxes


def found(port, item, region, *more, verb="outcome"):
    words = [] if region is None else ["--region", ",".join(map(str, region))]
    port.ctl(verb, item, "--level", "full", "--result", "found", "--class", "narcotics", *words, *more)


def clean(port, item, *more, level="full", verb="outcome"):
    port.ctl(verb, item, "--level", level, "--result", "nothing_found", *more)


def examine(port, items, boxes):
    """What must come out, by item: a region, None for opened and clean; what is not there is left out."""
    wanted = {}
    for name, box in boxes.items():
        item = items[name]
        port.ctl("claim", item)
        region = None if box is None else (0, *box, OBJECT, OBJECT)
        if name == "pair":  # marked on the low energy: the pair is one scan
            found(port, item, region)
            wanted[item] = region
        elif name == "s00":  # not marked: it was there, nobody knows where
            found(port, item, None)
        elif name == "s01":  # looked at from outside: clean is not said
            clean(port, item, level="canine")
        elif name == "s02":  # a second exam that finds nothing says less
            found(port, item, region)
            clean(port, item, "--second")
            wanted[item] = region
        elif name == "s03":  # a find that was none
            found(port, item, (0, 1, 1, 9, 9))
            clean(port, item, "--code", "typing", verb="correct")
            wanted[item] = None
        elif name == "s04":  # marked in the wrong place at first
            found(port, item, (0, 2, 2, 5, 5))
            found(port, item, region, "--code", "typing", verb="correct")
            wanted[item] = region
        elif name == "s05":  # a second exam finds what the first did not
            clean(port, item)
            found(port, item, (0, 3, 3, 8, 8), "--second")
            wanted[item] = (0, 3, 3, 8, 8)
        elif name == "s06":  # beyond the image
            found(port, item, (0, SIDE + 5, 2, 5, 5))
        elif name == "s07":  # an image that there is not
            found(port, item, (3, 2, 2, 5, 5))
        else:
            found(port, item, region) if box else clean(port, item)
            wanted[item] = region
    return wanted


def expect_tables(out, wanted):
    images = out / "images"
    with open(out / "marks.csv", encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    told = {}
    for row in rows:
        item, index = row["image"].split("-")[0], row["image"].split("-")[1].split(".")[0].split("_")[0]
        region = None if row["x"] == "" else (int(index), *(int(row[key]) for key in ("x", "y", "width", "height")))
        must(item not in told and (images / row["image"]).exists(), f"{row}")
        told[item] = region
    must(told == {item[:16]: region for item, region in wanted.items()}, f"marks: {set(told.items()) ^ set(wanted.items())}")
    with open(out / "groups.csv", encoding="utf-8", newline="") as text:
        groups = {row["image"]: row["group"] for row in csv.DictReader(text)}
    must(groups == {row["image"]: row["image"][:16] for row in rows}, f"{groups}")
    return rows


def expect_images(out, folder, items, rows):
    """The very pixels, the pair as a pair, and nothing of who and when."""
    names = {item[:16]: name for name, item in items.items()}
    for row in rows:
        name = names[row["image"][:16]]
        source = folder / (f"{name}_low.png" if name == "pair" else f"{name}.png")
        must(pixels_of(out / "images" / row["image"]) == pixels_of(source), f"{row['image']} has other pixels than {source}")
    pair = [path.name for path in (out / "images").glob(f"{items['pair'][:16]}*")]
    must(sorted(pair) == sorted(f"{items['pair'][:16]}-0{end}" for end in (".json", "_high.png", "_low.png")), f"{pair}")
    for path in (out / "images").glob("*.json"):
        told = json.loads(path.read_text())
        must(told.pop("scanner_type") == TYPE and told.pop("mode") == "passenger" and told.pop("scan_id") == path.stem and told.pop("images"),
             f"{told}")
        must(set(map(str, told.values())) <= {"", "[]", "{}", "1970-01-01T00:00:00.000000000Z"}, f"a sidecar tells too much: {told}")


def learn(port, out, command, rng):
    """Train by the printed line, by the export, score what nobody has seen: the object must be where it was put."""
    models, fresh = port.directory / "models", port.directory / "fresh"
    fresh.mkdir()
    words = shlex.split(command)
    must(words[0] == "triagectl" and words[-2:] == ["--out", "DIR"] and words[words.index("--scanner-type") + 1] == TYPE, command)
    line = command[:command.rindex("--out DIR")].removeprefix("triagectl ")
    run("/bin/sh", "-c", f'"$0" --config "$1" {line} --epochs 12 --out "$2"', BIN / "triagectl", port.config, models)
    boxes = {}
    for i in range(20):
        boxes[f"f{i:02}.png"] = (rng.randrange(SIDE - OBJECT), rng.randrange(SIDE - OBJECT))
        (fresh / f"f{i:02}.png").write_bytes(picture(rng, boxes[f"f{i:02}.png"]))
    model = next(models.glob("*.h5"))
    detections = port.directory / "detections.csv"
    port.ctl("model", "score", "--model", model, "--images", fresh, "--out", detections)
    best = {}
    with open(detections, encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            best.setdefault(row["image"], [float(row[key]) for key in ("x", "y", "width", "height")])
    hits = sum(abs(x + w / 2 - boxes[name][0] - OBJECT / 2) < OBJECT / 2 and abs(y + h / 2 - boxes[name][1] - OBJECT / 2) < OBJECT / 2
               for name, (x, y, w, h) in best.items())
    must(hits >= 12, f"the best region is on the object in {hits} of 20 new scans")
    told = port.ctl_json("model", "evaluate", "--model", model, "--images", out / "images", "--marks", out / "marks.csv", "--groups",
                         out / "groups.csv")
    must(told, "no evaluation")
    return hits


def main():
    rng = random.Random(6)
    with Port() as port:
        folder, out = port.directory / "scans", port.directory / "officers' export"
        boxes = make_scans(folder)
        port.start()
        port.feed("images", folder, "--quiet")
        port.await_judged()
        items = {name: item.lower() for name, item in port.state("SELECT record_id, hex(item) FROM records WHERE kind = 'scan'")}
        must(set(items) == set(boxes), f"{set(items) ^ set(boxes)}")
        nothing = port.ctl("archive", "export", "--marks", "--out", out, check=False)
        must(nothing.returncode == 1 and "sealed yet" in nothing.stderr, nothing.stderr)
        wanted = examine(port, items, boxes)
        port.await_judged()
        port.ctl("archive", "seal")
        port.await_that(lambda: port.state("SELECT count(*) FROM seals")[0][0] > 0, "nothing was sealed")
        port.stop()
        told = port.ctl_json("archive", "export", "--marks", "--out", out)
        place = out / told["types"][0]["directory"]
        must(len(told["types"]) == 1 and place.parent == out and place.name.startswith("belt_s__7-"), f"{told}")
        marked = sum(region is not None for region in wanted.values())
        must((told["images_marked"], told["images_without"], told["finds_without_region"], told["regions_without_image"]) ==
             (marked, len(wanted) - marked, 1, 2), f"{told}")
        rows = expect_tables(place, wanted)
        expect_images(place, folder, items, rows)
        printed = port.directory / "it's printed"
        lines = port.ctl("archive", "export", "--marks", "--out", printed).stdout.splitlines()
        again = port.ctl("archive", "export", "--marks", "--out", out, check=False)
        must(again.returncode == 1 and "not empty" in again.stderr, again.stderr)
        both = port.ctl("archive", "export", "--marks", "--deidentified", "--out", port.directory / "x", check=False)
        must(both.returncode == 2 and "--deidentified" in both.stderr, both.stderr)
        hits = learn(port, printed / place.name, lines[-1], rng)
    print(f"marks: good, {hits} of 20 found")


try:
    main()
except Failure as failure:
    print(f"FAILED: {failure}", file=sys.stderr)
    sys.exit(1)
