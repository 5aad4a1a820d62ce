# SPDX-License-Identifier: Apache-2.0
"""Reads a sealed archive file: scans, scores, decisions and outcomes by their documented names (daemon/archive/FORMAT.md)."""
import hashlib
import sys

import h5py

with h5py.File(sys.argv[1], "r") as file:
    print(file.attrs["origin"].decode(), "entries", file.attrs["first_index"], "to", file.attrs["last_index"])
    for name in ("scans", "scores", "decisions", "outcomes"):
        table = {column: values[...] for column, values in file[name].items()}
        print(f"\n{name}: {len(next(iter(table.values())))} rows of", ", ".join(table))
    decisions, outcomes = file["decisions"], file["outcomes"]
    found = dict(zip(outcomes["item"][...], outcomes["result"][...]))
    for item, arm, p in zip(decisions["item"][...], decisions["arm"][...], decisions["propensity"][...]):
        print(item.decode(), arm.decode(), f"propensity {p:g}", found.get(item, b"no outcome").decode())
    for digest, image in file["images"].items():
        pixels = image["pixels"][...]
        assert hashlib.sha256(pixels.tobytes()).hexdigest() == digest
        print(digest[:12], pixels.shape, pixels.dtype, image["pixels"].attrs["meaning"].decode())
