#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House rules that a machine can hold: licence line, sizes, banned names, leftovers, the layout of the top level."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
TOP = {"CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE", "CHANGELOG.md", "daemon", "proto", "kernels",
       "tests", "config", "bench"}
LINES_MAX = 800
COLUMNS_MAX = 100
BANNED = [
    (re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b"), "leftover"),
    (re.compile(r"^\s*#\s*if\s+0\b"), "dead code"),
    (re.compile(r"\b(strcat|sprintf|gets|strtok|atoi|atof|rand|srand|system|popen)\s*\("), "banned function"),
    (re.compile(r"\b(\w*_)?(util|utils|helper|manager|misc)\b"), "name that says nothing"),
]
ALLOWED = set()


def files():
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.splitlines()]
    return [p for p in ROOT.rglob("*") if p.is_file() and "build" not in p.parts[len(ROOT.parts):][0]]


def check_source(path, text):
    name = str(path.relative_to(ROOT))
    lines = text.splitlines()
    if not any("SPDX-License-Identifier: Apache-2.0" in line for line in lines[:3]):
        yield 1, "no SPDX line"
    if len(lines) > LINES_MAX and not path.name.endswith("_table.h"):
        yield len(lines), f"more than {LINES_MAX} lines"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX and path.suffix in (".c", ".h"):
            yield number, f"more than {COLUMNS_MAX} columns"
        if path.suffix in (".c", ".h"):
            code = re.sub(r'"(\\.|[^"\\])*"|/\*.*?\*/|//.*', "", line)
            for pattern, what in BANNED:
                if what == "banned function" and name.startswith("tests/"):
                    continue
                found = pattern.search(code)
                if found and not line.lstrip().startswith("*") and (name, found.group(1)) not in ALLOWED:
                    yield number, f"{what}: {found.group(0).strip()}"


def main():
    faults = 0
    checked = 0
    for path in files():
        first = path.relative_to(ROOT).parts[0]
        if not first.startswith(".") and first not in TOP:
            print(f"{first}: the top level does not know it")
            faults += 1
        if path.suffix in (".c", ".h", ".py", ".sh", ".proto") and path.exists():
            checked += 1
            for line, fault in check_source(path, path.read_text(encoding="utf-8")):
                print(f"{path.relative_to(ROOT)}:{line}: {fault}")
                faults += 1
    print(f"{checked} files, {faults} faults")
    return 1 if faults or not checked else 0


sys.exit(main())
