#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds daemon/oversight/ENTRIES.md against proto/oversight.proto: every type, body and field, with its number.

usage: entry_table.py SOURCE_DIR    exit 77: protoc or python3-protobuf is missing
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile


def skip(reason):
    print("SKIP: " + reason)
    sys.exit(77)


def fields(message):
    return {(field.number, field.name) for field in message.fields}


def named(cell):
    return {(int(number), name) for number, name in re.findall(r"(\d+) `(\w+)`", cell)}


def rows(page, columns):
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == columns:
            yield cells


def main():
    source = sys.argv[1]
    if shutil.which("protoc") is None:
        skip("protoc is not installed (protobuf-compiler)")
    try:
        import google.protobuf  # noqa: F401
    except ImportError:
        skip("the protobuf module is not installed (python3-protobuf)")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc", "--proto_path=" + source, "--python_out=" + folder, "proto/oversight.proto"], check=True)
        sys.path.insert(0, folder)
        from proto import oversight_pb2 as schema
    with open(os.path.join(source, "daemon/oversight/ENTRIES.md"), encoding="utf-8") as file:
        page = file.read()
    entry = schema.Entry.DESCRIPTOR
    bodies = {field.name: field for field in entry.oneofs_by_name["body"].fields}
    faults = []
    head = {field for field in fields(entry) if field[1] not in bodies}
    if named(page.split("Of every entry:")[1].split(";")[0]) != head:
        faults.append("the fields of every entry")
    disclosure = page.split("`Disclosure` messages (")[1].split(")")[0]
    if named(disclosure) != fields(schema.Disclosure.DESCRIPTOR):
        faults.append("the fields of Disclosure")
    types = {value.number: value.name for value in schema.EntryType.DESCRIPTOR.values if value.number}
    told = {}
    for number, name, body, cell, _ in rows(page, 5):
        if not number.isdigit():
            continue
        told[int(number)] = "ENTRY_" + name.strip("`").replace(".", "_").upper()
        (body_number, body_name), = named(body)
        field = bodies.get(body_name)
        if field is None or field.number != body_number or named(cell) != fields(field.message_type):
            faults.append("row " + name)
    if told != types:
        faults.append("types %s" % sorted(set(told.items()) ^ set(types.items())))
    used = {field.message_type.name for field in bodies.values()} | {"Entry", "Disclosure"}
    parts = {name: message for name, message in schema.DESCRIPTOR.message_types_by_name.items() if name not in used}
    seen = set()
    for name, cell in rows(page, 2):
        message = parts.get(name.strip("`"))
        if message is not None:
            seen.add(message.name)
            if named(cell) != fields(message):
                faults.append("row " + name)
    if seen != set(parts):
        faults.append("messages %s" % sorted(set(parts) - seen))
    for fault in faults:
        print("ENTRIES.md and oversight.proto differ: " + fault)
    print("%d types, %d parts, %d faults" % (len(told), len(seen), len(faults)))
    sys.exit(1 if faults or not told else 0)


if __name__ == "__main__":
    main()
