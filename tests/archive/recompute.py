# SPDX-License-Identifier: Apache-2.0
"""Recomputes a day's published figures from sealed archive files alone, with h5py and nothing of ours: hit rate by arm with its
Wilson interval, the funnel, what each scanner delivered by day and since when that changed, the digest of every image, the root of the
log's tree.
usage: recompute.py [--day 2026-09-21] [--report report.json] [--log entries.jsonl] FILE...
With --report (triagectl report --json) and --log (triagectl log cat --json) it compares: exit 1 when anything differs."""
import argparse
import datetime
import hashlib
import json
import math
import statistics
import sys

import h5py

Z = statistics.NormalDist().inv_cdf(0.975)
FOUND, CONCLUDED = {"found", "partial"}, {"nothing_found", "found", "partial"}
OPEN = {"queued", "presented", "in_exam"}
ENDS = {"outcome", "waived", "not_presented", "expired", "returned", "transferred"}
SHOWN = {"target": {"target", "both"}, "random": {"random", "both"}, "both": {"both"}, "cautious": {"cautious"},
         "manual": {"manual"}}


def rows(files, table, *columns):
    """Rows of a table over all files, which come in the order of the log; texts as str."""
    for file in files:
        for row in zip(*(file[table][name][...] for name in columns)):
            yield tuple(value.decode() if isinstance(value, bytes) else value for value in row)


def with_interval(row):
    x, n = row["numerator"], row["denominator"]
    if n > 0:
        centre, half = (x + Z * Z / 2) / (n + Z * Z), Z / (n + Z * Z) * math.sqrt(x * (n - x) / n + Z * Z / 4)
        row.update(rate=x / n, lower=max(0.0, centre - half) if x else 0.0, upper=min(1.0, centre + half) if x < n else 1.0)
    return row


def decided(files, day):
    """The newest decision on each item, of this day; and who was referred at all."""
    newest, referred = {}, set()
    for item, time, mode, arm, decision in rows(files, "decisions", "item", "t_utc", "mode", "arm", "decision"):
        newest[item] = (time, mode, arm, decision)
        if decision == "refer":
            referred.add(item)
    return {item: row for item, row in newest.items() if day is None or row[0].startswith(day)}, referred


def hit_rate(items, results, by_hand):
    out = []
    for name, arms in SHOWN.items():
        exams = [results[item] for item, row in items.items()
                 if ("manual" if item in by_hand else row[2]) in arms and results.get(item) in CONCLUDED]
        out.append(with_interval({"arm": name, "numerator": sum(result in FOUND for result in exams),
                                  "denominator": len(exams)}))
    return out


def funnel(items, referred, results, states):
    stages = ("decided", "referred", "claimed", "examined", "found", "ended without exam", "open")
    counts = {}
    for item, (_, mode, _, decision) in items.items():
        seen = states.get(item, [])
        closed, examined = bool(ENDS & set(seen)), item in results
        reached = (True, decision == "refer", examined or item in referred and bool(OPEN & set(seen)), examined,
                   results.get(item) in FOUND, item in referred and closed and not examined,
                   item in referred and not closed)
        for place, yes in enumerate(reached):
            counts.setdefault(mode, [0] * len(stages))[place] += yes
    return [with_interval({"mode": mode, "stage": stage, "numerator": counts[mode][place], "denominator": counts[mode][0]})
            for mode in sorted(counts) for place, stage in enumerate(stages)]


FIGURES = {"sharpness": (23,), "contrast_to_noise": (24,), "saturated_share": (25,), "dead_lines": (26, 27)}
NORMAL = statistics.NormalDist()


def delivered(files):
    """{scanner: {day: {figure: values}}}: what the inputs of the fusion hold of the image of a score, by the scanner and day of the
    scans that the item had then; of several scanners none is told."""
    scans, times, values, out = {}, {}, {}, {}
    for item, scanner, acquired, entry in rows(files, "scans", "item", "scanner", "acquired_ns", "entry_index"):
        scans.setdefault(item, []).append((int(entry), scanner, int(acquired)))
    for entry, time in rows(files, "entries", "n", "t_ns"):
        times[int(entry)] = int(time)
    for entry, model, position, value in rows(files, "score_inputs", "score_entry_index", "model", "position", "value"):
        if model in ("fusion", "builtin/fusion") and position >= 23:
            values.setdefault(int(entry), {})[int(position)] = float(value)
    for item, entry in rows(files, "scores", "item", "entry_index"):
        own = [scan for scan in scans.get(item, []) if scan[0] < entry]
        seen = values.get(int(entry), {})
        if len({scanner for _, scanner, _ in own}) != 1 or len(seen) != 5 or any(math.isnan(value) for value in seen.values()):
            continue
        first = min(acquired for _, _, acquired in own)
        first = first if 0 < first <= times[int(entry)] else times[int(entry)]
        day = out.setdefault(own[0][1], {}).setdefault(first // 86400000000000, {})
        for figure, places in FIGURES.items():
            day.setdefault(figure, []).append(float(f"{sum(seen[place] for place in places):.2e}"))
    return out


def median(values):
    """The lower median, and the order statistics that hold the true one with 95%: tails of the binomial distribution at 1/2."""
    values, n, below, rank = sorted(values), len(values), 0, -1
    while below + math.comb(n, rank + 1) <= 0.025 * 2 ** n:
        rank += 1
        below += math.comb(n, rank)
    found = {"value": values[(n - 1) // 2]}
    return found | ({"lower": values[rank], "upper": values[n - 1 - rank]} if rank >= 0 else {})


def changes(series):
    """Page's sums of sequential ranks as normal scores, a change's first day by least squares; (first, found, higher), each after
    forgetting what was before."""
    start, out = 0, []
    while True:
        sums, found = {1: 0.0, -1: 0.0}, None
        for i in range(start, len(series)):
            rank = sum((value < series[i]) + 0.5 * (value == series[i]) for value in series[start:i]) + 0.5
            score = NORMAL.inv_cdf(rank / (i - start + 1))
            sums = {sign: max(0.0, old + sign * score - 0.5) for sign, old in sums.items()}
            if max(sums.values()) > 8:
                found = i
                break
        if found is None:
            return out
        sign = max(sums, key=sums.get)
        part = series[start:found + 1]
        steps = [max(0.0, sign * (sum(part[k:]) / (len(part) - k) - sum(part[:k]) / k)) for k in range(1, len(part))]
        gains = [step * step * k * (len(part) - k) for k, step in enumerate(steps, 1)]
        start += 1 + gains.index(max(gains))
        out.append((start, found, sign > 0))


def shift(before, after, ratio):
    """Hodges-Lehmann, and Moses's interval by the normal approximation of the rank sum with the half for whole ranks; as a share, or in points."""
    pairs = sorted(b / a - 1 if ratio else b - a for a in before for b in after)
    m, n = len(before), len(after)
    rank = math.floor(m * n / 2 - Z * math.sqrt(m * n * (m + n + 1) / 12) - 0.5)
    found = {"value": statistics.median(pairs)}
    return found | ({"lower": pairs[rank], "upper": pairs[-1 - rank]} if rank >= 0 else {})


def text_of(day):
    return (datetime.date(1970, 1, 1) + datetime.timedelta(days=int(day))).isoformat()


def image_quality(files, only):
    """Of the 400 days up to the newest entry, or of one day."""
    out, last = [], int(files[-1]["entries/t_ns"][-1]) // 86400000000000
    for scanner, days in sorted(delivered(files).items()):
        days = {day: figures for day, figures in sorted(days.items()) if len(figures["sharpness"]) >= 5 and
                (last - 400 < day <= last if only is None else text_of(day) == only)}
        if not days:
            continue
        shown = [{"day": text_of(day), "images": len(figures["sharpness"])} | {name: median(figures[name]) for name in FIGURES}
                 for day, figures in days.items()]
        told = []
        for figure in ("sharpness", "contrast_to_noise", "saturated_share"):
            series, ratio = [row[figure]["value"] for row in shown], figure != "saturated_share"
            steps = changes(series)
            ends = [0] + [step[0] for step in steps] + [len(series)]
            for k, (first, found, higher) in enumerate(steps):
                part = series[ends[k]:ends[k + 2]]
                told.append({"figure": figure, "since": shown[first]["day"], "told": shown[found]["day"], "higher": higher,
                             "worse": not higher and ratio} |
                            (shift(series[ends[k]:first], series[first:ends[k + 2]], ratio) if not ratio or min(part) > 0 else {}))
        dead = []
        for row in reversed(shown):
            if row["dead_lines"]["value"] <= 0:
                break
            dead.append(row)
        out.append({"scanner": scanner, "days": shown, "changes": told} |
                   ({"dead": {"since": dead[-1]["day"], "lines": dead[0]["dead_lines"]["value"]}} if dead else {}))
    return out


def images(files):
    """Every image of every scan: its bytes have the digest that they are called by, and that the scan's entry states."""
    digests = set()
    for file in files:
        for (digest,) in rows([file], "scan_images", "sha256"):
            pixels = file["images"][digest]["pixels"]
            if hashlib.sha256(pixels[...].tobytes()).hexdigest() != digest:
                raise SystemExit(f"{file.filename}: image {digest} has other bytes")
            digests.add(digest)
    return digests


def append_leaf(subtrees, size, leaf):
    """RFC 6962: two perfect subtrees of one size become the next larger one."""
    subtrees.append(leaf)
    while size & 1:
        right = subtrees.pop()
        subtrees.append(hashlib.sha256(b"\1" + subtrees.pop() + right).digest())
        size >>= 1


def tree_root(file):
    """From the subtrees before the file and the entries in it."""
    data, offset = file["entries/bytes"][...].tobytes(), file["entries/offset"][...]
    subtrees = [row.tobytes() for row in file["tree/before"][...]]
    size = int(file.attrs["first_index"]) - int(file.attrs["tree_first_index"])
    for i in range(len(offset) - 1):
        leaf = hashlib.sha256(b"\0" + data[offset[i]:offset[i + 1]]).digest()
        if leaf != file["entries/leaf"][i].tobytes():
            raise SystemExit(f"{file.filename}: entry {i} of the file has another leaf")
        append_leaf(subtrees, size + i, leaf)
    root = subtrees.pop()
    while subtrees:
        root = hashlib.sha256(b"\1" + subtrees.pop() + root).digest()
    if root.hex() != file.attrs["tree_root"].decode() or size + len(offset) - 1 != file.attrs["tree_size"]:
        raise SystemExit(f"{file.filename}: tree_root is not the root of what is in it")
    return root.hex()


def same(one, other):
    return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-12) if isinstance(one, float) else one == other


def compare_report(computed, report):
    published = {metric["name"]: metric["rows"] for metric in report["metrics"]}
    for name, own in computed.items():
        if len(own) != len(published[name]):
            yield f"{name}: {len(own)} rows here, {len(published[name])} in the report"
        for row, other in zip(own, published[name]):
            yield from (f"{name} {row}: the report says {key} = {other.get(key)}" for key in row
                        if not same(row[key], other.get(key)))


def differences(place, own, other):
    """What the report says otherwise; members that it has beside, such as words, are not looked at."""
    if isinstance(own, dict):
        for key in own:
            yield from differences(f"{place}.{key}", own[key], (other or {}).get(key))
    elif isinstance(own, list):
        if len(own) != len(other or []):
            yield f"{place}: {len(own)} here, {len(other or [])} in the report"
        for i, pair in enumerate(zip(own, other or [])):
            yield from differences(f"{place}[{i}]", *pair)
    elif other is None or not (math.isclose(own, other, rel_tol=1e-9, abs_tol=1e-12) if isinstance(own, float) else own == other):
        yield f"{place}: {own} here, {other} in the report"


def compare_log(digests, files, entries):
    """The log's own words: images of its scans, and decisions and outcomes entry by entry."""
    first, last = int(files[0].attrs["first_index"]), int(files[-1].attrs["last_index"])
    inside = [entry for entry in entries if first <= int(entry["n"]) <= last]
    stated = {image["payload"].split(":")[-1] for entry in inside for image in entry.get("images", [])}
    if stated != digests:
        yield f"{len(stated ^ digests)} images are in the log or in the files alone"
    for kind, table, columns in (("referral.decision", "decisions", ("decision", "arm", "mode", "site")),
                                 ("outcome", "outcomes", ("result", "seizure_class", "exam_level"))):
        logged = [(int(entry["n"]), *(entry.get(name, "") for name in columns)) for entry in inside
                  if entry["type"] == kind]
        if logged != [(int(row[0]), *row[1:]) for row in rows(files, table, "entry_index", *columns)]:
            yield f"{table}: not what the log says"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--day")
    parser.add_argument("--report", type=argparse.FileType())
    parser.add_argument("--log", type=argparse.FileType())
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    files = sorted((h5py.File(path, "r") for path in options.files), key=lambda file: file.attrs["first_index"])
    items, referred = decided(files, options.day)
    results, states = {}, {}
    by_hand = set()
    for item, state, action in rows(files, "referral_events", "item", "to_state", "action"):
        if action == "refer":
            by_hand.add(item)
        states.setdefault(item, []).append(state)
    for item, result, aside in rows(files, "outcomes", "item", "result", "aside"):
        if not aside:
            results[item] = result
        states.setdefault(item, []).append("outcome")
    computed = {"hit_rate_by_arm": hit_rate(items, results, by_hand), "funnel": funnel(items, referred, results, states)}
    digests = images(files)
    quality = image_quality(files, options.day)
    print(json.dumps(computed | {"image_quality": quality, "images": len(digests), "tree_root": [tree_root(file) for file in files]}, indent=1))
    wrong = []
    if options.report:
        report = json.load(options.report)
        wrong += compare_report(computed, report)
        if "image_quality" in report:
            wrong += differences("image_quality", quality, report["image_quality"]["scanners"])
    if options.log:
        wrong += compare_log(digests, files, [json.loads(line) for line in options.log if line.strip()])
    print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
