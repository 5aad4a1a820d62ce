#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Decodes the entries that our encoder wrote, with Google's decoder and the schema alone, and compares every field.

usage: decode_entry.py WRITER SOURCE_DIR    exit 77: protoc or python3-protobuf is missing
"""
import os
import shutil
import struct
import subprocess
import sys
import tempfile

T_NS = 1767225600123456789


def skip(reason):
    print("SKIP: " + reason)
    sys.exit(77)


def digest(first):
    return bytes((first + i) & 0xFF for i in range(32))


def number(value, text=None):
    return {"value": value, "text": repr(value) if text is None else text}


def single(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def image(i):
    fields = {"width": 640 + i, "height": 480, "bits": 16, "meaning": 1, "energy": 1,
              "payload_bytes": (640 + i) * 480 * 2, "sha256": digest(0x20 + i)}
    if i:
        fields["view"] = i
    return fields


RECEIVED = {"publisher": "gate-west", "stream": "lane-3", "sequence": 41, "mode": 1, "site": "port-1", "lane": "3",
            "record_sha256": digest(0x10), "record_bytes": 4242, "record_id": "S-1",
            "item_key": "p0011223344556677"}

SCORE = {
    "probability": number(0.1), "logit": number(-2.1972245773362196), "quality": 0.75, "grave": number(0.0625),
    "contributions": [
        {"name": "appearance", "logit": number(1e-07), "words": "unusual shape in the load"},
        {"name": "mass", "logit": number(-2.5), "words": "Masse wie erklärt"},
        {"name": "history", "logit": {"text": "0"}}],
    "models": [{"name": "appearance/container-portal", "sha256": digest(0x30)},
               {"name": "fusion", "sha256": digest(0x31)}],
    "regions": [{"x": 1, "y": 2, "width": 3, "height": 4, "score": 0.5},
                {"image_index": 1, "x": 5, "y": 6, "width": 7, "height": 8, "score": 0.25}],
    "inputs": [{"model": 1, "values": [0.0, -1.5, single(0.1), single(3e-39)]}]}

# entry type: (number, name of the body, its fields). Zero and empty fields are absent, as proto3 has it.
EXPECTED = {
    "log.open": (1, "log_open", {
        "origin": "oversight.example.org/port/2026", "format_version": 1, "schema_sha256": digest(0x60),
        "previous_checkpoint": b"origin\n5\n", "first_n": 69000}),
    "log.close": (2, "log_close", {"reason": "year", "next_origin": "oversight.example.org/port/2027"}),
    "key.rotate": (3, "key_rotate", {
        "old_vkey": "old+00000000+AQ==", "new_vkey": "new+00000001+AQ==", "reason": "planned"}),
    "access": (14, "access", {
        "purpose": "appeal 17", "entry_index": [12, 345], "names": ["record", "plate"], "request_id": "r-3"}),
    "blob.discard": (15, "blob_discard", {
        "sha256": [digest(0x70), digest(0x71)], "reason": "retention", "kept_in": "2026/01/01/a.h5"}),
    "redact": (17, "redact", {
        "entry_index": [12], "digest": [digest(0x70), digest(0x71)], "legal_basis": "GDPR Art. 17(1)(d)",
        "request_id": "r-4"}),
    "archive.copied": (23, "archive_copied", {
        "path": "2026/01/01/a.h5",
        "file_bytes": 123456789,
        "sha256": digest(0x73),
        "place": "/mnt/second/archive",
        "same_device": True,
    }),
    "hold": (24, "hold", {"placed": True, "reason": "court order 12/2026", "request_id": "r-5"}),
    "witness.receipt": (20, "witness_receipt", {
        "witness": "lab.example/w1", "size": 69000, "root": digest(0x72), "line": "\u2014 lab.example/w1 AAAA"}),
    "config.change": (4, "config_change", {
        "config_sha256": digest(0x61), "policy_sha256": digest(0x62), "policy_version": "2026-01",
        "build": "triaged 1.0", "blas": "OpenBLAS 0.3.21 Haswell", "libm": "glibc 2.36", "processor": "avx2 fma",
        "reason": "more trucks", "target": "shadow", "arm_hidden": True}),
    "model.change": (5, "model_change", {
        "name": "history", "sha256": digest(0x63), "file_bytes": 123456, "evaluation": "auc 0.91",
        "reason": "newer", "figures": "rank correlation 0.9", "removed": True, "promoted": True}),
    "scan.received": (6, "received", dict(
        RECEIVED, scanner="x1", scanner_type="container-portal", acquired_ns=T_NS - 1, images=[image(0), image(1)])),
    "declaration.received": (7, "received", RECEIVED),
    "record.refused": (8, "refused", {
        "publisher": "gate-west", "stream": "lane-3", "sequence": 42, "code": 7, "name": "no_site",
        "reason": "site", "record_sha256": digest(0x64), "record_bytes": 17, "quarantined": True}),
    "score": (9, "score", SCORE),
    "shadow.score": (26, "shadow_score", {
        "place": "appearance/container-portal", "sha256": digest(0x74), "score": SCORE}),
    "referral.decision": (10, "decision", {
        "decision": "refer", "arm": "both", "propensity": number(0.3), "random_rate": number(0.02),
        "probability": number(0.1), "cutoff": number(0.0625), "priority": number(1234.5),
        "capacity_per_hour": 12.0, "arrivals_per_hour": 480.5, "rank": 3, "window_count": 480,
        "policy_sha256": digest(0x40), "draw_scheme": "hmac-sha256/1", "draw_day": "2026-01-01",
        "draw": digest(0x50), "reasons": ["unusual shape in the load", "drawn at random"],
        "label": "CSQU 3054383", "mode": 1, "site": "port-1", "lane": "3", "hold_ended_by": "complete",
        "draw_stratum": "truck/port-1/3", "shadow": True, "ageing_per_hour": 0.25, "perishable_per_hour": 0.5}),
    "officer.action": (11, "officer_action", {
        "action": "release", "code": "wrong-lane", "request_id": "r-1", "version": 3, "to_state": "waived",
        "reason": "smelt of paint"}),
    "outcome": (13, "outcome", {
        "exam_level": "full", "result": "found", "seizure_class": "tobacco", "quantity": number(12.5),
        "unit": "kg", "has_region": True, "image_index": 1, "region_x": 2, "region_y": 3, "region_width": 4,
        "region_height": 5, "request_id": "r-2", "version": 4, "again": "correction", "code": "weighed", "corrects": 7,
        "aside": True}),
    "archive.seal": (16, "archive_seal", {
        "path": "2026/01/01/000001.h5", "file_bytes": 1 << 30, "sha256": digest(0x65), "first_index": 1,
        "last_index": 69999, "hdf5_version": "1.10.8", "filters": "shuffle,deflate,fletcher32",
        "metrics_sha256": digest(0x6d)}),
    "wal.recovered": (18, "wal_recovered", {"torn_bytes": 512, "torn_sha256": digest(0x66)}),
    "time.tick": (19, "time_tick", {
        "received_scans": 1, "received_declarations": 2, "refused": 3, "undecided": 4,
        "capacity": [{"mode": 1, "site": "port-1", "capacity_per_hour": 12.0, "arrivals_per_hour": 480.5, "cutoff": 0.25,
                      "queue": 7, "queue_max": 24, "items": 8, "target": 2, "random": 1, "below": 5, "just_below": 3,
                      "finds_lost": 0.75, "cutoff_lowest": 0.125, "cutoff_highest": 1.0}]}),
    "draw.commit": (21, "draw_commit", {
        "day": "2026-01-02", "scheme": "hmac-sha256/1", "commitment": digest(0x67),
        "rates": [{"stratum": "truck", "rate": number(0.02), "floor": number(0.01), "reason": "drift"}, {"stratum": "*", "rate": number(0.005)}]}),
    "archive.copied": (23, "archive_copied", {
        "path": "2026/01/01/a.h5", "file_bytes": 123456789, "sha256": digest(0x73), "place": "/mnt/second/archive",
        "same_device": True}),
    "hold": (24, "hold", {"placed": True, "reason": "court order 12/2026", "request_id": "r-5"}),
    "operation": (25, "operation", {
        "name": "lanes-3-4", "step": "register", "mode": 1, "site": "north", "lane": "3", "from_ns": 1767225600000000000,
        "to_ns": 1769904000000000000, "hypothesis": "more than by chance", "metric": "hit_rate", "comparator": "random",
        "stop_rule": "200 exams", "reason": "done", "numerator": 3, "denominator": 40, "comparator_numerator": 1,
        "comparator_denominator": 50, "request_id": "r-6"}),
    "draw.reveal": (22, "draw_reveal", {"day": "2026-01-01", "key": digest(0x68)}),
}


def plain(message):
    """A message as a dict of what is present."""
    fields = {}
    for field, value in message.ListFields():
        if field.label == field.LABEL_REPEATED:
            is_message = field.message_type is not None
            fields[field.name] = [plain(v) if is_message else v for v in value]
        else:
            fields[field.name] = plain(value) if field.message_type is not None else value
    return fields


def check(entry_class, name, path):
    with open(path, "rb") as file:
        raw = file.read()
    entry = entry_class()
    entry.ParseFromString(raw)
    if entry.ByteSize() != len(raw):
        return "%d bytes of %d are not of this schema" % (len(raw) - entry.ByteSize(), len(raw))
    kind, body, fields = EXPECTED[name]
    expected = {"v": 1, "n": 70000, "t_ns": T_NS, "type": kind, "actor": "daemon",
                "id": bytes.fromhex("019b76da") + entry.id[4:], "cause": [b"\x01" * 16, b"\x02" * 16], body: fields}
    if name == "declaration.received":
        expected.update({"sd_alg": "sha-256", "sd": [digest(0x80), digest(0x81)]})
    if name in ("score", "shadow.score", "referral.decision", "outcome"):
        expected["item"] = b"\xab" * 16
    got = plain(entry)
    if int.from_bytes(entry.id[:6], "big") != T_NS // 1000000 or entry.id[6] >> 4 != 7:
        return "id is no UUIDv7 of its time: " + entry.id.hex()
    expected["id"] = entry.id
    for key in sorted(set(got) | set(expected)):
        if got.get(key) != expected.get(key):
            return "%s: got %r, expected %r" % (key, got.get(key), expected.get(key))
    return None


def main():
    writer, source_dir = sys.argv[1:]
    if shutil.which("protoc") is None:
        skip("protoc is not installed (protobuf-compiler)")
    try:
        import google.protobuf  # noqa: F401
    except ImportError:
        skip("the protobuf module is not installed (python3-protobuf)")
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc", "--proto_path=" + source_dir, "--python_out=" + folder, "proto/oversight.proto"],
                       check=True)
        entries = os.path.join(folder, "entries")
        os.mkdir(entries)
        subprocess.run([writer, entries], check=True)
        sys.path.insert(0, folder)
        from proto import oversight_pb2
        for name in EXPECTED:
            fault = check(oversight_pb2.Entry, name, os.path.join(entries, name))
            print("%-22s %s" % (name, fault or "same"))
            failures += fault is not None
        if sorted(os.listdir(entries)) != sorted(EXPECTED):
            print("the writer knows other types than this test")
            failures += 1
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
