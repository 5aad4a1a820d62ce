#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds #include lines against the module table: who may know whom, and which module owns which outside library."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()

# module -> modules whose headers it may include (itself always)
KNOWS = {
    "proto": set(),
    "kernels": set(),
    "base": {"proto"},
    "oversight": {"base", "proto"},
    "archive": {"base", "proto"},
    "view": {"base", "proto", "kernels", "archive"},
    "decide": {"base", "proto"},
    "join": {"base", "proto", "decide"},
    "referral": {"base", "proto"},
    "score": {"base", "proto", "kernels", "archive"},
    "state": {"base", "proto", "referral"},
    "ledger": {"base", "proto", "referral", "state"},
    "publisher": {"base", "proto"},
    "ingest": {"base", "proto", "oversight", "publisher"},
    "console": {"base", "proto"},
    "witness": {"base", "proto"},
    "submission": {"base", "proto"},
    "picture": {"base", "proto"},
    "feeds": {"base", "proto", "kernels", "publisher", "picture"},
    "export": {"base", "proto", "archive"},
    "verify": {"base", "proto", "archive"},
    "ctl": {"base", "proto", "kernels", "oversight", "archive", "score", "state", "referral", "ledger", "publisher", "picture",
            "feeds", "decide", "view", "export", "verify"},
    # daemon/*.c: all stages by name, no outside library
    "pipeline": {"base", "proto", "ingest", "oversight", "archive", "join", "score", "decide", "referral", "state", "ledger",
                 "console", "submission", "view", "picture"},
}
# narrower than the table: only these headers of a module may be included by that module
ONLY = {
    ("score", "archive"): {"archive/model_file.h"},
    ("view", "archive"): {"archive/image_reader.h"},
    ("feeds", "publisher"): {"publisher/triage_publisher.h"},
    ("ingest", "publisher"): {"publisher/curve_key.h"},
    ("ingest", "oversight"): {"oversight/oversight.h"},
    ("verify", "archive"): {"archive/archive.h"},
    ("export", "archive"): {"archive/archive.h", "archive/archive_extract.h", "archive/archive_read.h", "archive/archive_table.h"},
    ("join", "decide"): {"decide/policy.h"},
    ("ctl", "verify"): {"verify/verify.h"},
}
# outside library -> (pattern of its headers, modules that may include them)
OWNS = {
    "protobuf-c": (r"(protobuf-c/|proto/\w+\.pb-c\.h)", {"proto"}),
    "libcrypto": (r"openssl/", {"proto"}),
    "libsodium": (r"sodium", {"proto"}),
    "CBLAS and LAPACK": (r"(cblas|lapack|openblas)", {"kernels"}),
    "libzmq": (r"zmq", {"ingest", "publisher", "ctl"}),
    "HDF5": (r"(hdf5|H5)", {"archive"}),
    "SQLite": (r"sqlite3", {"state"}),
    "libmicrohttpd": (r"microhttpd", {"console", "witness"}),
    "libcurl": (r"curl/", {"submission"}),
    "jansson": (r"jansson", {"console", "feeds", "verify", "ctl", "export"}),
    "libconfig": (r"libconfig", {"base"}),
    "ISA-L": (r"isa-l", {"oversight", "archive"}),
    "libdeflate": (r"libdeflate", {"archive"}),
    "libpng": (r"png\.h", {"picture"}),
    "libtiff": (r"tiff", {"picture"}),
    "libjpeg": (r"j(peglib|error)", {"picture"}),
    "libqrencode": (r"qrencode", {"ctl"}),
    "libcsv": (r"csv\.h", {"feeds"}),
    "xraylib": (r"xraylib", {"feeds"}),
    "expat": (r"expat\.h", {"feeds"}),
}
FORBIDDEN_IN = {"kernels": r"<(stdio|unistd|fcntl|pthread|time|sys/.*)\.h>"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def module_of(path):
    parts = path.relative_to(ROOT).parts
    if parts[0] == "daemon":
        return parts[1] if len(parts) > 2 else "pipeline"
    return parts[0]


def owner_of(include):
    head = include.split("/")[0]
    return head if head in KNOWS else ("pipeline" if "/" not in include else None)


def check(path):
    module = module_of(path)
    if module not in KNOWS:
        yield f"module '{module}' is not in the table of {pathlib.Path(__file__).name}"
        return
    for bracket, include in INCLUDE.findall(path.read_text(encoding="utf-8")):
        if re.search(r"_table\.h$", include) and owner_of(include) == module:
            continue
        for library, (pattern, owners) in OWNS.items():
            outside = bracket == "<" or library == "protobuf-c"
            if outside and re.match(pattern, include):
                if module not in owners:
                    yield f"{include}: {library} belongs to {', '.join(sorted(owners))}, not to {module}"
                elif path.suffix == ".h":
                    yield f"{include}: types of {library} must stay out of headers"
        if module in FORBIDDEN_IN and re.match(FORBIDDEN_IN[module], f"<{include}>"):
            yield f"{include}: {module} is pure"
        if bracket == '"' and not include.endswith(".pb-c.h"):
            owner = owner_of(include)
            if owner is None or (owner == "pipeline" and module != "pipeline"
                                 and not (path.parent / include).exists()):
                yield f"{include}: not written from a root of the tree"
            elif owner not in ("pipeline", module) and owner not in KNOWS[module]:
                yield f"{include}: {module} must not know {owner}"
            elif (module, owner) in ONLY and include not in ONLY[(module, owner)]:
                yield f"{include}: of {owner}, {module} may include only {', '.join(sorted(ONLY[(module, owner)]))}"


def main():
    faults = 0
    files = 0
    for folder in ("proto", "kernels", "daemon"):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            files += 1
            for fault in check(path):
                print(f"{path.relative_to(ROOT)}: {fault}")
                faults += 1
    print(f"{files} files, {faults} faults")
    return 1 if faults or not files else 0


sys.exit(main())
