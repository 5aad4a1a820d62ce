# SPDX-License-Identifier: Apache-2.0
"""Prints scans, scores, decisions and outcomes of a sealed archive file, by their names in daemon/archive/FORMAT.md."""
import sys

import h5py

SHOWN = {
    "scans": ("item", "mode", "scan_id", "scanner_type", "images_count"),
    "scores": ("item", "probability", "logit", "quality"),
    "decisions": ("item", "mode", "arm", "propensity", "probability", "cutoff"),
    "outcomes": ("item", "exam_level", "result", "seizure_class", "quantity", "unit"),
}
with h5py.File(sys.argv[1], "r") as file:
    print(file.attrs["origin"].decode(), "entries", file.attrs["first_index"], "to", file.attrs["last_index"])
    for table, names in SHOWN.items():
        print(f"\n{table}: {len(file[table]['item'])} rows, the first ones:", *names)
        for row in zip(*(file[table][name][:5] for name in names)):
            print("  ", *((value.decode() or "-") if isinstance(value, bytes) else f"{value:g}" for value in row))
    told = zip(*(file["outcomes"][name][...] for name in ("item", "result", "aside")))
    result = {item: result for item, result, aside in told if not aside}
    drawn = [item for item, arm in zip(file["decisions/item"][...], file["decisions/arm"][...]) if arm in (b"random", b"both")]
    exams = [result[item] for item in drawn if item in result]
    print(f"\nrandom arm: {len(drawn)} drawn, {len(exams)} examined, something found in {exams.count(b'found')}")
